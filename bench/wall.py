# SPDX-License-Identifier: BSD-2-Clause
"""What is measured by the host's clock: idling, booting, and runs that alternate with the peer's.

QEMU runs freely here, so these figures depend on what else the host does. Therefore each is a ratio of
runs that took turns, or a share of processor time.
"""

import os
import pathlib
import statistics
import time

import machine
import traffic

READY = r"vm(\d) is ready"


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle(pid, seconds):
    """Processor time of a QEMU, in percent of one host core. Its machines sit at their prompts."""
    time.sleep(3)
    before, begin = processor_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return 100 * (processor_seconds(pid) - before) / (time.monotonic() - begin)


def direct_command(options, more=()):
    """One guest on QEMU's devices with no hypervisor."""
    return [options.qemu, "-machine", "virt", "-cpu", "cortex-a53", "-m", "256M", "-display", "none",
            "-nic", "none", "-global", "virtio-mmio.force-legacy=false",
            "-kernel", options.kernel, "-initrd", str(options.image),
            "-append", "console=hvc0 quiet cryptomgr.notests braid.hostname=vm0 braid.net0=10.0.2.15/24",
            "-device", "virtio-serial-device", "-chardev", "stdio,id=c0,signal=off",
            "-device", "virtconsole,chardev=c0", *more]


HUB = ["-netdev", "hubport,hubid=0,id=n0", "-device", "virtio-net-device,netdev=n0"]


# More than either of those whose booting is timed takes.
TOUCHED = 1 << 29


def touch_memory():
    """
    Take memory from the host, write to it and give it back: who starts next finds pages at hand, and
    not just as many as the one before it, who may have been smaller or larger, has left.
    """
    touched = bytearray(b"\1") * TOUCHED
    assert len(touched) == TOUCHED


def boot(command, arguments, machines):
    """Seconds until so many machines have said that they are ready."""
    touch_memory()
    with machine.Machine(command, arguments) as system:
        for _ in range(machines):
            system.expect(READY)
        return time.monotonic() - system.begin


def boots(run, options, say):
    direct, *arguments = direct_command(options, HUB)
    pairs = []
    for number in range(1, options.boots + 1):
        say(f"boot: pair {number} of {options.boots}")
        pairs.append((boot(direct, arguments, 1), boot(run, [], 2)))
    alone, both = (min(times) for times in zip(*pairs))
    return {"direct_s": alone, "both_s": both, "ratio": both / alone}


def once(pair, options):
    return {"ping_ms": traffic.ping(pair, 100, 0.01)["avg_ms"],
            "tcp_mbit_s": traffic.tcp(traffic.iperf(pair, "", options.tcp))}


def paired(runs, peer, options, say):
    """All are up, and take turns; the others idle meanwhile. The medians, and ours by the peer's."""
    systems = {}
    found = {name: [] for name in [*runs, "peer"]}
    try:
        for name, run in runs.items():
            systems[name] = machine.Machine(run, [])
            systems[name].login(0)
            systems[name].login(1)
        systems["peer"] = traffic.Guests(peer.guests)
        for pair in systems.values():
            pair.output(1, f"ping -c 3 -i 0.1 {traffic.SERVER}", 600)
        for turn in range(1, options.turns + 1):
            for name, pair in systems.items():
                found[name].append(once(pair, options))
                say(f"wall clock, turn {turn} of {options.turns}: {name}: "
                    + ", ".join(f"{what} {figure:.3f}" for what, figure in found[name][-1].items()))
    finally:
        for name, system in systems.items():
            if name != "peer":
                system.stop()
    results = {name: {figure: statistics.median(run[figure] for run in of)
                      for figure in ("ping_ms", "tcp_mbit_s")} for name, of in found.items()}
    for name in runs:
        for figure in ("ping_ms", "tcp_mbit_s"):
            results[name][figure.split("_")[0] + "_ratio"] = statistics.median(
                ours[figure] / theirs[figure] for ours, theirs in zip(found[name], found["peer"]))
    return results
