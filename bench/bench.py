#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make bench`: what the system costs and what it gives, as a table and as JSON.

Two kinds of time. Virtual: QEMU runs with `-icount shift=1,sleep=off`, where one instruction takes
2 ns and waiting takes no instructions; such figures repeat to the digit and do not depend on the
host. Wall: QEMU runs freely; the figures are ratios to the same work done without a hypervisor, in
runs that take turns, or shares of one host core.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "system"))

import machine  # noqa: E402  (found by the line above)

VIRTUAL = ["-icount", "shift=1,sleep=off"]
PINGS = 1000
IPERF_SECONDS = 5
IDLE_SECONDS = 20
BOOTS = 3
READY = r"vm(\d) is ready"


def say(text):
    print(f"  BENCH   {text}", flush=True)


def build(options):
    command = [options.make, "--no-print-directory", "-C", str(ROOT), "image",
               f"BUILD_DIR={options.build}", "SYSTEM=virtio_demo", "MICROKIT_CONFIG=release"]
    if options.sdk != str(pathlib.Path(options.build) / "sdk" / "microkit-sdk"):
        command.append(f"MICROKIT_SDK={options.sdk}")
    for name in ("linux", "initrd"):
        if getattr(options, name):
            command.append(f"{name.upper()}={getattr(options, name)}")
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    sdk = "bundled" if "MICROKIT_SDK=" not in " ".join(command) else pathlib.Path(options.sdk).name
    return (pathlib.Path(options.build) / "systems" / "virtio_demo" /
            f"{sdk}.qemu_virt_aarch64.release" / "run")


def mbits(output, who):
    """iperf3's rate in Mbit/s at one end, from its last lines."""
    lines = [line for line in output.splitlines() if line.rstrip().endswith(who)]
    value, unit = re.search(r"([\d.]+) ([KMG])bits/sec", lines[-1]).groups()
    return float(value) * {"K": 1e-3, "M": 1, "G": 1e3}[unit]


def traffic(run):
    """Ping and iperf3 in virtual time."""
    results = {}
    with machine.Machine(run, VIRTUAL, timeout=600) as system:
        system.login(0, timeout=600)
        system.login(1, timeout=600)
        results["uptime_at_shell_s"] = float(system.output(1, "cat /proc/uptime").split()[0])
        system.output(1, "ifconfig eth0 192.168.1.2; ping -c 3 -i 0.1 192.168.1.1")
        for name, how in (("ping", "-i 0.01"), ("ping_flood", "-A")):
            say(f"{name}: {PINGS} packets, {how}")
            output = system.output(1, f"ping -q -c {PINGS} {how} 192.168.1.1", timeout=600)
            sent, received, _ = machine.ping_statistics(output)
            times = re.search(r"min/avg/max = ([\d.]+)/([\d.]+)/([\d.]+)", output)
            results[name] = {"sent": sent, "received": received,
                             **dict(zip(("min_ms", "avg_ms", "max_ms"), map(float, times.groups())))}
        for name, how, end in (("tcp", "", "receiver"), ("tcp_reverse", "-R", "receiver"),
                               ("udp", "-u -b 0 -l 1400", "receiver")):
            say(f"{name}: iperf3 {how} for {IPERF_SECONDS} s")
            system.output(0, "iperf3 -s -D -1; sleep 1")
            output = system.output(1, f"iperf3 -c 192.168.1.1 -t {IPERF_SECONDS} {how}",
                                   timeout=1200)
            results[name + "_mbit_s"] = mbits(output, end)
    return results


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle(run):
    """Of one host core, with both machines at their prompts."""
    with machine.Machine(run, timeout=300) as system:
        system.login(0)
        system.login(1)
        time.sleep(5)
        say(f"idle: {IDLE_SECONDS} s")
        before, begin = processor_seconds(system.child.pid), time.monotonic()
        time.sleep(IDLE_SECONDS)
        used = processor_seconds(system.child.pid) - before
        return {"host_core_percent": 100 * used / (time.monotonic() - begin)}


