# SPDX-License-Identifier: BSD-2-Clause
"""Several cores against one, by the host's clock: QEMU has a thread of the host for each core.

What is compared runs in turns, several times, and the best run of each counts. While one system has its
turn, the others stand still: QEMU's monitor stops them, and their clocks.
"""

import os
import pathlib
import tempfile
import time

import build
import machine
import monitor
import peer as kvm
import traffic
import wall

# With virtual time QEMU would run the cores one after the other.
THREADS = ["-accel", "tcg,thread=multi"]
PATHS = ("isolated", "vhost")
PAIRS = tuple(f"{path}_on_{cores}" for path in PATHS for cores in (1, 2))
TWO_VCPUS = ("2_vcpus_on_1", "2_vcpus_on_2")
ONE_AND_FOUR_VCPUS = ("1_vcpus_on_1", "4_vcpus_on_1", "4_vcpus_on_2")
DATA_MIB = 64
SUM = "sha256sum /tmp/data >/tmp/sum"
LINES = 3000


class Contender:
    """A system whose shells are ready. It runs within `with`, and stands still otherwise."""

    def __init__(self, start, machines):
        """`start` runs QEMU with more arguments, and returns a machine.Machine or the peer."""
        self.directory = tempfile.TemporaryDirectory()
        path = os.path.join(self.directory.name, "monitor")
        self.running = start([*THREADS, *monitor.arguments(path)])
        try:
            self.pair, self.pid = consoles(self.running, machines)
            self.qemu = monitor.Monitor(path)
            self.qemu.command("stop")
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        self.qemu.command("cont")
        return self

    def __exit__(self, *_):
        self.qemu.command("stop")

    def stop(self):
        self.running.stop()
        self.directory.cleanup()


def consoles(running, machines):
    """(what traffic.py calls a pair, QEMU's process)"""
    if isinstance(running, kvm.Peer):
        return traffic.Guests(running.guests), running.host.child.pid
    for number in range(machines):
        running.login(number)
    return running, running.child.pid


