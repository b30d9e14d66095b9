# SPDX-License-Identifier: BSD-2-Clause
"""A guest that does what it can to do harm; its neighbours must not notice.

hostile/hostile.c says what it does and checks for itself how it is answered. Here the neighbours ping
each other all the while, and what its monitor says of it is read.
"""

import re

import pytest

import conftest
import machine

# What the monitor says of the offences, each as a pattern: the VM and the cause.
CAUSES = {
    "access where nothing is": r"0x0*b000000",
    "fetch where nothing is": r"instruction fetch from 0x0*b000000",
    "undefined call": r"unknown function 0x",
    "queue outside memory": r"net0: queue \d is not enabled",
    "kick too early": r"net0: kick .*before DRIVER_OK|net0: kick",
    "loop": r"net0: .*(loop|longer|long)",
    "next beyond the table": r"net0: .*(beyond|outside|next)",
    "buffer outside memory": r"net0: .*outside",
    "index jump": r"net0: .*(index|available)",
    "stopped device": r"device is stopped until its driver resets it",
}


@pytest.fixture(params=["hostile", "hostile_vhost"])
def hostile(boot, guests, request):
    """The system with the guest in it, by each data path of the network."""
    return boot(guests / f"{request.param}.yaml")


def offend(system, number):
    """Start a hostile machine, and wait until it has done its worst; returns what was said."""
    system.focus(number)
    system.send("\r")  # it is held until now
    system.child.expect(r"hostile: done, (\d+) bad", searchwindowsize=machine.WINDOW)
    said, bad = system.child.before, system.child.match[1]
    said = machine.CONTROL.sub("", said).replace("\r", "")
    assert bad == "0", "\n".join(re.findall(r"hostile: BAD.*", said))
    return said


def offend_beside_others(system, offenders):
    """What hostile machines have said, while two neighbours ping each other and do not notice."""
    for number in (0, 1):
        system.login(number)
    system.keep_pinging(0, "192.168.1.2")
    said = [offend(system, number) for number in offenders]

    # They go on flooding their monitors with faults while this is asked.
    system.login(0)
    system.output(0, "sleep 3")
    sent, received = system.stop_pinging(0)
    assert sent > 20 and received == sent, f"{received} of {sent} came back"
    system.login(1)
    assert system.output(1, "hostname").strip() == "vm1"
    return said


def test_offences_harm_the_offender_alone(hostile):
    (said,) = offend_beside_others(hostile, [2])
    messages = re.findall(r"vmm hostile: .*", said)
    for cause, pattern in CAUSES.items():
        assert any(re.search(pattern, line) for line in messages), \
            f"no message of: {cause}; these there are: {chr(10).join(messages)}"


@conftest.needs_cores
def test_offences_from_two_cores_at_once(boot, guests):
    """By both data paths; each offender has one vCPU on its monitor's core, and one on the other."""
    for said in offend_beside_others(boot(guests / "hostile_cores.yaml"), [2, 3]):
        assert "hostile: ok two vCPUs attack one card" in said
        assert "hostile: ok a vCPU is switched on and off while the other attacks" in said


@pytest.mark.parametrize("name", ["leftover", pytest.param("leftover_cores", marks=conftest.needs_cores)])
def test_a_start_finds_nothing_of_the_last_one(boot, guests, name):
    """Neither after SYSTEM_RESET nor after CPU_OFF and CPU_ON: registers are as after power-on."""
    system = boot(guests / f"{name}.yaml")
    found = []
    while len(found) < 12:  # three times one start of the first processor and three of the second
        system.expect(r"left by cpu (\d): ([0-9a-f]{16})")
        found.append(system.child.match.groups())
    assert found == 3 * [("0", 16 * "0"), *3 * [("1", 16 * "0")]]
