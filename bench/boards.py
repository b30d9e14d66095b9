# SPDX-License-Identifier: BSD-2-Clause
"""The same pair of machines on several boards, in virtual time. What differs are the kernel's interrupt
controller and the guests', the timer and the serial line."""

import machine
import traffic

# Each beside the first.
BOARDS = ("qemu_virt_aarch64", "qemu_virt_aarch64_gicv3", "zcu102")
SYSTEM = "bench_isolated"
ROWS = (("ping, average", "ms", lambda board: board["ping"]["avg_ms"]),
        ("ping, 99 of 100 at most", "ms", lambda board: board["ping"]["p99_ms"]),
        ("requests and answers, 1 byte, TCP", "/s", lambda board: board["requests_per_s"]),
        ("TCP, to the server", "Mbit/s", lambda board: board["tcp_mbit_s"]),
        ("TCP, from the server", "Mbit/s", lambda board: board["tcp_reverse_mbit_s"]),
        ("uptime at the shell", "s", lambda board: board["uptime_at_shell_s"]))


def measure(name, run, virtual, options, say):
    with machine.Machine(run, virtual) as system:
        system.login(0)
        system.login(1)
        uptime = float(system.output(1, "cat /proc/uptime", traffic.LONG).split()[0])
        system.output(1, f"ping -c 3 -i 0.1 {traffic.SERVER}", traffic.LONG)
        say(f"{name}: ping, requests, iperf3")
        return {"uptime_at_shell_s": uptime,
                "ping": traffic.ping(system, options.pings, 0.01),
                "requests_per_s": traffic.requests(system, options.request_seconds),
                "tcp_mbit_s": traffic.tcp(traffic.iperf(system, "", options.tcp)),
                "tcp_reverse_mbit_s": traffic.tcp(traffic.iperf(system, "-R", options.tcp))}


def table(results, line):
    """In brackets: by the first board's."""
    there = [name for name in BOARDS if name in results]
    yield line("", *(name.removeprefix("qemu_") for name in there))
    for what, unit, get in ROWS:
        values = [get(results[name]) for name in there]
        yield line(what, *(f"{value:.{0 if value >= 100 else 3}f} {unit} ({value / values[0]:.3f})"
                           for value in values))
