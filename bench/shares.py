# SPDX-License-Identifier: BSD-2-Clause
"""What a machine has of the processor and of its switch while others do their worst (latency.NEIGHBOURS).

* 30 % of the processor, in each window of 10 ms: by a domain of 3 ms in turns of 10 ms, or by a budget and a
  priority. The machine (tests/system/hostile/share.c) computes, and looks at its clock.
* A ping to a third machine, while an equal one floods the switch.
"""

import collections

import latency
import traffic

WINDOW_MS = 10
COUNTS = (1000, 100)  # windows, of `full` and of `quick`
GOAL_PERCENT = (29.9, 30.1)
GOAL_PING = 3  # times as long as without the flooder
PINGS = 1000

WINDOWS = r"share: windows: (\d+), least (\d+) ns, most (\d+) ns, mean (\d+) ns\r"
Windows = collections.namedtuple("Windows", "count least most mean")

METER = ("  meter: {{kernel: share.img, memory: 32 MiB, interfaces: none, "
         "cmdline: share.windows={}{}}}\n")
# The switch has half of a turn of the services at most. With its default budget, a quarter of all time, it
# could have all of their turns, and a flooder would leave the console none.
WAYS = {
    "domain": ("a domain of 3 of 10 ms",
               "domains: [services: 1 ms, flight: 3 ms, services: 1 ms, cabin: 5 ms]\n"
               "switches: {net0: {budget: 500 us, period: 4 ms}}\ndefaults: {domain: cabin}\n",
               ", domain: flight"),
    "budget": ("a budget of 3 of 10 ms", "", ", priority: 60, budget: 3 ms, period: 10 ms"),
}

PING = (latency.LINUX % "" + "  third: {memory: 128 MiB, ip: 192.168.1.3/24}\n" + latency.FLOOD)
PING_FROM, PING_TO, PING_SINK, PING_FLOODER = 0, "192.168.1.3", 2, 3


def ping_system():
    """The file of a system in which the first machine pings the second, and the last floods the third."""
    return "vms:\n" + PING


def system(way, name, windows):
    """The file of a system in which a machine measures so many windows beside a neighbour, by its name."""
    _, head, settings = WAYS[way]
    return f"{head}vms:\n" + METER.format(windows, settings) + latency.NEIGHBOURS[name].machines


def measure(running, name):
    latency.keep_busy(running, name)
    running.send("x")
    running.expect("share: ready\r")
    running.send("w")
    return Windows(*(int(n) for n in running.expect(WINDOWS).groups()))


def percent(nanoseconds):
    return nanoseconds / (WINDOW_MS * 1e6) * 100


def results(found):
    return {"windows": found.count, "least_percent": percent(found.least),
            "most_percent": percent(found.most), "mean_percent": percent(found.mean)}


def pings(running, count=PINGS):
    """Round-trip times without the flooder, and beside it."""
    for number in (PING_FROM, 1, PING_SINK, PING_FLOODER):
        running.login(number)
    running.output(PING_SINK, f"({latency.SWALLOWS}) &")
    running.output(PING_FROM, f"ping -c 3 -i 0.1 {PING_TO}")
    quiet = traffic.ping(running, count, 0.01, PING_FROM, PING_TO)
    running.output(PING_FLOODER, f"({latency.FLOODS}) &")
    return {"quiet": quiet, "flooded": traffic.ping(running, count, 0.01, PING_FROM, PING_TO),
            "flooded_frames": int(running.output(PING_FLOODER, latency.SENT).split()[-1])}


def is_met(got):
    return GOAL_PERCENT[0] <= got["least_percent"] and got["most_percent"] <= GOAL_PERCENT[1]


def table(of, line):
    yield line("of each 10 ms, beside a machine that", "least", "most", "mean", "goal")
    for way, (label, _, _) in WAYS.items():
        yield line(f"{label}:")
        for name, neighbour in latency.NEIGHBOURS.items():
            if got := of.get(way, {}).get(name):
                missed = "" if is_met(got) else ", missed"
                yield line(f"    {neighbour.label}",
                           *(f"{got[which + '_percent']:.2f} %" for which in ("least", "most", "mean")),
                           f"{GOAL_PERCENT[0]} to {GOAL_PERCENT[1]} %{missed}")


def ping_table(of, line):
    quiet, flooded = of["quiet"], of["flooded"]
    ratio = flooded["p999_ms"] / quiet["p999_ms"]
    yield line("ping to a third machine", "quiet", "beside a flooder", "ratio", "goal")
    yield line("    average", f"{quiet['avg_ms']:.3f} ms", f"{flooded['avg_ms']:.3f} ms",
               f"{flooded['avg_ms'] / quiet['avg_ms']:.2f}")
    yield line("    99.9 of 100 at most", f"{quiet['p999_ms']:.3f} ms", f"{flooded['p999_ms']:.3f} ms",
               f"{ratio:.2f}", f"<= {GOAL_PING}" + (", missed" if ratio > GOAL_PING else ""))
    yield line("    lost", quiet["sent"] - quiet["received"], flooded["sent"] - flooded["received"], "", 0)
