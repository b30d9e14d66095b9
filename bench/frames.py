# SPDX-License-Identifier: BSD-2-Clause
"""Frames of 64 bytes through the switch, as many as go, and what the switch itself spends on each.

The machines are bare-metal guests (tests/system/bare/flooder.c) that fill their transmit queues and kick
once.
"""

import collections
import os
import pathlib
import tempfile

import machine
import monitor
import programs

MACHINES = 4
MS = 200  # that are counted, after as many that are not
WHAT = {"one": "three send to one", "all": "four send to one another"}
PATHS = ("isolated", "vhost")
REPORT = r"flooder: (\d+) us: (\d+) received, (\d+) sent in (\d+) batches, (\d+) wrong"
GOAL = 350  # instructions of the switch for a frame
LOGGED = 36 << 20  # bytes of QEMU's log: more than the 4 ms in which the switch has its budget once
TAKEN = ("isolated_release", "vhost_release")  # called once for each frame that the switch takes

Report = collections.namedtuple("Report", "microseconds received sent batches wrong")


def system(path, what, more=""):
    """The file of a system in which three machines flood the first one, or all one another."""
    count = 1 if what == "one" else MACHINES
    return f"defaults: {{kernel: flooder.elf, memory: 8 MiB, path: {path}}}\n{more}vms:\n" + "".join(
        f"  m{number}: {{mac: '02:00:00:00:00:{number:02}', "
        f"cmdline: flooder.number={number} flooder.count={count} flooder.ms={MS}}}\n"
        for number in range(1, MACHINES + 1))


def reports(running):
    """Of all machines, which have begun at the same time."""
    return [Report(*(int(n) for n in running.expect(REPORT).groups())) for _ in range(MACHINES)]


def rates(found):
    """Frames per second that arrived, and that were sent, and how many were sent at a time."""
    return {"received_per_s": sum(r.received * 1e6 / r.microseconds for r in found),
            "sent_per_s": sum(r.sent * 1e6 / r.microseconds for r in found),
            "batch": sum(r.sent for r in found) / max(1, sum(r.batches for r in found)),
            "wrong": sum(r.wrong for r in found)}


def spent(program, lines):
    """What a switch's program (an ELF file) spends on a frame, and in which functions, by a log's lines."""
    total, functions, calls = programs.of_program(programs.Executions(lines), program)
    frames = sum(calls[name] for name in TAKEN)
    if not frames:
        raise RuntimeError("the switch has forwarded nothing")
    return {"instructions": total / frames, "frames": frames,
            "functions": {name: count / frames for name, count in functions.most_common(20)}}


def measure(run, virtual):
    """Rates first, and then, while all go on, what is executed: to log it takes no virtual time."""
    with tempfile.TemporaryDirectory() as directory:
        path, log = os.path.join(directory, "monitor"), pathlib.Path(directory) / "log"
        arguments = [*virtual, *monitor.arguments(path), "-D", str(log)]
        with machine.Machine(run, arguments) as running:
            found = rates(reports(running))
            programs.log(monitor.Monitor(path), log, LOGGED)
        with log.open(errors="replace") as lines:
            return {**found, **spent(run.parent / "switch_net0.elf", lines)}


def table(of, line):
    yield line("", "frames received", "frames sent", "switch, each", "goal")
    for path in PATHS:
        for what, label in WHAT.items():
            if got := of.get(f"{path}_{what}"):
                missed = ", missed" if got["instructions"] > GOAL else ""
                rates_of = (f"{got[way + '_per_s']:.0f} /s" for way in ("received", "sent"))
                yield line(f"{label}, {path}", *rates_of, f"{got['instructions']:.0f} instructions",
                           f"<= {GOAL}{missed}")
    for path in PATHS:
        if got := of.get(f"{path}_all"):
            yield line(f"of these, {path}:")
            for name, count in got["functions"].items():
                if count >= 5:
                    yield line(f"    {name}", "", "", f"{count:.0f}")
