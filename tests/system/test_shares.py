# SPDX-License-Identifier: BSD-2-Clause
"""Whatever a machine does, an equal one has its half of the processor, and soon.

The machines are guests of our own (hostile/share.c): one measures which part of the processor it gets,
and for how long at most it gets none, while the other does one thing over and over. QEMU counts
instructions as time, so that a busy host makes no difference.
"""

import shutil
import subprocess

import pytest

import conftest

VIRTUAL = ["-icount", "shift=1,sleep=off"]

HALF = range(480, 521)   # permille
THIRD = range(310, 361)
LONGEST = 5000           # microseconds

METER, FLOOD, SECOND, AGAIN = range(4)


def start(boot, name):
    place = conftest.BUILD_DIR / "check" / "hostile"
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["make", "-s", "-C", conftest.HERE / "hostile", f"OUT={place}"], check=True,
                   stdin=subprocess.DEVNULL)
    shutil.copy(conftest.HERE / f"{name}.yaml", place)
    system = boot(place / f"{name}.yaml", VIRTUAL, timeout=300)
    for number in (METER, FLOOD):
        system.focus(number)
        ready(system)
    return system


def ready(system):
    """Wait until the focused machine waits for a key: any other is answered with the same word."""
    system.send("x")
    system.expect("share: ready\r")


def begin(system, number, key):
    """Have a machine do something, and know that it has begun."""
    system.focus(number)
    system.send(key)
    system.expect("share: begins\r")


def measured(system, number=METER):
    """(permille, longest in microseconds)"""
    system.focus(number)
    match = system.expect(r"share: (\d+) permille, (\d+) us\r")
    return int(match[1]), int(match[2])


def end(system, number):
    system.focus(number)
    ready(system)


@pytest.fixture(scope="module", params=["shares", "shares_vhost"])
def system(request):
    booter = conftest.Booter(request.param)
    yield start(booter, request.param)
    booter.stop()


@pytest.mark.parametrize("key", "csfdk", ids=["computes", "calls", "faults", "interrupts_itself",
                                              "floods_its_network"])
def test_equal_has_its_half_beside_one_that(system, key):
    begin(system, FLOOD, key)
    begin(system, METER, "m")
    share, longest = measured(system)
    end(system, FLOOD)
    assert share in HALF
    assert longest <= LONGEST


def test_each_of_three_has_its_third(boot):
    system = start(boot, "shares")
    system.focus(SECOND)
    system.send("\r")
    system.expect("share: ready\r")
    begin(system, FLOOD, "s")
    begin(system, SECOND, "c")
    begin(system, METER, "m")
    share, longest = measured(system)
    assert share in THIRD
    assert longest <= 2 * LONGEST
