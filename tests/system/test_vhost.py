# SPDX-License-Identifier: BSD-2-Clause
"""The data path on which the switch works on the guests' memory itself."""

import pytest

from conftest import HERE


# A load that does not depend on how fast the host is.
VIRTUAL = ("-icount", "shift=1,sleep=off")


@pytest.fixture
def mixed(boot):
    system = boot(HERE / "mixed_paths.yaml", VIRTUAL)
    for number in (0, 1, 2):
        system.login(number)
    return system


def pings(system, sender, receiver):
    return system.pings(sender, f"192.168.1.{receiver + 1}")


def transfer(system, sender, receiver):
    return system.transfer(sender, receiver, f"192.168.1.{receiver + 1}")


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