def direct_command(options):
    return [options.qemu, "-machine", "virt", "-cpu", "cortex-a53", "-m", "256M", "-display", "none",
            "-nic", "none", "-kernel", options.kernel, "-initrd", options.initramfs,
            "-append", "console=hvc0 quiet braid.hostname=vm1 braid.net0=192.168.1.2/24",
            "-device", "virtio-serial-device", "-chardev", "stdio,id=c0,signal=off",
            "-device", "virtconsole,chardev=c0", "-netdev", "hubport,hubid=0,id=n0",
            "-device", "virtio-net-device,netdev=n0"]


def wall_boot(command, arguments, machines):
    """Seconds until so many machines have said that they are ready."""
    with machine.Machine(command, arguments, timeout=300) as system:
        for _ in range(machines):
            system.expect(READY)
        return time.monotonic() - system.begin


def boots(run, options):
    direct, *arguments = direct_command(options)
    pairs = []
    for number in range(1, BOOTS + 1):
        say(f"boot: pair {number} of {BOOTS}")
        pairs.append((wall_boot(direct, arguments, 1), wall_boot(run, [], 2)))
    return {"direct_s": min(d for d, _ in pairs), "both_s": min(b for _, b in pairs),
            "ratio": min(b for _, b in pairs) / min(d for d, _ in pairs)}


def sizes(run):
    lines = sum(len(path.read_text().splitlines()) for path in (ROOT / "sdk" / "kernel").rglob("*")
                if path.suffix in (".c", ".h", ".S"))
    return {"image_bytes": (run.parent / "loader.img").stat().st_size, "kernel_lines": lines}


def table(results):
    traffic_of, ping = results["virtual"], results["virtual"]["ping"]
    flood = traffic_of["ping_flood"]
    rows = [
        ("ping vm1 to vm0, min/avg/max", f"{ping['min_ms']:.3f} / {ping['avg_ms']:.3f} / "
         f"{ping['max_ms']:.3f} ms", "virtual"),
        ("    packets lost", f"{ping['sent'] - ping['received']} of {ping['sent']}", ""),
        ("ping without a pause, avg", f"{flood['avg_ms']:.3f} ms", "virtual"),
        ("TCP vm1 to vm0", f"{traffic_of['tcp_mbit_s']:.0f} Mbit/s", "virtual"),
        ("TCP vm0 to vm1", f"{traffic_of['tcp_reverse_mbit_s']:.0f} Mbit/s", "virtual"),
        ("UDP vm1 to vm0, 1400 B, received", f"{traffic_of['udp_mbit_s']:.0f} Mbit/s", "virtual"),
        ("shell after the kernel's start, two machines",
         f"{traffic_of['uptime_at_shell_s']:.2f} s", "virtual"),
        ("both idle", f"{results['idle']['host_core_percent']:.1f} % of a host core", "wall"),
        ("boot: one machine without a hypervisor", f"{results['boot']['direct_s']:.2f} s", "wall"),
        ("boot: both machines", f"{results['boot']['both_s']:.2f} s, "
         f"{results['boot']['ratio']:.2f} times that", "wall"),
        ("system image", f"{results['size']['image_bytes'] / 1e6:.1f} MB", ""),
        ("bundled kernel", f"{results['size']['kernel_lines']} lines", ""),
    ]
    width = max(len(row[0]) for row in rows)
    return "\n".join(f"{what:{width}}  {figure}{f'  ({kind} time)' if kind else ''}"
                     for what, figure, kind in rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--sdk", required=True)
    parser.add_argument("--make", default="make")
    parser.add_argument("--qemu", default="qemu-system-aarch64")
    parser.add_argument("--kernel", required=True, help="the guests', for the direct boot")
    parser.add_argument("--initramfs", required=True)
    parser.add_argument("--linux", default="")
    parser.add_argument("--initrd", default="")
    options = parser.parse_args()
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        os.environ.pop(name, None)

    run = build(options)
    results = {"sdk": options.sdk, "virtual": traffic(run), "idle": idle(run),
               "boot": boots(run, options), "size": sizes(run)}
    out = pathlib.Path(options.build) / "bench"
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    text = table(results)
    (out / "results.txt").write_text(text + "\n")
    print(f"\n{text}\n\nalso in {out}/results.txt and results.json")


if __name__ == "__main__":
    main()
