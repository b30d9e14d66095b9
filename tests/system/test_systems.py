# SPDX-License-Identifier: BSD-2-Clause
"""The systems in systems/ do what their files say: who reaches whom, and who does not."""

import machine
from conftest import on_bundled_sdk

COUNT = 5


def log_in(system, count):
    for number in range(count):
        system.login(number)


def reaches(system, number, address, count=COUNT):
    """How many of so many pings are answered."""
    _, output = system.run(number, f"ping -c {count} -i 0.2 -W 3 {address}")
    return machine.ping_statistics(output)[1]


def received(system, number):
    """Frames that the machine's first interface has received since it came up."""
    return int(system.output(number, "cat /sys/class/net/eth0/statistics/rx_packets"))


def broadcast(system, number, count=20):
    """Send to all on the wire."""
    system.run(number, f"ping -c {count} -i 0.1 -W 1 10.0.0.255")


def silence(system, number):
    """Take a machine off the wire, so that nothing of its own is counted elsewhere."""
    system.output(number, "ip link set eth0 down")


def everybody_reaches_everybody(system, count):
    for number in range(count):
        script = " ".join(f"192.168.1.{other + 1}" for other in range(count) if other != number)
        output = system.output(
            number, f"for a in {script}; do ping -q -c {COUNT} -i 0.2 -W 5 $a; done", 240)
        answered = [int(line.split(" packets received")[0].split()[-1])
                    for line in output.splitlines() if "packets received" in line]
        assert answered == [COUNT] * (count - 1), output


def test_three_vms(boot):
    system = boot("three_vms")
    log_in(system, 3)
    everybody_reaches_everybody(system, 3)


def test_eight_vms_in_1_gib(boot):
    """1 GiB on the bundled SDK, 2 GiB on others."""
    system = boot("eight_vms", ("-m", "1G" if on_bundled_sdk() else "2G"), 240)
    log_in(system, 8)
    everybody_reaches_everybody(system, 8)


def test_islands(boot):
    cat, dog, ferry = range(3)
    system = boot("islands")
    log_in(system, 3)
    assert reaches(system, cat, "10.0.2.2") == COUNT
    assert "ttl=63" in system.output(dog, "ping -c 1 10.0.1.2")
    system.output(ferry, "echo 0 >/proc/sys/net/ipv4/ip_forward")
    assert reaches(system, cat, "10.0.2.2") == 0
    # Even somebody who claims to be on the other side gets nothing across.
    system.output(dog, "ip addr add 10.0.1.9/24 dev eth0")
    assert reaches(system, cat, "10.0.1.9") == 0


def test_acl(boot):
    web, app, data, vault = range(4)
    system = boot("acl")
    log_in(system, 4)
    for number, other in ((web, "10.0.0.2"), (app, "10.0.0.1"), (app, "10.0.0.3"),
                          (data, "10.0.0.4"), (vault, "10.0.0.3")):
        assert reaches(system, number, other) == COUNT
    for number, other in ((web, "10.0.0.3"), (web, "10.0.0.4"), (app, "10.0.0.4"),
                          (vault, "10.0.0.1"), (data, "10.0.0.1")):
        assert reaches(system, number, other, 2) == 0
    # What is forbidden is not even seen: with the neighbours off the wire not a frame arrives.
    silence(system, data)
    before = received(system, vault)
    broadcast(system, web)
    broadcast(system, app)
    assert received(system, vault) == before
    # And the count does count.
    system.output(data, "ip link set eth0 up")
    broadcast(system, data)
    assert received(system, vault) >= before + 20


def test_vlans(boot):
    red0, red1, blue0, blue1, trunk, watch = range(6)
    system = boot("vlans")
    log_in(system, 6)
    assert reaches(system, red0, "10.0.0.2") == COUNT
    assert reaches(system, blue1, "10.0.0.1") == COUNT
    # The machine on the trunk is a neighbour of both, each on its own VLAN.
    system.output(trunk, "modprobe 8021q; for v in 10 20; do vconfig add eth0 $v; "
                         "ip addr add 10.0.0.3/24 dev eth0.$v; ip link set eth0.$v up; done")
    for vlan in (10, 20):
        output = system.output(trunk, f"ping -c {COUNT} -i 0.2 -I eth0.{vlan} 10.0.0.1")
        assert machine.ping_statistics(output)[1] == COUNT
    # Red's broadcasts reach red, the trunk and the mirror port, and not a frame of them blue.
    silence(system, blue1)
    system.output(watch, "ifconfig eth0 promisc")
    system.output(trunk, "vconfig rem eth0.20")
    blue, mirror, red = (received(system, n) for n in (blue0, watch, red1))
    broadcast(system, red0)
    assert received(system, blue0) == blue
    assert received(system, red1) >= red + 20
    assert received(system, watch) >= mirror + 20


def test_smp(boot):
    system = boot("smp")
    log_in(system, 2)
    for _ in range(2):
        assert system.output(0, "nproc").strip() == "4"
        for cpu in range(4):
            work = "seq 2000 >/dev/null; cut -d\" \" -f39 /proc/self/stat"
            assert system.output(0, f"taskset {1 << cpu:x} sh -c '{work}'").strip() == str(cpu)
        assert reaches(system, 0, "192.168.1.2") == COUNT
        system.focus(0)
        system.send("reboot -f\r")
        system.expect("vm0 is ready")
        system.login(0)


def test_machine_without_console(boot, tmp_path):
    file = tmp_path / "silent.yaml"
    file.write_text("vms:\n  vm0: {ip: 192.168.1.1/24}\n"
                    "  vm1: {ip: 192.168.1.2/24, console: no}\n")
    system = boot(file)
    log_in(system, 1)
    assert reaches(system, 0, "192.168.1.2", 40) > 0


def test_held_machine_waits_for_its_start(boot, tmp_path):
    file = tmp_path / "held.yaml"
    file.write_text("vms:\n  vm0: {ip: 192.168.1.1/24}\n"
                    "  vm1: {ip: 192.168.1.2/24, start: held}\n")
    system = boot(file)
    log_in(system, 1)
    assert reaches(system, 0, "192.168.1.2", 2) == 0
    system.focus(1)
    system.send("\r")
    system.expect("vm1 is ready")
    system.login(1)
    assert reaches(system, 0, "192.168.1.2") == COUNT
