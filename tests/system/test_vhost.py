# SPDX-License-Identifier: BSD-2-Clause
"""The data path on which the switch works on the guests' memory itself."""

import pytest

from conftest import HERE, Shared


# A load that does not depend on how fast the host is.
VIRTUAL = ("-icount", "shift=1,sleep=off")


def begin(booter):
    system = booter(HERE / "mixed_paths.yaml", VIRTUAL)
    for number in range(4):
        system.login(number)
    return system


@pytest.fixture(scope="module")
def shared(request):
    system = Shared(request, begin)
    yield system
    system.drop()


@pytest.fixture
def mixed(shared, pytestconfig):
    return shared.system(pytestconfig)


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


def start_flood(system, number):
    system.output(number, "ping -q -i 0.002 -s 1400 192.168.1.1 >/dev/null 2>&1 & flood=$!")


def stop_flood(system, number):
    system.output(number, "kill $flood; wait $flood; true")


def test_restart_under_load(mixed):
    """
    While both neighbours send to a machine it restarts, several times. Who pings meanwhile sends nothing
    else: the answers to a flood would fill the receive buffer of its ping.
    """
    for number in (1, 2):
        start_flood(mixed, number)
    mixed.keep_pinging(3, "192.168.1.3")
    for _ in range(3):
        mixed.login(0)
        mixed.send("reboot -f\r")
        mixed.expect("vm0 is ready")
        mixed.login(0)
        assert pings(mixed, 0, 1) and pings(mixed, 0, 2)
    sent, received = mixed.stop_pinging(3)
    assert sent > 20 and received == sent, f"the neighbours have noticed: {received} of {sent}"
    for number in (1, 2):
        stop_flood(mixed, number)


def test_power_off_under_load(mixed):
    start_flood(mixed, 1)
    mixed.focus(0)
    mixed.send("poweroff\r")
    mixed.expect("powered off")
    assert pings(mixed, 1, 2) and pings(mixed, 2, 1)
    mixed.focus(0)
    mixed.send("\r")
    mixed.expect("vm0 is ready")
    mixed.login(0)
    assert pings(mixed, 0, 1) and pings(mixed, 2, 0)
    stop_flood(mixed, 1)
