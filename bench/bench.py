#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make bench`: what the system costs and what it gives, as a table and as JSON.

There are two kinds of time.

* Virtual time: QEMU runs with `-icount shift=1,sleep=off`. An instruction takes 2 ns, and waiting takes
  none. These figures repeat, and do not depend on the host. But they charge nothing for traps, caches
  or TLBs, and so flatter a design with many exits.
* Wall time: QEMU runs freely. An exit costs more than it would in hardware. These figures are ratios of
  runs that take turns, or shares of one host core. They come last.

The peer, KVM with vhost-net, is measured in the same run: see peer.py.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "system"))

import boards  # noqa: E402  (found by the lines above)
import build  # noqa: E402
import cores  # noqa: E402
import devices  # noqa: E402
import doorbell  # noqa: E402
import exits  # noqa: E402
import frames  # noqa: E402
import latency  # noqa: E402
import machine  # noqa: E402
import peer as kvm  # noqa: E402
import primitives  # noqa: E402
import shares  # noqa: E402
import table  # noqa: E402
import traffic  # noqa: E402
import wall  # noqa: E402

VIRTUAL = ["-icount", "shift=1,sleep=off", "-rtc", "base=2026-01-01,clock=vm"]
# For what waits for the host: virtual time must not pass over its answer to the next timer.
WAITING = ["-icount", "shift=1"]
PATHS = ("isolated", "vhost")
# How much of each: in full, and with BENCH=quick. Virtual time repeats, so little is enough.
TRAFFIC = {"request_seconds": 0.1, "tcp": "32M", "udp": {64: "256K", 1400: "4M"}}
MODES = {
    "full": {**TRAFFIC, "pings": 500, "idle": 20, "boots": 3, "turns": 3, "counts": (2, 4, 8),
             "devices": True, "core_turns": 3, "core_idle": 10, "tcp_seconds": 2,
             "latency_seconds": latency.SECONDS[0], "windows": shares.COUNTS[0]},
    "quick": {**TRAFFIC, "pings": 200, "idle": 10, "boots": 1, "turns": 0, "counts": (),
              "devices": False, "core_turns": 1, "core_idle": 5, "tcp_seconds": 2,
              "latency_seconds": latency.SECONDS[1], "windows": shares.COUNTS[1]},
}
PARTS = ["sizes", "primitives", "virtual", "exits", "scaling", "devices", "boards", "frames",
         "latency", "wall", "cores"]
BEGIN = time.monotonic()


def say(text):
    print(f"  BENCH   {time.monotonic() - BEGIN:5.0f} s  {text}", flush=True)


def booted(run):
    system = machine.Machine(run, VIRTUAL)
    system.login(0)
    system.login(1)
    return system


def uptime(pair, number):
    return float(pair.output(number, "cat /proc/uptime", 600).split()[0])


def path(name, run, options):
    with booted(run) as system:
        return {"uptime_at_shell_s": uptime(system, 1),
                **traffic.between(system, options, lambda text: say(f"{name}: {text}"))}


def loopback(run, options):
    with booted(run) as system:
        return traffic.loopback(system, options, say)


def scaling(name, run, count, options):
    say(f"{name}: {count} machines")
    with machine.Machine(run, VIRTUAL) as system:
        for number in range(count):
            system.login(number)
        return traffic.scaling(system, count, options)


def peer(host, options):
    say("peer: boot, in virtual time")
    with kvm.Peer(options.qemu, options.kernel, host, VIRTUAL, timeout=1800) as system:
        pair = traffic.Guests(system.guests)
        return {"uptime_at_shell_s": uptime(pair, 1),
                **traffic.between(pair, options, lambda text: say(f"peer: {text}"))}


# Beside a disk that is used: nothing waits for the host, and virtual time does not pass over it.
BESIDE = [*VIRTUAL, *devices.NO_IMAGE]


def beside(name):
    return BESIDE if "disks" in latency.NEIGHBOURS[name].machines else VIRTUAL


def late(name, run, options):
    say(f"latency: {name}, {options.latency_seconds} s of virtual time")
    with machine.Machine(run, beside(name)) as system:
        return latency.results(latency.measure(system, name))


def share(way, name, run, options):
    say(f"share: {way}, {name}, {options.windows} windows")
    with machine.Machine(run, beside(name)) as system:
        return shares.results(shares.measure(system, name))


def ping_beside(run):
    say(f"ping beside a flooder, {shares.PINGS} packets twice")
    with machine.Machine(run, VIRTUAL) as system:
        return shares.pings(system)


