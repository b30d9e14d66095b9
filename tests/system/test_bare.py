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


def test_timer_beside_a_busy_machine(boot):
    """A machine of higher priority loses no tick, and none is late (`make bench`, its part `latency`)."""
    place = conftest.BUILD_DIR / "check" / "bare"
    conftest.make_bare(place)
    conftest.put(latency.system(1), place / "bare_latency.yaml")
    report = latency.measure(boot(place / "bare_latency.yaml", VIRTUAL))
    assert (report.ticks, report.lost) == (latency.HZ, 0)
    # seL4's way from the interrupt to the monitor and back is three times as long.
    goal = latency.GOAL_US * (1 if conftest.on_bundled_sdk() else 2)
    assert 0 < report.mean <= report.worst <= goal * 1000
    assert report.answered > 100, "the other is busy, and so is the network"
