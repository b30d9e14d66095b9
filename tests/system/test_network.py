# SPDX-License-Identifier: BSD-2-Clause
"""Two machines and the switch between them: nothing is lost, nothing is changed."""

import hashlib
import os
import re

import pytest

import conftest
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


def test_another_hardware_address_is_refused(demo):
    """Without any_mac the switch would drop all that comes from it: the guest is told."""
    before = demo.output(1, "cat /sys/class/net/eth0/address")
    output = demo.output(1, "ip link set eth0 address 02:00:00:00:00:99; echo status $?")
    assert "status 0" not in output and "status" in output
    assert demo.output(1, "cat /sys/class/net/eth0/address") == before
    assert machine.ping_statistics(demo.output(1, "ping -c 3 -i 0.1 192.168.1.1"))[:2] == (3, 3)


def test_ipv6(demo):
    demo.output(0, "ip addr add fd00::1/64 dev eth0")
    demo.output(1, "ip addr add fd00::2/64 dev eth0; sleep 3")  # duplicate address detection
    output = demo.output(1, "ping -c 5 -i 0.1 fd00::1")
    assert machine.ping_statistics(output)[:2] == (5, 5)


def test_tcp_carries_200_mib_unchanged(demo):
    """From vm1 to vm0: a program that both the guest and this side have, over and over."""
    root = conftest.BUILD_DIR / "guest" / "root"
    if not root.exists() or os.environ.get("INITRD"):
        pytest.skip("what the guests hold is not known here")
    program = next(root.glob("**/bin/busybox")).read_bytes()
    times = (200 << 20) // len(program) + 1
    expected = hashlib.sha256()
    for _ in range(times):
        expected.update(program)
    demo.listen(0, 5000, "nc -l -p 5000 -e sh -c 'sha256sum >/tmp/sum' &")
    demo.output(1, f"nc 192.168.1.1 5000 -e cat $(yes /bin/busybox | head -n {times})")
    received = demo.output(0, "wait; cat /tmp/sum")
    assert re.search(r"[0-9a-f]{64}", received)[0] == expected.hexdigest()


def test_iperf3(demo):
    demo.output(0, "iperf3 -s -D -1")
    output = demo.output(1, "iperf3 -c 192.168.1.1 -t 3")
    assert "iperf Done" in output
    demo.output(0, "iperf3 -s -D -1")
    output = demo.output(1, "iperf3 -c 192.168.1.1 -t 3 -R")
    assert "iperf Done" in output


def test_udp_arrives_in_order(demo):
    """At a rate that both can take not one datagram is lost or overtaken."""
    demo.output(0, "iperf3 -s -D -1")
    output = demo.output(1, "iperf3 -c 192.168.1.1 -u -b 1M -t 3")
    lost = re.findall(r"(\d+)/(\d+) \([\d.]+%\)\s+receiver", output)
    assert lost and lost[0][0] == "0" and int(lost[0][1]) > 100, output
    assert "out-of-order" not in output.lower()


def test_offloads_are_negotiated(demo):
    features = demo.output(1, "ethtool -k eth0")
    assert re.search(r"tcp-segmentation-offload: on", features)
    assert re.search(r"tx-checksumming: on", features)
    assert re.search(r"rx-checksumming: on", features)


def test_thousand_packets_in_virtual_time(boot):
    """One instruction is 2 ns: the machine's own time, in which every run is alike."""
    system = boot("virtio_demo", ["-icount", "shift=1,sleep=off"])
    system.login(1)
    system.output(1, "ifconfig eth0 192.168.1.2")
    output = system.output(1, "ping -q -c 1000 -i 0.01 192.168.1.1")
    assert machine.ping_statistics(output)[:2] == (1000, 1000)


@pytest.mark.parametrize("path", ["isolated", "vhost"])
def test_one_machine_alone_has_a_link(boot, tmp_path, path):
    """Its address answers, and what it sends goes into an empty switch."""
    system = tmp_path / f"alone_{path}.yaml"
    system.write_text(f"vms: {{alone: {{ip: 192.168.1.1/24, path: {path}}}}}\n")
    alone = boot(system)
    alone.login(0)
    assert alone.output(0, "cat /sys/class/net/eth0/carrier").strip() == "1"
    assert alone.pings(0, "192.168.1.1")
    assert alone.run(0, "ping -c 1 -W 1 192.168.1.2")[0] == 1
