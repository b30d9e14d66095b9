# SPDX-License-Identifier: BSD-2-Clause
"""Two boards that a cable joins, and a cable at whose end is somebody who means no good."""

import json
import os
import random
import re
import socket
import time

import pexpect
import pytest

import conftest
import machine
import wire


@pytest.fixture(scope="module")
def boards(request):
    """(first, second), with both shells of each ready: 0 is red, on VLAN 10, 1 is blue, on 20."""
    booter = conftest.Booter(conftest.log_name(request))
    conftest.build("two_boards")
    conftest.build("two_boards_b")
    running = booter("two_boards"), booter("two_boards_b")
    for board in running:
        for number in range(2):
            board.login(number)
    yield running
    booter.stop()


@pytest.mark.parametrize("number", [0, 1])
def test_ping_across(boards, number):
    """The same addresses on two VLANs: each reaches its own."""
    output = boards[0].output(number, "ping -c 10 -i 0.1 10.0.0.2")
    assert machine.ping_statistics(output)[:2] == (10, 10)
    seen = boards[0].output(number, "ip neigh show 10.0.0.2")
    there = boards[1].output(number, "cat /sys/class/net/eth0/address")
    assert there.strip() in seen


def test_thousand_pings_across(boards):
    output = boards[0].output(0, "ping -q -c 1000 -i 0.01 10.0.0.2")
    assert machine.ping_statistics(output)[:2] == (1000, 1000)


def test_vlans_hold_across(boards):
    """Blue is the only machine on its VLAN with this address: red never finds it."""
    boards[1].output(1, "ip addr add 10.0.0.99/24 dev eth0")
    assert boards[0].run(1, "ping -c 2 -i 0.2 10.0.0.99")[0] == 0
    assert boards[0].run(0, "ping -c 2 -i 0.2 -W 2 10.0.0.99")[0] != 0
    assert boards[1].run(0, "ping -c 2 -i 0.2 -W 2 10.0.0.99")[0] != 0


def test_iperf3_across(boards):
    boards[1].output(0, "iperf3 -s -D -1")
    output = boards[0].output(0, "iperf3 -c 10.0.0.2 -t 3")
    assert "iperf Done" in output
    assert not re.search(r" 0\.00 bits/sec.*receiver", output)


def connects(path):
    with socket.socket(socket.AF_UNIX) as console:
        try:
            console.connect(os.path.relpath(path))  # a short name: 107 characters at most
        except OSError:
            return False
    return True


def test_make_run_starts_both(boot):
    """The other board is there while this one runs, with a console to connect to, and then gone."""
    console = conftest.directory_of("two_boards_b") / "console.sock"
    board = boot.make("run", SYSTEM="two_boards")
    assert "its consoles: socat" in board.child.before
    board.login(0)
    status = 1
    for _ in range(60):
        status, output = board.run(0, "ping -c 3 -i 0.2 -W 1 10.0.0.2")
        if status == 0:
            break
    assert status == 0, output
    assert connects(console)
    board.send("\x01x")  # QEMU's own key: quit
    board.child.expect(pexpect.EOF)
    for _ in range(50):
        if not connects(console):
            break
        time.sleep(0.1)
    assert not connects(console)


# ---- A cable that leads to us ----

@pytest.fixture(scope="module")
def alone(request):
    """The first board, with our own end of its cable."""
    booter = conftest.Booter(conftest.log_name(request) + "-alone")
    conftest.build("two_boards")
    directory = conftest.directory_of("two_boards")
    cable = wire.Wire(directory)
    board = booter("two_boards")
    for number in range(2):
        board.login(number)
    yield board, cable, macs(directory)
    booter.stop()
    cable.close()


def macs(directory):
    summary = json.loads((directory / "system.json").read_text())
    return [wire.mac(vm["interfaces"][0]["mac"]) for vm in summary["vms"]]


OURS = wire.mac("02:00:00:00:be:ef")


def answers(cable, vlan, timeout=machine.FAR, sender=OURS):
    """Whether 10.0.0.1 on a VLAN answers us, and with that VLAN's tag."""
    cable.drain()
    cable.send(wire.tagged(wire.arp(sender, "10.0.0.77", "10.0.0.1"), vlan))
    reply = cable.wait_for(lambda data: data[:6] == sender and data[12:14] == b"\x81\x00"
                           and data[16:18] == b"\x08\x06", timeout)
    return reply is not None and int.from_bytes(reply[14:16], "big") & 0xFFF == vlan


def received(board, number):
    return int(board.output(number, "cat /sys/class/net/eth0/statistics/rx_packets"))


def test_machines_answer_on_their_vlan(alone):
    _, cable, macs_here = alone
    assert answers(cable, 10)
    assert answers(cable, 20)
    assert not answers(cable, 30, timeout=2)
    cable.drain()
    cable.send(wire.tagged(wire.arp(OURS, "10.0.0.77", "10.0.0.1"), 10))
    reply = cable.wait_for(lambda data: data[:6] == OURS)
    assert reply[6:12] == macs_here[0]


def test_frames_of_any_length(alone):
    """
    Nothing below 14 bytes or above 1518 passes; 4 bytes are the tag. Of no bytes at all QEMU makes
    the cable's end, so that such a frame is for the driver's unit test.
    """
    board, cable, macs_here = alone
    assert answers(cable, 10)
    for length, passes in [(1, False), (13, False), (60, True), (1514, True), (1515, False),
                           (9000, False)]:
        before = received(board, 0)
        data = wire.frame(macs_here[0], OURS, length)
        for _ in range(20):
            cable.send(wire.tagged(data, 10) if length >= 14 else data)
        assert answers(cable, 10)
        count = received(board, 0) - before
        assert (count >= 20) == passes, f"{count} of 20 frames of {length} bytes and some"


def test_forged_source_addresses(alone):
    """A stranger who says that he is one of ours is not heard, and nobody's frames go to him."""
    board, cable, macs_here = alone
    assert not answers(cable, 10, timeout=2, sender=macs_here[0])
    assert not answers(cable, 10, timeout=2, sender=macs_here[1])
    assert not answers(cable, 10, timeout=2, sender=b"\x01\x00\x5e\x00\x00\x01")
    assert not answers(cable, 10, timeout=2, sender=bytes(6))
    assert answers(cable, 10)


def test_frames_for_nobody_here_stay_outside(alone):
    board, cable, _ = alone
    before = received(board, 0)
    for i in range(200):
        cable.send(wire.tagged(wire.frame(bytes([2, 0, 0, 0, 1, i]), OURS, 60), 10))
    assert answers(cable, 10)
    assert received(board, 0) - before < 100


def test_garbage(alone):
    """Random bytes of random lengths: the board answers afterwards as it did before."""
    _, cable, macs_here = alone
    generator = random.Random(1)
    for i in range(3000):
        data = bytearray(generator.randbytes(generator.choice([1, 14, 18, 60, 200, 1518, 4096])))
        if i % 2 and len(data) >= 18:
            data[:16] = macs_here[i // 2 % 2] + OURS + b"\x81\x00\x00\x0a"
        cable.send(bytes(data))
    time.sleep(1)
    assert answers(cable, 10)
    assert answers(cable, 20)
