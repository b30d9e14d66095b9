# SPDX-License-Identifier: BSD-2-Clause
"""A switch whose frames hold 9000 bytes, by both data paths: vm0 has rings, vm1's memory the switch has."""

import re

import pytest

import conftest
import machine

MTU = 9000
VM0, VM1, ELF, FLAT = range(4)
# Of an IP packet that fills a frame: behind the headers of IP and ICMP.
FULL = MTU - 28
# The bare-metal guests have no mergeable buffers, only some of 2048 bytes: behind the headers of virtio,
# Ethernet, IP and ICMP.
BARE_FULL = 2048 - 12 - 14 - 28


def address(number):
    return f"192.168.1.{number + 1}"


@pytest.fixture(scope="module")
def shared(request):
    def begin(booter):
        place = conftest.BUILD_DIR / "check" / "bare"
        conftest.make_bare(place)
        system = booter(place / "bare_mtu.yaml")
        system.login(VM0)
        system.login(VM1)
        return system
    system = conftest.Shared(request, begin)
    yield system
    system.drop()


@pytest.fixture
def system(shared, pytestconfig):
    return shared.system(pytestconfig)


def pings(system, sender, receiver, size, count=3):
    """How many of so many pings of a size are answered. Only those that come one by one have time to."""
    output = system.run(sender, f"for i in $(seq {count}); do ping -c 1 -W 2 -s {size} {address(receiver)}; "
                                "done")[1]
    return sum(machine.ping_statistics(run)[1] for run in re.split(r"(?m)^(?=PING )", output)[1:])


def fragments(system, number):
    """Pieces of IP packets that the machine has made, and such that it has got."""
    names, values = [line.split() for line in
                     system.output(number, "grep ^Ip: /proc/net/snmp").splitlines() if "Ip:" in line]
    return [int(values[names.index(name)]) for name in ("FragCreates", "ReasmReqds")]


@pytest.mark.parametrize("sender, receiver", [(VM0, VM1), (VM1, VM0)])
def test_a_frame_holds_9000_bytes(system, sender, receiver):
    """To the last byte without fragments; one more makes two of them."""
    assert system.output(sender, "cat /sys/class/net/eth0/mtu").split() == [str(MTU)]
    before = fragments(system, sender), fragments(system, receiver)
    for size in (FULL, FULL - 1, 1473):
        assert pings(system, sender, receiver, size) == 3
    assert (fragments(system, sender), fragments(system, receiver)) == before
    assert pings(system, sender, receiver, FULL + 1) == 3
    assert fragments(system, sender) == [before[0][0] + 6, before[0][1] + 6]
    assert "status 0" not in system.run(sender, f"ip link set eth0 mtu {MTU + 1}; echo status $?")[1]


def test_tcp_carries_what_is_sent(system):
    """In large segments; then both machines do without, so that it is frames of 9000 bytes that pass."""
    def arrives(sender, receiver):
        return system.transfer(sender, receiver, address(receiver), 1024)

    assert arrives(VM0, VM1) and arrives(VM1, VM0)
    for receiver, sender in ((VM1, VM0), (VM0, VM1)):
        # The switch cuts large segments, and completes their checksums.
        system.output(receiver, "ethtool -K eth0 rx off gro off")
        assert arrives(sender, receiver)
        # There are none.
        system.output(sender, "ethtool -K eth0 tso off gso off tx off")
        assert arrives(sender, receiver)
        system.output(receiver, "ethtool -K eth0 rx on gro on")
        system.output(sender, "ethtool -K eth0 tx on tso on gso on")
    assert arrives(VM0, VM1)


@pytest.mark.parametrize("sender", [VM0, VM1])
@pytest.mark.parametrize("receiver", [ELF, FLAT])
def test_small_buffers_get_small_frames(system, sender, receiver):
    assert pings(system, sender, receiver, BARE_FULL) == 3
    assert pings(system, sender, receiver, BARE_FULL + 1) == 0
    assert pings(system, sender, receiver, FULL) == 0
    assert pings(system, sender, receiver, BARE_FULL) == 3


def received(system, number):
    return int(system.output(number, "cat /sys/class/net/eth0/statistics/rx_bytes"))


def test_what_is_lost_is_told(system):
    """Frames that a receiver has no buffers for, and such that are longer than any may be."""
    ping = f"ping -c 1 -W 1 -s {FULL} {address(ELF)}"
    system.output(VM0, f"(for i in $(seq 5); do {ping}; done) >/dev/null 2>&1 &")
    system.focus(ELF)
    system.expect(r"vmm elf: net0: a frame of 9014 bytes dropped: the guest's buffers are too small")
    system.output(VM0, "wait")
    before = received(system, VM0), received(system, VM1)
    system.focus(ELF)
    system.send("l")
    # It looks for keys once a second, of its own time.
    for _ in range(60):
        if received(system, VM0) - before[0] >= MTU:
            break
        system.output(VM0, "sleep 1")
    assert received(system, VM0) - before[0] >= MTU and received(system, VM1) - before[1] >= MTU
    before = received(system, VM0), received(system, VM1)
    system.focus(FLAT)
    system.send("l")
    system.expect(r"net0: port flat: a frame of 9019 bytes dropped: the frame is too long")
    assert received(system, VM0) - before[0] < MTU and received(system, VM1) - before[1] < MTU
    system.send(machine.PREFIX + "s")
    system.expect(r"port flat: dropped [^\r\n]*bad header 1[^\r\n]*receiver's buffers too small \d+")
