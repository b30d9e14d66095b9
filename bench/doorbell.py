# SPDX-License-Identifier: BSD-2-Clause
"""What a doorbell between two machines takes: 64 bytes there and back, in shared memory.

The machines are bare-metal guests (tests/system/bare/sharer.c) of one core, which wait in WFI. Their exits
are counted in QEMU's log, as in exits.py, in a second run: what is logged takes the host's time, and no
virtual time.
"""

import os
import pathlib
import tempfile
import time

import exits
import machine
import monitor

GOAL_US = 30  # there and back
ANSWERS = r"sharer: (\d+) answers, mean (\d+) ns, worst (\d+) ns"

SYSTEM = ("shared: {bell: {size: 8 KiB, vms: [a, b]}}\n"
          "defaults: {kernel: sharer.elf, memory: 8 MiB}\n"
          "vms: {a: {interfaces: none}, b: {interfaces: none}}\n")


def exchange(running, before=lambda: None):
    """(requests, mean in nanoseconds, worst)"""
    running.expect("sharer: machine 1 of 2")
    running.focus(0)
    time.sleep(0.5)
    before()
    running.send("m")
    return [int(n) for n in running.expect(ANSWERS).groups()]


def measure(run, virtual):
    with machine.Machine(run, virtual) as running:
        count, mean, worst = exchange(running)
    with tempfile.TemporaryDirectory() as directory:
        path, log = os.path.join(directory, "monitor"), pathlib.Path(directory) / "log"
        arguments = [*virtual, *monitor.arguments(path), "-D", str(log)]
        with machine.Machine(run, arguments) as running:
            qemu = []

            def start_log():
                qemu.append(monitor.Monitor(path))
                qemu[0].command("log int,trace:gic_acknowledge_irq")

            exchange(running, start_log)
            qemu[0].command("log none")
        with log.open(errors="replace") as lines:
            counted = exits.Count(lines).exits
    return {"mean_us": mean / 1000, "worst_us": worst / 1000, "requests": count,
            "exits": {name: number / count for name, number in counted.most_common()}}


def table(of, line):
    yield line("", "measured", "goal")
    yield line("doorbell: 64 bytes there and back, mean", f"{of['mean_us']:.1f} us",
               f"at most {GOAL_US} us")
    yield line("    worst", f"{of['worst_us']:.1f} us")
    for name, number in of["exits"].items():
        if number >= 0.1:
            yield line(f"    exits of both: {name}", f"{number:.2f}")