def latencies(options):
    """The part `latency`."""
    tasks = {}
    for name in latency.NEIGHBOURS:
        run = build.system(options, f"bench_latency_{name}_{options.latency_seconds}")
        tasks["latency", "beside", name] = lambda name=name, run=run: late(name, run, options)
    run = build.system(options, "bench_ping_beside")
    tasks["latency", "ping"] = lambda run=run: ping_beside(run)
    for way in shares.WAYS if bundled(options) else ["budget"]:  # Microkit's tool has no domains for vCPUs
        for name in latency.NEIGHBOURS:
            run = build.system(options, f"bench_share_{way}_{name}_{options.windows}")
            tasks["latency", "share", way, name] = (
                lambda way=way, name=name, run=run: share(way, name, run, options))
    bell = build.system(options, "bench_latency_doorbell")
    tasks["latency", "doorbell"] = lambda: doorbell.measure(bell, VIRTUAL)
    return tasks


def floods(options):
    """The part `frames`."""
    tasks = {}
    for path in PATHS:
        for what in frames.WHAT:
            run = build.system(options, f"bench_frames_{path}_{what}")
            tasks["frames", f"{path}_{what}"] = lambda run=run: frames.measure(run, VIRTUAL)
    return tasks


def bundled(options):
    return options.sdk == str(pathlib.Path(options.build) / "sdk" / "microkit-sdk")


def in_virtual_time(runs, host, options):
    """What there is to measure whose figures do not mind what else the host does: the place of each
    in the results, and the function. The longest come first."""
    tasks = {}
    if host:
        tasks["virtual", "peer"] = lambda: peer(host, options)
    for name in PATHS:
        tasks["virtual", name] = lambda name=name: path(name, runs[name], options)
    if "latency" in options.parts:
        tasks.update(latencies(options))
    if "frames" in options.parts:
        tasks.update(floods(options))
    tasks["virtual", "loopback"] = lambda: loopback(runs["isolated"], options)
    for name in PATHS:
        for count in reversed(options.counts):
            run = build.system(options, f"bench_{name}_{count}")
            tasks["scaling", name, str(count)] = (
                lambda name=name, run=run, count=count: scaling(name, run, count, options))
        tasks["exits", name] = lambda name=name: exits.per_segment(
            runs[name], VIRTUAL, lambda text: say(f"{name}: {text}"))
    if options.devices:
        for name, time_of in (("disk", VIRTUAL), ("uplink", WAITING)):
            run = build.system(options, f"bench_{name}")
            tasks["devices", "direct", name] = (
                lambda name=name, time_of=time_of: devices.direct(name, options, time_of, say))
            tasks["devices", "braid", name] = (
                lambda name=name, run=run, time_of=time_of:
                devices.through_braid(name, run, time_of, say))
    # Only the bundled SDK has all of them.
    for board in boards.BOARDS if "boards" in options.parts and bundled(options) else ():
        run = build.system(options, boards.SYSTEM, board)
        tasks["boards", board] = (
            lambda board=board, run=run: boards.measure(board, run, VIRTUAL, options, say))
    return {place: task for place, task in tasks.items() if place[0] in options.parts}


def by_the_clock(runs, host, options):
    """All that the host's clock decides."""
    results = {"boot": wall.boots(runs["isolated"], options, say), "idle": {}}
    for name, run in runs.items():
        with machine.Machine(run) as system:
            system.login(0)
            system.login(1)
            results["idle"][name] = wall.idle(system.child.pid, options.idle)
            say(f"{name}: idle, {results['idle'][name]:.1f} % of a host core")
    if not host:
        return results
    say("peer: boot, by the clock")
    with kvm.Peer(options.qemu, options.kernel, host) as other:
        results["idle"]["peer"] = wall.idle(other.host.child.pid, options.idle)
        say(f"peer: idle, {results['idle']['peer']:.1f} % of a host core")
        results["paired"] = wall.paired(runs, other, options, say)
    return results


def section_bytes(elf, names):
    text = subprocess.run(["aarch64-linux-gnu-size", "-A", elf], check=True, capture_output=True,
                          text=True).stdout
    return sum(int(size) for name, size in re.findall(r"^(\S+)\s+(\d+)\s", text, re.M)
               if name in names)


RANGE = re.compile(r"^  0x(\w+)\.\.0x(\w+) +\d+ KiB  (.+)$", re.M)


def memory(run):
    """What a system takes of the board's memory beside its guests' RAM, bytes, by the bundled tool's report
    (None: another tool's)."""
    text = (run.parent / "report.txt").read_text()
    if "stage-2 tables" not in text:
        return None
    text = text[:text.index("\n# Protection domain")]  # behind it are mappings of the same memory
    # `programs and prefilled regions` are counted one by one.
    return sum(int(end, 16) - int(begin, 16) for begin, end, what in RANGE.findall(text)
               if not re.search(r"\(device|_ram\d*'|^programs and", what))


