# SPDX-License-Identifier: BSD-2-Clause
"""Exits during a stream, by cause, counted in QEMU's log of exceptions.

The log is switched on at QEMU's monitor while iperf3 sends. It costs the guests and the hypervisor
nothing. An exception that EL2 takes from EL1 is a guest's exit: a trap, or an interrupt, since all of
these go to EL2. An SVC that EL2 takes from EL0 is a PD's system call.
"""

import collections
import os
import pathlib
import re
import tempfile
import time

import machine
import monitor
import traffic

CAUSES = {0x01: "wfi", 0x07: "floating point", 0x16: "hvc", 0x17: "smc", 0x18: "system register",
          0x24: "mmio", 0x20: "instruction abort"}
TAKEN = re.compile(r"Taking exception \d+ \[([^\]]*)\]")
LEVELS = re.compile(r"\.\.\.from EL(\d) to EL(\d)")
ADDRESS = re.compile(r"\.\.\.with FAR 0x([0-9a-f]+)")
INTERRUPT = re.compile(r"gic_acknowledge_irq cpu 0 acknowledged irq (\d+)")
# Where a guest writes, within a virtio device's page, and what interrupts EL2.
REGISTERS = {0x050: "kick", 0x064: "interrupt's acknowledgement"}
INTERRUPTS = {25: "interrupt's end", 26: "time slice's end", 27: "guest's timer",
              30: "timer driver's interrupt"}
SYNDROME = re.compile(r"\.\.\.with ESR 0x([0-9a-f]+)/")  # the exception class
MEGABYTES = 64


class Count:
    """Guests' exits by cause, and PDs' system calls, in the lines of a log."""

    def __init__(self, lines):
        self.exits = collections.Counter()
        self.calls = 0
        self.open = None  # a cause that the next lines may say more of
        what = levels = None
        for line in lines:
            if match := TAKEN.match(line):
                self.close()
                what, levels = match[1], None
            elif match := LEVELS.match(line):
                levels = match.groups()
                if levels == ("1", "2") and what == "IRQ":
                    self.open = "interrupt"
            elif (match := SYNDROME.match(line)) and levels and levels[1] == "2" and what != "IRQ":
                self.trap(levels[0], int(match[1], 16))
            elif (match := ADDRESS.match(line)) and self.open == "mmio":
                self.open = REGISTERS.get(int(match[1], 16) & 0xfff, "mmio, others")
            elif (match := INTERRUPT.match(line)) and self.open == "interrupt":
                self.open = INTERRUPTS.get(int(match[1]), "interrupt of a device")
        self.close()

    def trap(self, level, kind):
        if level == "1":
            self.open = CAUSES.get(kind, f"class {kind:#x}")
        elif kind == 0x15:
            self.calls += 1

    def close(self):
        if self.open:
            self.exits[self.open] += 1
        self.open = None


def packets(system):
    """That the second machine has sent and received; with TSO one holds up to 64 KiB."""
    text = system.output(1, "cat /sys/class/net/eth0/statistics/[rt]x_packets")
    return [int(word) for word in text.split()]


def per_segment(run, virtual, say):
    say(f"exits while {MEGABYTES} MB go over")
    with tempfile.TemporaryDirectory() as directory:
        path, log = os.path.join(directory, "monitor"), pathlib.Path(directory) / "log"
        arguments = [*virtual, *monitor.arguments(path), "-D", str(log)]
        with machine.Machine(run, arguments) as system:
            system.login(0)
            system.login(1)
            system.output(1, f"ping -c 3 -i 0.1 {traffic.SERVER}", 600)
            system.output(0, "iperf3 -s -D -1; sleep 1")
            before = packets(system)
            qemu = monitor.Monitor(path)
            # What is typed costs exits, too: all but the last key comes before the log is on.
            system.start(1, f"read go; iperf3 -c {traffic.SERVER} -n {MEGABYTES}M >/tmp/iperf")
            system.expect(r"<begin>\r*\n", 600)
            time.sleep(0.5)
            qemu.command("log int,trace:gic_acknowledge_irq")
            system.send("\r")
            system.expect(r"<end 0>", 600)
            qemu.command("log none")
            system.expect(machine.PROMPT, 600)
            after = packets(system)
            time.sleep(0.2)
            with log.open(errors="replace") as lines:
                counted = Count(lines)
    received, sent = (b - a for a, b in zip(before, after))
    segments = MEGABYTES * 2**20 / 65536
    exits = counted.exits
    return {"of_64_kib": sum(exits.values()) / segments,
            "by_cause": {name: number / segments for name, number in exits.most_common()},
            "system_calls": counted.calls / segments, "frames_sent": sent, "acks_received": received}
