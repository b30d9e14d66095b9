# SPDX-License-Identifier: BSD-2-Clause
"""How late a machine's timer interrupts are handled beside a Linux machine that is kept busy.

The machine is the bare-metal guest of tests/system/bare: of a higher priority, with 1000 ticks a second. Its
monitor has no limit. With one, a tick waits for the budget to be full again when the monitor has used it up:
seL4 can split a budget into a few pieces only, so it may then wait for 2 ms.
"""

import collections
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
HZ = 1000
SECONDS = (60, 5)  # of `full` and of `quick`
BARE = "bare: begins"
REPORT = (r"bare: \d+ s: (\d+) ticks, (\d+) lost, mean (\d+) ns, worst (\d+) ns; "
          r"(\d+) pings answered")
GOAL_US = 100  # the worst

# What the busy machine does, all at once: it computes, prints lines, and sends frames to the other.
LOAD = ("while :; do head -c 1000000 /dev/urandom | sha256sum; done >/dev/null",
        "while :; do ls -l /bin; usleep 20000; done",
        "ping -i 0.002 192.168.1.2 >/dev/null")

Report = collections.namedtuple("Report", "ticks lost mean worst answered")


def system(seconds):
    """The file of a system in which bare.elf measures for so long."""
    return ("vms:\n  vm0: {ip: 192.168.1.1/24}\n"
            "  bare: {kernel: bare.elf, memory: 8 MiB, priority: 60, start: held, ip: 192.168.1.2/24,\n"
            "         monitor: {budget: 4 ms, period: 4 ms},\n"
            f"         cmdline: bare.hz={HZ} bare.seconds={seconds}}}\n")


def make_guest(directory):
    subprocess.run(["make", "-s", "-C", ROOT / "tests/system/bare", f"OUT={directory}"],
                   check=True, stdin=subprocess.DEVNULL)


def measure(running):
    """Of a running system; the machine is started when the other one is busy."""
    running.login(0)
    for command in LOAD:
        running.output(0, f"({command}) &")
    running.focus(1)
    running.send("\r")
    running.expect(BARE)
    return Report(*(int(n) for n in running.expect(REPORT).groups()))


def results(report):
    return {"ticks": report.ticks, "lost": report.lost, "mean_us": report.mean / 1000,
            "worst_us": report.worst / 1000, "pings_answered": report.answered}


def table(of, line):
    yield line("", "measured", "goal")
    yield line(f"ticks, {HZ} a second", of["ticks"])
    yield line("    lost", of["lost"], 0)
    yield line("from deadline to handler, mean", f"{of['mean_us']:.1f} us")
    yield line("    worst", f"{of['worst_us']:.1f} us", f"at most {GOAL_US} us")
    yield line("pings answered meanwhile", of["pings_answered"])
