# SPDX-License-Identifier: BSD-2-Clause
"""Many consoles behind one UART."""

import json
import re
import socket
import time

import pexpect
import pytest

import conftest
import machine


class Monitor:
    """QEMU's own console (QMP), at a socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(machine.FAR)
        end = time.monotonic() + machine.FAR
        while self.socket.connect_ex(str(path)) != 0:
            assert time.monotonic() < end, "QEMU does not listen"
            time.sleep(0.05)
        self.lines = self.socket.makefile("r")
        self.lines.readline()
        self.command("qmp_capabilities")

    def command(self, name):
        self.socket.sendall(json.dumps({"execute": name}).encode() + b"\n")
        while "return" not in (answer := json.loads(self.lines.readline())):
            assert "error" not in answer, answer

    def close(self):
        self.lines.close()
        self.socket.close()


def test_what_is_typed_before_the_start_is_kept(boot, tmp_path):
    """The device has the first key, and QEMU the others, before a single PD runs."""
    path = tmp_path / "qmp"
    system = boot.start(conftest.build("virtio_demo"),
                        ["-S", "-qmp", f"unix:{path},server=on,wait=off"])
    monitor = Monitor(path)
    system.send(machine.PREFIX + "?")
    for _ in range(10):  # each answer is a turn of the loop in which QEMU reads what was typed
        monitor.command("query-status")
        time.sleep(0.1)
    monitor.command("cont")
    monitor.close()
    system.expect(r"Ctrl-\] l +list the machines")


def test_each_key_reaches_its_machine(demo):
    for number in (0, 1, 0, 1):
        assert demo.output(number, "hostname").strip() == f"vm{number}"


def test_focus_by_name(demo):
    demo.send(machine.PREFIX + "nvm0\r")
    demo.expect(r"\[vm0 alone")
    demo.focused = 0
    assert demo.output(0, "hostname").strip() == "vm0"
    demo.send(machine.PREFIX + "nvm7\r")
    demo.expect("no machine 'vm7'")
    demo.send("\r")
    demo.expect(machine.PROMPT)
    assert demo.output(0, "hostname").strip() == "vm0"


def test_all_shows_all_with_their_names(demo):
    demo.output(0, "(sleep 2; echo from zero >/dev/hvc0) &")
    demo.output(1, "(sleep 2; echo from one >/dev/hvc0) &")
    demo.show_all()
    seen = {}
    for _ in range(2):
        match = demo.expect(r"(vm[01])[^\r\n]*from (zero|one)")
        seen[match[2]] = match[1]
    assert seen == {"zero": "vm0", "one": "vm1"}
    demo.focus(1)


def test_prefix_cannot_be_forged(demo):
    """Control characters in either form, erasure below, and backspaces: what is left of them."""
    demo.output(0, r"(sleep 2; printf '\nx\302\2332Jy\2332Jz\033[Jw\b\b\b\b\b\b\b\b\b\b\b\b\bv\n'"
                   " >/dev/hvc0) &")
    demo.show_all()
    line = demo.expect(r"vm0\|([^\r\n]*x[^\r\n]*v)", timeout=20)[1]
    assert line.endswith("xy?2Jzw" + 7 * "\b" + "v"), repr(line)
    demo.focus(1)


def test_output_of_the_unfocused_is_kept(demo):
    demo.output(0, "(sleep 1; echo late words >/dev/hvc0) &")
    demo.focus(1)
    assert demo.output(1, "sleep 2; hostname").strip() == "vm1"
    demo.focus(0)
    demo.expect("late words")


def test_help_and_unknown_commands(demo):
    demo.send(machine.PREFIX + "?")
    demo.expect(r"Ctrl-\] a")
    demo.send(machine.PREFIX + "!")
    demo.expect("no such command")
    assert demo.output(1, "hostname").strip() == "vm1"


def test_the_prefix_itself_can_be_typed(demo):
    demo.focus(1)
    demo.send("od -An -tx1 -N1\r")
    demo.expect("od -An.*\n")
    demo.send(machine.PREFIX + machine.PREFIX + "\r")
    demo.expect(r"\b1d\b")
    demo.expect(machine.PROMPT)


def test_interrupt_key_stops_a_program(demo):
    demo.focus(1)
    demo.send('echo "<"sleeps">"; sleep 1000\r')
    demo.expect("<sleeps>")  # no prompt is on its way any more
    with pytest.raises(pexpect.TIMEOUT):
        demo.expect(machine.PROMPT, timeout=1)
    demo.send("\x03")
    demo.expect(machine.PROMPT)
    assert demo.output(1, "hostname").strip() == "vm1"


def test_full_screen_editor(demo):
    """Raw keys and cursor movement: what is typed into vi is what the file holds."""
    demo.focus(1)
    demo.send("vi /tmp/text\r")
    demo.expect("vi /tmp/text")
    # It asks how large the terminal is, by the cursor's place in its last corner, and takes the next
    # key for the answer.
    demo.expect(r"\x1b\[6n")
    demo.send("\x1b[24;80R")
    demo.expect(r"/tmp/text.*?%")
    # An escape and what follows it at once would be one key, so it is seen to be obeyed first: in
    # the mode that it leads to Ctrl-L draws all anew.
    for keys, word in (("ibraid\x1b", "braid"), ("owoven\x1b", "woven")):
        demo.send(keys + "\x0c")
        demo.expect(word)
    demo.send(":wq\r")
    demo.expect(machine.PROMPT)
    assert demo.output(1, "cat /tmp/text").split() == ["braid", "woven"]


def test_the_terminal_tells_its_size(demo):
    """Asked by the key that shows a machine alone; what it answers is none of the machine's keys."""
    for number, size in ((1, "43 132"), (0, "44 133")):
        rows, columns = size.split()
        demo.focus(number)
        demo.expect(r"\x1b\[18t")
        demo.send(f"\x1b[8;{rows};{columns}t\r")
        # It is told by an interrupt.
        told = demo.output(number, f"for i in 1 2 3 4 5; do test \"$(stty size)\" = '{size}' && break; "
                                   "sleep 1; done; stty size")
        assert told.strip() == size


