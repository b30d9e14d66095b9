# SPDX-License-Identifier: BSD-2-Clause
"""In a system with domains a machine has its turns, whatever the others do.

QEMU counts instructions as time, so that a busy host makes no difference.
"""

import re
import sys

import pytest

import conftest
import machine

sys.path.insert(0, str(conftest.ROOT / "bench"))

import shares  # noqa: E402  (found by the line above)

VIRTUAL = ["-icount", "shift=1,sleep=off"]

METER, FLOOD, SECOND = range(3)

CYCLE, TURN = 8000, 4000  # microseconds, in domains.yaml

pytestmark = pytest.mark.skipif(not conftest.on_bundled_sdk(),
                                reason="Microkit's tool puts vCPUs into the first domain")


def begin(system, number, key):
    system.focus(number)
    system.send("x")
    system.expect("share: ready\r")
    system.send(key)
    system.expect("share: begins\r")


def measure(system, number=METER):
    """(permille, longest in microseconds)"""
    begin(system, number, "m")
    match = system.expect(r"share: (\d+) permille, (\d+) us\r")
    return int(match[1]), int(match[2])


@pytest.fixture(scope="module")
def meter():
    directory = conftest.BUILD_DIR / "check" / "hostile"
    conftest.make_guests(directory, "domains.yaml")
    booter = conftest.Booter("domains")
    system = booter(directory / "domains.yaml", VIRTUAL, timeout=300)
    system.alone = measure(system)
    yield system
    booter.stop()


def test_machine_alone_has_its_turns(meter):
    share, longest = meter.alone
    assert 1000 * TURN / CYCLE - 5 <= share <= 1000 * TURN / CYCLE
    assert longest <= CYCLE - TURN + 100


@pytest.mark.parametrize("key", "csfdkb", ids=["computes", "calls", "faults", "interrupts_itself",
                                               "floods_its_network", "floods_and_calls"])
def test_nothing_that_another_does_is_seen(meter, key):
    """Neither its share nor its longest wait is another, beyond what changing over takes."""
    for number in (FLOOD, SECOND):
        begin(meter, number, key)
    share, longest = measure(meter)
    assert abs(share - meter.alone[0]) <= 2
    assert longest <= meter.alone[1] + 50


@pytest.mark.parametrize("key", "cskb", ids=["computes", "calls", "floods_its_network", "floods_and_calls"])
def test_equals_share_their_domain(meter, key):
    """Each has half of the domain's turns. The METER's machine is not in it."""
    begin(meter, METER, "c")
    begin(meter, FLOOD, key)
    share, longest = measure(meter, SECOND)
    assert 120 <= share <= 130
    assert longest <= 2 * CYCLE


@pytest.mark.parametrize("name", ["batches", "faults"])
def test_each_window_has_its_part(boot, name):
    """3 of each 10 ms, wherever they begin, to a hundredth of a per cent of these 10 ms."""
    place = conftest.BUILD_DIR / "check" / "hostile"
    conftest.make_guests(place)
    conftest.make_bare(place)
    conftest.put("# SPDX-License-Identifier: BSD-2-Clause\n" + shares.system("domain", name, 50),
                 place / f"domain_{name}.yaml")
    got = shares.results(shares.measure(boot(place / f"domain_{name}.yaml", VIRTUAL, 300), name))
    assert got["windows"] == 50
    assert 29.97 <= got["least_percent"] <= got["most_percent"] <= 30


@pytest.mark.parametrize("path", ["isolated", "vhost"])
def test_linux_in_domains(boot, tmp_path, path):
    """Two machines reach each other. An answer takes one round of turns."""
    text = (conftest.ROOT / "systems" / "domains.yaml").read_text()
    (tmp_path / "domains.yaml").write_text(text + f"defaults: {{path: {path}}}\n")
    system = boot(tmp_path / "domains.yaml", VIRTUAL, 300)
    for number in range(2):
        system.login(number)
    _, output = system.run(0, "ping -c 20 -i 0.1 -W 3 192.168.1.2", 120)
    assert machine.ping_statistics(output)[:2] == (20, 20)
    times = sorted(float(match) for match in re.findall(r"time=([\d.]+) ms", output))
    assert times[len(times) // 2] <= 10.2
    system.output(1, "iperf3 -s -D -1", 60)
    status, output = system.run(0, "iperf3 -c 192.168.1.2 -t 2", 120)
    assert status == 0, output
