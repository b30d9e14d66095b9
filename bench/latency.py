# SPDX-License-Identifier: BSD-2-Clause
"""How late a machine's timer interrupts are handled beside others that do their worst.

The machine is the bare-metal guest of tests/system/bare: of a higher priority than all others, with 1000
ticks a second. Its monitor has no limit. With one, a tick waits for the budget to be full again when the
monitor has used it up: seL4 can split a budget into a few pieces only, so it may then wait for 2 ms.
"""

import collections
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
HZ = 1000
SECONDS = (60, 4)  # of `full` and of `quick`
BARE = "bare: begins"
CLASS = r"bare: (\d+) us late: (\d+)\r"
REPORT = r"bare: \d+ s: (\d+) ticks, (\d+) lost, mean (\d+) ns, worst (\d+) ns; "
GOAL_IDLE_US, GOAL_US = 25, 60  # the worst

# `late` is how many ticks were late by how many whole microseconds.
Report = collections.namedtuple("Report", "ticks lost mean worst late")
# Beside the machine that is measured: machines in the file's form, in their order, and what each of those
# that run a shell does there, by its place.
Neighbour = collections.namedtuple("Neighbour", "label machines commands")

SINK = "192.168.1.9"
COMPUTES = "while :; do head -c 1000000 /dev/urandom | sha256sum; done >/dev/null"
SWALLOWS = "while :; do iperf3 -s; done >/dev/null 2>&1"
FLOODS = f"while :; do iperf3 -c {SINK} -u -b 0 -l 64 -t 1000; done >/dev/null 2>&1"
USES_DISK = ("while :; do dd if=/dev/zero of=/dev/vda bs=1M count=32 conv=fsync; "
             "echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/vda of=/dev/null bs=4k count=4096; "
             "done 2>/dev/null")

# What a machine has sent so far, and read and written, in frames and sectors.
SENT = "cat /sys/class/net/eth0/statistics/tx_packets"
USED = "awk '{ print $3 + $7 }' /sys/block/vda/stat"

LINUX = "  linux: {memory: 128 MiB, ip: 192.168.1.1/24%s}\n"
AGAIN = "  again: {memory: 128 MiB, cmdline: rdinit=/none panic=-1}\n"
FAULTS = "  faults: {kernel: share.img, memory: 32 MiB, cmdline: share.does=f}\n"
FLOODERS = "".join(
    f"  flooder{number}: {{kernel: flooder.elf, memory: 8 MiB, mac: '02:00:00:00:00:{number:02}',\n"
    f"         cmdline: flooder.number={number} flooder.count=2 flooder.ms=1000000}}\n"
    for number in (1, 2))
FLOOD = (f"  sink: {{memory: 128 MiB, ip: {SINK}/24}}\n"
         "  floods: {memory: 128 MiB, ip: 192.168.1.2/24}\n")

NEIGHBOURS = {
    "idle": Neighbour("idle", LINUX % "", {1: ":"}),
    "computes": Neighbour("computes", LINUX % "", {1: COMPUTES}),
    "network": Neighbour("floods the switch", FLOOD, {1: SWALLOWS, 2: FLOODS}),
    "batches": Neighbour("floods it in batches of 256", FLOODERS, {}),
    "disk": Neighbour("floods the disk", LINUX % ", disks: [64 MiB]", {1: USES_DISK}),
    "restarts": Neighbour("restarts for ever", AGAIN, {}),
    "faults": Neighbour("faults for ever", FAULTS, {}),
    "all": Neighbour("all of that", FLOOD + LINUX % ", disks: [64 MiB]" + AGAIN + FAULTS
                     + "  computes: {memory: 128 MiB}\n",
                     {1: SWALLOWS, 2: FLOODS, 3: USES_DISK, 6: COMPUTES}),
}


def system(name, seconds):
    """The file of a system in which bare.elf measures for so long beside a neighbour, by its name."""
    return ("vms:\n  bare: {kernel: bare.elf, memory: 8 MiB, priority: 60, start: held, interfaces: none,\n"
            "         monitor: {budget: 4 ms, period: 4 ms},\n"
            f"         cmdline: bare.hz={HZ} bare.seconds={seconds}}}\n" + NEIGHBOURS[name].machines)


def make_guests(directory):
    for guests in ("bare", "hostile"):
        subprocess.run(["make", "-s", "-C", ROOT / "tests/system" / guests, f"OUT={directory}"],
                       check=True, stdin=subprocess.DEVNULL)


def listen(running):
    """What the machine says at its end: all of its classes, and the rest."""
    late = {}
    while True:
        match = running.expect(f"(?:{CLASS})|(?:{REPORT})")
        if match[1] is None:
            return Report(*(int(n) for n in match.groups()[2:]), late)
        late[int(match[1])] = int(match[2])


def keep_busy(running, name):
    """Have the neighbours, by their name, begin. The machine that is measured is the system's first."""
    for number, command in NEIGHBOURS[name].commands.items():
        running.login(number)
        running.output(number, f"({command}) &")
    running.focus(0)


def measure(running, name):
    """Of a running system; the machine is started when the others are busy."""
    keep_busy(running, name)
    running.send("\r")
    running.expect(BARE)
    return listen(running)


def percentile(late, part):
    """So many whole microseconds that `part` of all are no later."""
    left = part * sum(late.values())
    for microseconds, count in sorted(late.items()):
        left -= count
        if left <= 0:
            return microseconds + 1
    return None


def results(report):
    return {"ticks": report.ticks, "lost": report.lost, "mean_us": report.mean / 1000,
            "p999_us": percentile(report.late, 0.999), "worst_us": report.worst / 1000,
            "late": {str(microseconds): count for microseconds, count in sorted(report.late.items())}}


def goal(name):
    return GOAL_IDLE_US if name == "idle" else GOAL_US


def table(of, line):
    yield line("beside a machine that", "mean", "99.9 of 100 at most", "worst", "goal")
    for name, neighbour in NEIGHBOURS.items():
        if name in of:
            got = of[name]
            missed = ", missed" if got["worst_us"] > goal(name) or got["lost"] else ""
            yield line(f"{neighbour.label}, {got['ticks']} ticks", f"{got['mean_us']:.1f} us",
                       f"{got['p999_us']} us", f"{got['worst_us']:.1f} us", f"<= {goal(name)} us{missed}")
            if got["lost"]:
                yield line("    lost", got["lost"], "", "", 0)
