# SPDX-License-Identifier: BSD-2-Clause
"""The command `braid` on a board of QEMU's: what its manual says, and counters of a known load."""

import contextlib
import os
import re
import signal
import subprocess
import time

import pytest

import conftest
from braid_command import Braid, Terminal, until

VMS = {"vm0": "192.168.1.1", "vm1": "192.168.1.2"}


def children(pid):
    said = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], stdout=subprocess.PIPE, text=True,
                          check=False)
    return [int(word) for word in said.stdout.split()]


def is_alive(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


@pytest.fixture(scope="module")
def braid(tmp_path_factory):
    path = conftest.HERE / "stats.yaml"
    conftest.build_with_new_disk(path)
    directory = tmp_path_factory.mktemp("braid")
    directory.chmod(0o700)
    braid = Braid(directory)
    try:
        begin(braid, path)
        yield braid
    finally:
        braid.close()
        if (directory / "braid" / "stats" / "pid").exists():
            subprocess.run([braid.program, "down"], env=braid.environment, check=False, timeout=60,
                           stdin=subprocess.DEVNULL)


def begin(braid, path):
    """Start the system, and have its machines send nothing but what a test asks for."""
    assert braid.up(path) == "stats: up, with 2 machines\n"
    for name in VMS:
        until(lambda name=name: "built-in commands" in braid("logs", name), 180)  # its shell is there
        braid.run(name, "stty -echo; f=/proc/sys/net/ipv6/conf/all/disable_ipv6; "
                        "if [ -e $f ]; then echo 1 >$f; fi")
    macs = {name: re.search(r"HWaddr (\S+)|ether (\S+)", braid.run(name, "ifconfig eth0")) for name in VMS}
    for name, other in (("vm0", "vm1"), ("vm1", "vm0")):
        braid.run(name, f"arp -s {VMS[other]} {macs[other][1] or macs[other][2]}")


@contextlib.contextmanager
def counted(braid):
    """What has been added to each counter meanwhile, in the dictionary that it yields."""
    delta = {}
    before = braid.counters()
    yield delta
    for key, after in braid.counters().items():
        delta[key] = {word: value - before[key][word] for word, value in after.items()
                      if isinstance(value, int) and not isinstance(value, bool)}


def drops(port):
    return {word: value for word, value in port.items() if "dropped" in word and value != 0}


def test_machines_run(braid):
    states = braid.states()
    assert [states[name] for name in VMS] == ["running", "running"]
    for name in VMS:
        assert f"<{name}>" in braid.run(name, 'echo "<"$(uname -n)">"')


def test_pings_are_counted(braid):
    """1000 pings of 100 bytes, from the one data path to the other: exactly."""
    with counted(braid) as delta:
        said = braid.run("vm0", f"ping -q -c 1000 -i 0.002 -s 100 {VMS['vm1']}")
    assert "1000 packets received" in said
    for name in VMS:
        port = delta[name, "port", 0]
        length = 14 + 20 + 8 + 100
        assert (port["sent_frames"], port["received_frames"]) == (1000, 1000)
        assert (port["sent_bytes"], port["received_bytes"]) == (1000 * length, 1000 * length)
        assert drops(port) == {}
        assert delta[name, "machine", 0]["interrupts"] >= 1000


def test_a_stream_is_counted(braid):
    """64 MiB by TCP: as much arrives as was sent, and nothing else is in between."""
    braid.run("vm1", "nc -l -p 5000 >/tmp/received & sleep 1")
    with counted(braid) as delta:
        # Not by busybox's head and wc, which take minutes of a busy host: they go byte by byte.
        braid.run("vm0", f"nc {VMS['vm1']} 5000 -e dd if=/dev/zero bs=65536 count=1024")
        braid.run("vm1", "wait")
    assert str(64 << 20) in braid.run("vm1", "stat -c %s /tmp/received; rm /tmp/received").split()
    there, here = delta["vm0", "port", 0], delta["vm1", "port", 0]
    assert drops(there) == drops(here) == {}
    for word in ("frames", "bytes"):
        assert there[f"sent_{word}"] == here[f"received_{word}"]
        assert here[f"sent_{word}"] == there[f"received_{word}"]
    assert 64 << 20 <= there["sent_bytes"] < (64 << 20) * 1.05


def test_writes_are_counted(braid):
    with counted(braid) as delta:
        braid.run("vm0", "dd if=/dev/zero of=/dev/vda bs=4096 count=1000 oflag=direct conv=fsync 2>/dev/null")
    disk = delta["vm0", "disk", 0]
    assert (disk["writes"], disk["written_bytes"], disk["flushes"]) == (1000, 4096000, 1)
    assert (disk["reads"], disk["errors"], disk["discards"]) == (0, 0, 0)
    assert 0 < disk["flight_time_ns"] < 60e9


def test_busy_and_idle(braid):
    def share():
        with counted(braid) as delta:
            time.sleep(2)
        machine = delta["vm1", "machine", 0]
        return machine["busy_time_ns"] / machine["vcpu_time_ns"]

    assert share() < 0.2
    braid.run("vm1", "(while :; do :; done) & echo $! >/tmp/pid")
    assert share() > 0.8
    braid.run("vm1", "kill $(cat /tmp/pid)")


def test_starts_are_counted(braid):
    with counted(braid) as delta:
        braid("restart", "vm1")
        until(lambda: braid.counters()["vm1", "machine", 0]["starts"] == 2)
    assert delta["vm1", "machine", 0]["starts"] == 1
    assert delta["vm0", "machine", 0]["starts"] == 0


def test_nothing_is_left(braid):
    daemon = braid.pid("stats")
    emulators = children(daemon)
    assert len(emulators) == 1
    braid.close()
    braid("down")
    until(lambda: not is_alive(daemon) and not is_alive(emulators[0]))
    assert not (braid.directory / "braid" / "stats").exists()
    braid("ps", status=3)


def test_the_emulator_dies(braid):
    """That is said, what machines wrote stays, and the system can be started again."""
    path = conftest.HERE / "stats.yaml"
    braid.up(path)
    daemon = braid.pid("stats")
    until(lambda: "built-in commands" in braid("logs", "vm0"))
    os.kill(children(daemon)[0], signal.SIGKILL)
    until(lambda: not is_alive(daemon))
    assert (braid.directory / "braid" / "stats" / "ended").read_text()
    assert "built-in commands" in braid("logs", "vm0")
    assert braid.up(path) == "stats: up, with 2 machines\n"
    braid("down")


def test_three_machines_three_terminals(tmp_path):
    """A console in each of three terminals, and `top` in a fourth."""
    tmp_path.chmod(0o700)
    braid = Braid(tmp_path)
    try:
        assert braid.up("systems/three_vms.yaml").endswith("three_vms: up, with 3 machines\n")
        names = ("vm0", "vm1", "vm2")
        assert [braid.states()[name] for name in names] == ["running"] * 3
        consoles = {name: Terminal(braid, "console", name) for name in names}
        top = Terminal(braid, "top", "0.5")
        for name, console in consoles.items():
            console.expect(f"{name}:.*# ")
            console.type("expr 6 '*' 7\r")
        for console in consoles.values():
            console.expect("\n42\r")
        for name in names:
            top.expect(f"{name}.*running")
        assert top.leave("q") == 0
        assert [console.leave("\x1d") for console in consoles.values()] == [0, 0, 0]
        daemon = braid.pid("three_vms")
        emulators = children(daemon)
    finally:
        braid("down")
    until(lambda: not is_alive(daemon) and not any(map(is_alive, emulators)))
    assert not (tmp_path / "braid" / "three_vms").exists()
