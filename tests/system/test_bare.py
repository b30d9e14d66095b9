# SPDX-License-Identifier: BSD-2-Clause
"""Bare-metal guests beside Linux, as an ELF file and as a flat binary (bare/bare.c)."""

import collections
import re
import sys

import pytest

import conftest

sys.path.insert(0, str(conftest.ROOT / "bench"))

import latency  # noqa: E402  (found by the line above)

VIRTUAL = ("-icount", "shift=1,sleep=off")
# GICv2 and GICv3: the guest finds out by itself.
BOARDS = ("qemu_virt_aarch64", "qemu_virt_aarch64_gicv3")
LINE = (r"bare: (\d+) s: (\d+) ticks, (\d+) lost, mean (\d+) ns, worst (\d+) ns; "
        r"(\d+) pings answered, (\d+) of (\d+) answers came")
Counts = collections.namedtuple("Counts", "seconds ticks lost mean worst answered answers pings")


def says(system, number, condition):
    """What a bare-metal guest counts, once that fulfils a condition."""
    if system.focused != number:
        system.focus(number)
    while True:
        counts = Counts(*(int(n) for n in system.expect(LINE).groups()))
        if condition(counts):
            return counts


def pings(system, address):
    """From Linux, one after the other: of several at once busybox gives up the last too soon."""
    system.output(0, " && ".join([f"ping -c 1 -W 10 {address} >/dev/null"] * 5))


@pytest.fixture(params=BOARDS)
def bare(boot, request):
    if not (conftest.SDK / "board" / request.param).is_dir():
        pytest.skip(f"the SDK is not for {request.param}")
    place = conftest.BUILD_DIR / "check" / "bare"
    conftest.make_bare(place)
    return boot(place / "bare.yaml", MICROKIT_BOARD=request.param)


def test_bare_metal_beside_linux(bare):
    """Their timers tick, they answer pings, and get answers to theirs; and so again after a reset."""
    bare.login(0)
    for number in (1, 2):
        pings(bare, f"192.168.1.{number + 1}")
        counts = says(bare, number, lambda c: c.answered >= 5 and c.answers >= 5)
        assert (counts.ticks + counts.lost) // 100 == counts.seconds and counts.ticks > 0
        assert counts.answers <= counts.pings
        bare.send("r")
        bare.expect("bare: begins")
        again = says(bare, number, lambda c: c.answers > 0)
        assert again.answered == 0
        pings(bare, f"192.168.1.{number + 1}")


def test_who_waits_for_what_it_masks_takes_no_time(boot):
    """A WFI in an interrupt's handler, or with what is pending masked by its priority, parks the vCPU."""
    place = conftest.BUILD_DIR / "check" / "bare"
    conftest.make_bare(place)
    system = boot(place / "bare.yaml", VIRTUAL)
    system.login(0)

    def seconds():
        output = system.output(0, "time sh -c 'i=0; while [ $i -lt 40000 ]; do i=$((i + 1)); done'")
        minutes, rest = re.search(r"real\s+(\d+)m\s*([\d.]+)s", output).groups()
        return 60 * int(minutes) + float(rest)

    before = seconds()
    for number, key in ((1, "h"), (2, "m")):
        system.focus(number)
        system.send(key)
        system.expect("bare: waits")
    system.focus(0)
    assert seconds() < 1.05 * before


# The worst that is measured in some seconds, twice: the goals are 25 us beside an idle machine and 60 beside
# the others. seL4's way from the interrupt to the monitor is three times as long.
WORST_US = {"idle": 10, "network": 40, "disk": 35, "restarts": 15, "faults": 15}
WORST_ON_SEL4_US = 200
# What shows that a neighbour does what it is named for: its place, a command, and the least that this says.
WORK = {"network": (2, latency.SENT, 5000),
        "disk": (1, latency.USED, 50000)}


@pytest.mark.parametrize("name", WORST_US)
def test_timer_beside_a_machine_that_is(boot, name):
    """A machine of the highest priority loses no tick, and none is late (`make bench`, part `latency`)."""
    place = conftest.BUILD_DIR / "check" / "bare"
    conftest.make_bare(place)
    conftest.make_guests(place)
    conftest.put("# SPDX-License-Identifier: BSD-2-Clause\n" + latency.system(name, 1),
                 place / f"bare_latency_{name}.yaml")
    system = boot(place / f"bare_latency_{name}.yaml", VIRTUAL)
    report = latency.measure(system, name)
    assert (report.ticks, report.lost) == (latency.HZ, 0)
    assert sum(report.late.values()) == latency.HZ
    worst = WORST_US[name] if conftest.on_bundled_sdk() else WORST_ON_SEL4_US
    assert 0 < report.mean <= report.worst <= worst * 1000
    assert max(report.late) == report.worst // 1000
    if name in WORK:
        number, command, least = WORK[name]
        assert int(system.output(number, command).split()[-1]) >= least
