# SPDX-License-Identifier: BSD-2-Clause
"""Two machines and the switch between them: nothing is lost, nothing is changed."""

import re

import pytest

import machine


@pytest.mark.parametrize("sender, receiver", [(1, 0), (0, 1)])
def test_ping(demo, sender, receiver):
    output = demo.output(sender, f"ping -c 10 -i 0.1 192.168.1.{receiver + 1}")
    assert machine.ping_statistics(output)[:2] == (10, 10)


@pytest.mark.parametrize("size", [0, 1, 1472, 1473, 8000, 65000])
def test_ping_of_any_size(demo, size):
    """Alone, full to the last byte, and in fragments."""
    output = demo.output(1, f"ping -c 3 -i 0.1 -s {size} 192.168.1.1")
    assert machine.ping_statistics(output)[:2] == (3, 3)


def test_ipv6(demo):
    demo.output(0, "ip addr add fd00::1/64 dev eth0 nodad")
    demo.output(1, "ip addr add fd00::2/64 dev eth0 nodad")
    output = demo.output(1, "ping -c 5 -i 0.1 fd00::1")
    assert machine.ping_statistics(output)[:2] == (5, 5)


def test_tcp_carries_200_mib_unchanged(demo):
    """Random bytes; the sum is taken on both sides while they pass."""
    demo.output(0, "nc -l -p 5000 </dev/null | sha256sum >/tmp/sum & sleep 1")
    sent = demo.output(1, "mkfifo /tmp/pipe; sha256sum </tmp/pipe >/tmp/sum & "
                          "head -c 209715200 /dev/urandom | tee /tmp/pipe | nc 192.168.1.1 5000;"
                          " wait; cat /tmp/sum", timeout=400)
    received = demo.output(0, "wait; cat /tmp/sum", timeout=60)
    sums = [re.search(r"[0-9a-f]{64}", text)[0] for text in (sent, received)]
    assert sums[0] == sums[1]


def test_iperf3(demo):
    demo.output(0, "iperf3 -s -D -1")
    output = demo.output(1, "iperf3 -c 192.168.1.1 -t 3", timeout=60)
    assert "iperf Done" in output
    demo.output(0, "iperf3 -s -D -1")
    output = demo.output(1, "iperf3 -c 192.168.1.1 -t 3 -R", timeout=60)
    assert "iperf Done" in output


def test_udp_arrives_in_order(demo):
    """At a rate that both can take not one datagram is lost or overtaken."""
    demo.output(0, "iperf3 -s -D -1")
    output = demo.output(1, "iperf3 -c 192.168.1.1 -u -b 5M -t 3", timeout=60)
    lost = re.findall(r"(\d+)/(\d+) \([\d.]+%\)\s+receiver", output)
    assert lost and lost[0][0] == "0" and int(lost[0][1]) > 1000, output
    assert "out-of-order" not in output.lower()


def test_offloads_are_negotiated(demo):
    features = demo.output(1, "ethtool -k eth0")
    assert re.search(r"tcp-segmentation-offload: on", features)
    assert re.search(r"tx-checksumming: on", features)
    assert re.search(r"rx-checksumming: on", features)


def test_thousand_packets_in_virtual_time(boot):
    """One instruction is 2 ns: the machine's own time, in which every run is alike."""
    system = boot("virtio_demo", ["-icount", "shift=1,sleep=off"], timeout=120)
    system.login(1, timeout=120)
    system.output(1, "ifconfig eth0 192.168.1.2")
    output = system.output(1, "ping -q -c 1000 -i 0.01 192.168.1.1", timeout=240)
    assert machine.ping_statistics(output)[:2] == (1000, 1000)