def memory_of_a_machine(options, path):
    """Of two machines more: monitor, rings, tables, its thread's and vCPU's memory, and no RAM."""
    two, four = (memory(build.system(options, f"bench_{path}_{count}")) for count in (2, 4))
    return None if two is None else (four - two) // 2


def sizes(runs, host, options):
    """Of what runs below the guests: the code and data of all PDs, and the kernel's image."""
    results = {"kernel_lines": sum(
        len(path.read_text().splitlines()) for path in (ROOT / "sdk" / "kernel").rglob("*")
        if path.suffix in (".c", ".h", ".S"))}
    for name, run in runs.items():
        report = (run.parent / "report.txt").read_text()
        kernel = re.search(r"^ .* (\d+) KiB  kernel$", report, re.M)
        results[name] = {
            "image_bytes": (run.parent / "loader.img").stat().st_size,
            "pds_bytes": sum(section_bytes(elf, (".text", ".rodata", ".data", ".bss"))
                             for elf in run.parent.glob("*.elf")),
            "kernel_bytes": int(kernel[1]) << 10 if kernel else None,
            "machine_bytes": memory_of_a_machine(options, name)}
    if host:
        results["peer_host_archive_bytes"] = host.stat().st_size
    return results


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--sdk", required=True)
    parser.add_argument("--make", default="make")
    parser.add_argument("--qemu", default="qemu-system-aarch64")
    parser.add_argument("--kernel", required=True, help="the guests'")
    parser.add_argument("--initramfs", required=True)
    parser.add_argument("--mode", default="full", help="full or quick; after that, if it is not to"
                        f" be all, which of {' '.join(PARTS)}")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(),
                        help="how many of what is measured in virtual time run at once")
    options = parser.parse_args()
    options.mode, *only = options.mode.split() or ["full"]
    if options.mode not in MODES or not set(only) <= set(PARTS):
        parser.error(f"BENCH is one of {' and '.join(MODES)}, and then of {' '.join(PARTS)}")
    options.parts = only or PARTS
    vars(options).update(MODES[options.mode])
    return options


def main():
    options = parse()
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        os.environ.pop(name, None)
    out = pathlib.Path(options.build) / "bench"
    results = {"mode": options.mode,
               "sdk": "bundled" if bundled(options) else pathlib.Path(options.sdk).name,
               "parameters": MODES[options.mode], "seconds": 0}
    if options.parts != PARTS and (out / "results.json").exists():
        # What is not measured anew stays.
        before = json.loads((out / "results.json").read_text())
        if (before["mode"], before["sdk"]) == (results["mode"], results["sdk"]):
            results.update(before)
    spent = results["seconds"]

    def keep(place, figures):
        """Each part as soon as it is there: an interrupted run leaves what it has."""
        *outer, name = place
        inner = results
        for part in outer:
            inner = inner.setdefault(part, {})
        inner[name] = figures
        results["seconds"] = spent + time.monotonic() - BEGIN
        out.mkdir(parents=True, exist_ok=True)
        (out / "results.json").write_text(json.dumps(results, indent=2) + "\n")

    options.image = build.initramfs(options)
    runs = {name: build.system(options, f"bench_{name}") for name in PATHS}
    host = None
    if options.mode == "full":
        say("peer: packages")
        host = kvm.prepare(pathlib.Path(options.build) / "peer", options.kernel, options.image)
    if "sizes" in options.parts:
        keep(["sizes"], sizes(runs, host, options))
    if bundled(options) and "primitives" in options.parts:
        say("primitives")
        keep(["primitives"], primitives.measure(options))
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        at = {pool.submit(task): place
              for place, task in in_virtual_time(runs, host, options).items()}
        failures = []
        for done in concurrent.futures.as_completed(at):
            if error := done.exception():
                failures.append(" ".join(at[done]))
                first = (str(error).splitlines() or [""])[0]
                say(f"failed: {failures[-1]}: {type(error).__name__}: {first}")
            else:
                keep(at[done], done.result())
    if "wall" in options.parts:
        keep(["wall"], by_the_clock(runs, host, options))
    if "cores" in options.parts:
        keep(["cores"], cores.measure(host, options, say))
    if failures:
        sys.exit(f"bench: failed: {', '.join(failures)}; what was measured is in {out}")

    text = table.text(results)
    (out / "results.txt").write_text(text + "\n")
    print(f"\n{text}\n\nalso in {out}/results.txt and results.json")


if __name__ == "__main__":
    main()
