# SPDX-License-Identifier: BSD-2-Clause
"""A guest that does what it can to do harm; its neighbours must not notice.

hostile/hostile.c says what it does and checks for itself how it is answered. Here the neighbours ping
each other all the while, and what its monitor says of it is read.
"""

import re
import shutil
import subprocess

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


@pytest.fixture
def guests():
    """Where the guests are, and systems that have them."""
    place = conftest.BUILD_DIR / "check" / "hostile"
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["make", "-s", "-C", conftest.HERE / "hostile", f"OUT={place}"], check=True,
                   stdin=subprocess.DEVNULL)
    for name in ("hostile", "hostile_vhost", "leftover"):
        shutil.copy(conftest.HERE / f"{name}.yaml", place)
    return place


@pytest.fixture(params=["hostile", "hostile_vhost"])
def hostile(boot, guests, request):
    """The system with the guest in it, by each data path of the network."""
    return boot(guests / f"{request.param}.yaml")


def test_offences_harm_the_offender_alone(hostile):
    for number in (0, 1):
        hostile.login(number)
    hostile.keep_pinging(0, "192.168.1.2")
    hostile.focus(2)
    hostile.send("\r")  # it is held until now
    hostile.child.expect(r"hostile: done, (\d+) bad", searchwindowsize=machine.WINDOW)
    said, bad = hostile.child.before, hostile.child.match[1]
    said = machine.CONTROL.sub("", said).replace("\r", "")
    assert bad == "0", "\n".join(re.findall(r"hostile: BAD.*", said))

    # It goes on flooding its monitor with faults while this is asked.
    hostile.login(0)
    hostile.output(0, "sleep 3")
    sent, received = hostile.stop_pinging(0)
    assert sent > 20 and received == sent, f"{received} of {sent} came back"
    hostile.login(1)
    assert hostile.output(1, "hostname").strip() == "vm1"

    messages = re.findall(r"vmm hostile: .*", said)
    for cause, pattern in CAUSES.items():
        assert any(re.search(pattern, line) for line in messages), \
            f"no message of: {cause}; these there are: {chr(10).join(messages)}"


def test_a_start_finds_nothing_of_the_last_one(boot, guests):
    """Neither after SYSTEM_RESET nor after CPU_OFF and CPU_ON: registers are as after power-on."""
    system = boot(guests / "leftover.yaml")
    found = []
    while len(found) < 12:  # three times one start of the first processor and three of the second
        system.expect(r"left by cpu (\d): ([0-9a-f]{16})")
        found.append(system.child.match.groups())
    assert found == 3 * [("0", 16 * "0"), *3 * [("1", 16 * "0")]]