class Contenders(dict):
    """By name; all end together."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for contender in self.values():
            contender.stop()

    def add(self, name, start, machines):
        self[name] = Contender(start, machines)

    def measure(self, figure, function, names, results, say):
        """A turn: what `function` gives of each of these, added to the results."""
        for name in names:
            with self[name] as contender:
                value = function(contender)
            results.setdefault(figure, {}).setdefault(name, []).append(value)
            say(f"{name}: {figure} {value:.3f}")


# ---- What is measured ----

def seconds(function, *arguments):
    begin = time.monotonic()
    function(*arguments)
    return time.monotonic() - begin


def two_machines_sum(contender):
    def both():
        contender.pair.output(0, SUM + " &")
        contender.pair.output(1, SUM)
        contender.pair.output(0, "wait")
    return seconds(both)


def two_vcpus_sum(contender):
    return seconds(contender.pair.output, 0, f"{SUM} & {SUM}2; wait")


def print_lines(contender):
    begin = time.monotonic()
    text = contender.pair.output(0, f"seq 1 {LINES} | while read i; do echo line $i; done")
    spent = time.monotonic() - begin
    assert text.split("\n")[:LINES] == [f"line {i}" for i in range(1, LINES + 1)], "lines are missing"
    return spent


def tcp(contender, options):
    return traffic.tcp(traffic.iperf(contender.pair, f"-t {options.tcp_seconds}"))


def ping(contender):
    return traffic.ping(contender.pair, 100, 0.01)["avg_ms"]


# ---- In turns ----

def fill(contender, machines):
    with contender:
        for number in range(machines):
            contender.pair.output(number, f"dd if=/dev/zero of=/tmp/data bs=1M count={DATA_MIB} 2>&1")


def pairs(runs, host, options, results, say):
    with Contenders() as all_of:
        for name in PAIRS:
            all_of.add(name, lambda more, name=name: machine.Machine(runs[name], more), 2)
        names = list(PAIRS)
        if host:
            say("peer on two cores: boot")
            all_of.add("peer", lambda more: kvm.Peer(
                options.qemu, options.kernel, host, ["-smp", "2", *more]), 2)
            names.append("peer")
        sums = PAIRS[:2]
        for name in sums:
            fill(all_of[name], 2)
        for name in names:
            with all_of[name] as contender:
                contender.pair.output(1, f"ping -c 3 -i 0.1 {traffic.SERVER}", 600)
        for _ in range(options.core_turns):
            all_of.measure("two_machines_sum_s", two_machines_sum, sums, results, say)
            all_of.measure("ping_ms", ping, names, results, say)
            all_of.measure("tcp_mbit_s", lambda c: tcp(c, options), names, results, say)
        on_two = [name for name in PAIRS if name.endswith("_on_2")]
        all_of.measure("idle_percent", lambda c: wall.idle(c.pid, options.core_idle), on_two,
                       results, say)


def several_vcpus(runs, options, results, say):
    with Contenders() as all_of:
        for name in (*TWO_VCPUS, *ONE_AND_FOUR_VCPUS):
            all_of.add(name, lambda more, name=name: machine.Machine(runs[name], more), 1)
        for name in TWO_VCPUS:
            fill(all_of[name], 1)
        for _ in range(options.core_turns):
            all_of.measure("two_vcpus_sum_s", two_vcpus_sum, TWO_VCPUS, results, say)
            all_of.measure("lines_s", print_lines, ONE_AND_FOUR_VCPUS, results, say)


def boots(runs, options, results, say):
    of = results["ready_s"] = {}
    for _ in range(options.core_turns):
        for name in PAIRS[:2]:
            of.setdefault(name, []).append(wall.boot(runs[name], THREADS, 2))
            say(f"{name}: ready_s {of[name][-1]:.3f}")


def hindrance(options):
    """Why it cannot be measured here; nothing if it can."""
    if len(os.sched_getaffinity(0)) < 2:
        return "the host has one processor"
    if not (pathlib.Path(options.sdk) / "board" / "qemu_virt_aarch64" / "smp-release").exists():
        return "the SDK has no config for several cores"
    return None


def measure(host, options, say):
    """All runs' figures: {figure: {system: [a turn's, ...]}}."""
    if why := hindrance(options):
        say(f"several cores: not measured, {why}")
        return {}

    def say_so(text):
        say(f"several cores: {text}")

    runs = {name: build.system(options, f"bench_{name}")
            for name in (*PAIRS, *TWO_VCPUS, *ONE_AND_FOUR_VCPUS)}
    results = {}
    boots(runs, options, results, say_so)
    several_vcpus(runs, options, results, say_so)
    pairs(runs, host, options, results, say_so)
    return results


# ---- What it is to show ----

class Row:
    """A figure of one system, that of another beside it, and what is to be reached.

    The goal is ">= times as good" or "<= times the other's figure"; with no other, "<= the figure".
    """

    def __init__(self, what, figure, ours, theirs, goal, form="{:.2f} s"):
        self.what, self.figure, self.ours, self.theirs = what, figure, ours, theirs
        self.sign, self.limit = goal
        self.form = form
        self.better = max if figure == "tcp_mbit_s" else min

    def best(self, results, name):
        """The best run; nothing if there is none."""
        runs = results.get(self.figure, {}).get(name)
        return self.better(runs) if runs else None

    def ratio(self, ours, theirs):
        return theirs / ours if self.sign == ">=" and self.better is min else ours / theirs

    def cells(self, results):
        """(what, figure, the other's, ratio, goal); nothing if it was not measured."""
        ours, theirs = self.best(results, self.ours), self.best(results, self.theirs)
        if ours is None or (self.theirs and theirs is None):
            return None
        cells = [self.what, self.form.format(ours), "", ""]
        judged = ours
        if self.theirs:
            judged = self.ratio(ours, theirs)
            cells[2:] = f"{self.form.format(theirs)}, {WHO[self.theirs]}", f"{judged:.2f}"
        met = judged >= self.limit if self.sign == ">=" else judged <= self.limit
        return *cells, f"{self.sign} {self.limit}" + ("" if met else ", missed")


WHO = {"peer": "KVM peer", "1_vcpus_on_1": "one vCPU",
       **{name: "one core" for name in (*PAIRS, *TWO_VCPUS) if name.endswith("on_1")}}
MS, MBIT, PERCENT = "{:.3f} ms", "{:.0f} Mbit/s", "{:.1f} %"


def network_rows():
    for path in PATHS:
        yield Row(f"TCP, {path}", "tcp_mbit_s", f"{path}_on_2", f"{path}_on_1", (">=", 1.3), MBIT)
        yield Row("    against the peer", "tcp_mbit_s", f"{path}_on_2", "peer", (">=", 2), MBIT)
    for path in PATHS:
        yield Row(f"ping, {path}", "ping_ms", f"{path}_on_2", f"{path}_on_1", ("<=", 1), MS)
        yield Row("    against the peer", "ping_ms", f"{path}_on_2", "peer", ("<=", 0.5), MS)


ROWS = (
    Row("sha256sum, one in each of two machines", "two_machines_sum_s", *reversed(PAIRS[:2]),
        (">=", 1.8)),
    Row("sha256sum, two in one machine", "two_vcpus_sum_s", *reversed(TWO_VCPUS), (">=", 1.7)),
    Row("lines printed, 4 vCPUs on two cores", "lines_s", "4_vcpus_on_2", "1_vcpus_on_1", ("<=", 1.5)),
    Row("lines printed, 4 vCPUs on one core", "lines_s", "4_vcpus_on_1", "1_vcpus_on_1", ("<=", 2)),
    *network_rows(),
    Row("both ready", "ready_s", *reversed(PAIRS[:2]), ("<=", 0.65)),
    *(Row(f"both idle, {path}, of one host core", "idle_percent", f"{path}_on_2", None, ("<=", 3),
          PERCENT) for path in PATHS))
