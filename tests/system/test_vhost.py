# SPDX-License-Identifier: BSD-2-Clause
"""The data path on which the switch works on the guests' memory itself."""

import pytest

import machine
from conftest import HERE


# A load that does not depend on how fast the host is.
VIRTUAL = ("-icount", "shift=1,sleep=off")


@pytest.fixture
def mixed(boot):
    system = boot(HERE / "mixed_paths.yaml", VIRTUAL)
    for number in (0, 1, 2):
        system.login(number)
    return system


def pings(system, number, target, count=5):
    output = system.output(number, f"ping -c {count} -i 0.2 -W 5 192.168.1.{target + 1}")
    return machine.ping_statistics(output)[:2] == (count, count)


def transfer(system, sender, receiver, kib=4096):
    """Send a file by TCP; whether it has come through as it was."""
    system.output(receiver, "nc -l -p 4000 </dev/null | md5sum >/tmp/got &")
    system.output(sender, f"dd if=/dev/urandom of=/tmp/sent bs=1024 count={kib} 2>/dev/null; sleep 1")
    system.output(sender, f"nc 192.168.1.{receiver + 1} 4000 -e cat /tmp/sent")
    sent = system.output(sender, "md5sum </tmp/sent")
    return sent.split()[0] == system.output(receiver, "sleep 1; cat /tmp/got").split()[0]


def test_paths_mix(mixed):
    for sender in (0, 1, 2):
        for receiver in (0, 1, 2):
            if sender != receiver:
                assert pings(mixed, sender, receiver)
    for sender, receiver in ((0, 1), (1, 0), (0, 2)):
        assert transfer(mixed, sender, receiver)


def test_offloads_off_and_on(mixed):
    """A receiver that takes no large segments and no partial checksums gets what it takes."""
    mixed.output(2, "ethtool -K eth0 rx off tso off gso off gro off tx off")
    assert transfer(mixed, 0, 2)
    assert transfer(mixed, 2, 1)
    mixed.output(2, "ethtool -K eth0 rx on tx on tso on gso on gro on")
    assert transfer(mixed, 0, 2)


def test_restart_under_load(mixed):
    """While both neighbours send to a machine it restarts, several times."""
    for number in (1, 2):
        mixed.output(number, "ping -q -i 0.002 -s 1400 192.168.1.1 >/dev/null 2>&1 &")
    mixed.keep_pinging(1, "192.168.1.3")
    for _ in range(3):
        mixed.login(0)
        mixed.send("reboot -f\r")
        mixed.expect("vm0 is ready")
        mixed.login(0)
        assert pings(mixed, 0, 1) and pings(mixed, 0, 2)
    sent, received = mixed.stop_pinging(1)
    assert sent > 20 and received == sent, f"the neighbours have noticed: {received} of {sent}"


def test_power_off_under_load(mixed):
    mixed.output(1, "ping -q -i 0.002 -s 1400 192.168.1.1 >/dev/null 2>&1 &")
    mixed.focus(0)
    mixed.send("poweroff\r")
    mixed.expect("powered off")
    assert pings(mixed, 1, 2) and pings(mixed, 2, 1)
    mixed.focus(0)
    mixed.send("\r")
    mixed.expect("vm0 is ready")
    mixed.login(0)
    assert pings(mixed, 0, 1) and pings(mixed, 2, 0)