def test_much_output_comes_whole(demo):
    text = demo.output(1, "seq 1 3000")
    assert text.split() == [str(n) for n in range(1, 3001)]


def test_a_flood_does_not_stop_the_others(demo):
    """One machine prints without end, unseen and seen; the other one still answers."""
    demo.output(0, "(while :; do echo flood flood flood flood flood; done >/dev/hvc0) & "
                   "echo $! >/tmp/pid")
    try:
        for _ in range(3):
            assert demo.output(1, "hostname").strip() == "vm1"
        demo.show_all()
        demo.expect("flood")
        assert demo.output(1, "hostname").strip() == "vm1"
    finally:
        demo.focus(0)
        demo.send("\rkill $(cat /tmp/pid)\r")
        demo.login(0)


def test_long_pasted_line_arrives(demo):
    words = " ".join(str(n) for n in range(200))
    assert demo.output(1, f"echo {words}").split() == words.split()


def test_statistics_of_the_switch(demo):
    demo.send(machine.PREFIX + "s")
    assert re.search(r"vm0", demo.expect(r"(?s)net0.*?vm0[^\r\n]*")[0])


def host_seconds(demo, number, command):
    """How far the time that a command tells in seconds is from the host's."""
    return int(demo.output(number, command).split()[-1]) - time.time()


RTC = "/sys/class/rtc/rtc0"


def test_it_is_today(demo):
    """A machine's kernel sets its time by the clock at boot, and the clock goes on."""
    for number in (0, 1):
        assert "rtc-pl031" in demo.output(number, f"cat {RTC}/name")
        assert abs(host_seconds(demo, number, "date +%s")) < 60
        assert abs(host_seconds(demo, number, f"cat {RTC}/since_epoch")) < 60


def test_each_machine_sets_a_clock_of_its_own(demo):
    demo.output(1, "date -u -s '2001-02-03 04:05:06' && hwclock -u -w")
    assert "2001-02-03" in demo.output(1, f"cat {RTC}/date")
    assert abs(host_seconds(demo, 0, f"cat {RTC}/since_epoch")) < 60


def test_the_clocks_alarm_interrupts(demo):
    count = "awk '/rtc-pl031/ { print $2 }' /proc/interrupts"
    before = int(demo.output(1, count))
    demo.output(1, f"echo 0 >{RTC}/wakealarm; echo +2 >{RTC}/wakealarm")
    demo.output(1, f"until [ $({count}) -gt {before} ]; do usleep 200000; done")


def test_random_bytes(demo):
    """The guest's hwrng is the virtio one, and no two readings are alike."""
    assert "virtio_rng" in demo.output(1, "cat /sys/class/misc/hw_random/rng_current")
    command = "dd if=/dev/hwrng bs=4096 count=4 2>/dev/null | sha256sum"
    sums = [re.search(r"[0-9a-f]{64}", demo.output(number, command))[0] for number in (0, 1, 1)]
    assert len(set(sums)) == 3
