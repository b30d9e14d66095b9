# SPDX-License-Identifier: BSD-2-Clause
"""
The world outside: addresses by DHCP, TCP both ways, ports of the host, and a storm. By QEMU's virtio
card, and by the card of each other board that has one.
"""

import hashlib
import os
import re
import socket
import threading

import pytest

import conftest
import machine
import wire

HOST = "10.0.2.2"  # the host, as QEMU's user network calls it
MIB = 1 << 20
PIECE = 4 * MIB
SIZE = int(os.environ.get("UPLINK_TEST_MIB") or 100) * MIB
BOARDS = {conftest.BOARD: SIZE, "zcu102": SIZE // 5}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Uplink:
    """The system `uplink`, both shells ready: `port` of the host leads to vm0's 22."""

    def __init__(self, running, port, size):
        self.running = running
        self.port = port
        self.size = size  # how much each way


EACH_BOARD = [pytest.param(board, marks=conftest.marks_of(board)) for board in BOARDS]


@pytest.fixture(scope="module", params=EACH_BOARD)
def uplink(request, tmp_path_factory):
    port = free_port()  # 2222 may be somebody else's
    text = (conftest.ROOT / "systems" / "uplink.yaml").read_text()
    path = tmp_path_factory.mktemp("uplink") / "uplink_test.yaml"
    path.write_text(text.replace("tcp:2222->", f"tcp:{port}->"))
    booter = conftest.Booter(conftest.log_name(request))
    running = booter(path, MICROKIT_BOARD=request.param)
    for number in range(2):
        running.login(number)
        running.output(number, "for i in 1 2 3 4 5 6 7 8 9; do ip route | grep -q default && break;"
                               " sleep 1; done; ip route | grep default")
    yield Uplink(running, port, BOARDS[request.param])
    booter.stop()


class Server:
    """A server on the host for one connection: runs `talk` with it in the background."""

    def __init__(self, talk):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.talk = talk
        self.result = None
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        self.listener.settimeout(machine.FAR)
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(machine.FAR)
            self.result = self.talk(connection)
        self.listener.close()

    def wait(self):
        self.thread.join(machine.FAR)
        return self.result


def receive_all(connection):
    """How much came, and the sums of all its pieces."""
    count, digests = 0, set()
    stream = connection.makefile("rb")
    while data := stream.read(PIECE):
        digests.add(hashlib.sha256(data).hexdigest())
        count += len(data)
    return count, digests


def send_random(connection, size):
    """Returns the sum of what was sent, and what came back."""
    digest = hashlib.sha256()
    for _ in range(size // MIB):
        data = os.urandom(MIB)
        digest.update(data)
        connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)
    return digest.hexdigest(), connection.makefile("r").read()


@pytest.mark.parametrize("number, address", [(0, "10.0.2.15"), (1, "10.0.2.16")])
def test_dhcp(uplink, number, address):
    running = uplink.running
    assert f"inet {address}/24" in running.output(number, "ip addr show eth0")
    assert f"default via {HOST}" in running.output(number, "ip route")
    assert "nameserver 10.0.2.3" in running.output(number, "cat /etc/resolv.conf")


def test_thousand_pings(uplink):
    output = uplink.running.output(0, f"ping -q -c 1000 -i 0.01 {HOST}")
    assert machine.ping_statistics(output)[:2] == (1000, 1000)


def test_tcp_to_the_host(uplink):
    """
    Random bytes in large segments, which the switch cuts up: user networking takes none. They are the same
    ones again and again, because the machine takes longer to make and to sum them than to send them.
    """
    running = uplink.running
    server = Server(receive_all)
    sent = running.output(0, f"head -c {PIECE} /dev/urandom >/tmp/data && sha256sum /tmp/data")
    running.output(0, "echo 'for i in $(seq $1); do dd if=/tmp/data bs=64k; done' >/tmp/send")
    running.output(0, f"nc {HOST} {server.port} -e sh /tmp/send {uplink.size // PIECE} 2>/dev/null")
    count, digests = server.wait()
    running.output(0, "rm /tmp/data /tmp/send")
    assert count == uplink.size // PIECE * PIECE
    assert digests == {sent.split()[0]}


def test_tcp_from_the_host(uplink):
    """The machine sends the sum back."""
    server = Server(lambda connection: send_random(connection, uplink.size))
    uplink.running.output(1, f"nc {HOST} {server.port} -e sha256sum")
    digest, answer = server.wait()
    assert digest in answer


def test_forwarded_port(uplink):
    uplink.running.listen(0, 22, "nc -l -p 22 -e echo hello from inside &")
    with socket.create_connection(("127.0.0.1", uplink.port), timeout=machine.FAR) as connection:
        connection.settimeout(machine.FAR)
        answer = b""
        while data := connection.recv(4096):
            answer += data
    assert answer == b"hello from inside\n"


def test_offloads_stay_on_inside(uplink):
    """QEMU's user network takes no segments: the switch cuts them, the machines need not know."""
    assert re.search(r"tcp-segmentation-offload: on", uplink.running.output(0, "ethtool -k eth0"))


# ---- A storm from outside ----

def received(system):
    return int(system.output(0, "cat /sys/class/net/eth0/statistics/rx_packets"))


@pytest.mark.parametrize("board", EACH_BOARD)
def test_storm(boot, board):
    """Broadcasts as fast as the board takes them: the machines still reach each other, all of it."""
    path = conftest.HERE / "storm.yaml"
    conftest.build(path, MICROKIT_BOARD=board)
    cable = wire.Wire(conftest.directory_of(path, MICROKIT_BOARD=board))
    try:
        with wire.Reader(cable):
            system = boot(path, MICROKIT_BOARD=board)
            system.login(1)
            system.login(0)
            ping = "ping -c 50 -i 0.1 -W 5 192.168.1.2"
            assert machine.ping_statistics(system.output(0, ping))[:2] == (50, 50)
        ours = wire.mac("02:00:00:00:be:ef")
        for destination in (wire.BROADCAST, wire.mac("01:00:5e:00:00:fb"),
                            wire.mac("02:00:00:00:00:99")):
            before = received(system)
            with wire.Storm(cable, wire.frame(destination, ours, 200)) as storm:
                outputs = [system.output(0, ping)]
                while storm.sent <= 2000 and len(outputs) < 4:  # a busy host sends less
                    outputs.append(system.output(0, ping))
            assert [machine.ping_statistics(output)[:2] for output in outputs] == [(50, 50)] * len(outputs)
            assert storm.sent > 2000, "that was no storm"
            assert received(system) - before < storm.sent / 2
    finally:
        cable.close()
