# SPDX-License-Identifier: BSD-2-Clause
"""The results as a table: a row for each figure, a column for each system."""

import boards
import cores
import doorbell
import frames
import latency
import primitives
import shares

COLUMNS = ("isolated", "vhost", "KVM peer", "loopback")
WIDTHS = (40, 22, 22, 22, 22)


def line(*cells):
    return "".join(f"{cell:<{width}}" for cell, width in zip(cells, WIDTHS)).rstrip()


def ratio(ours, theirs, places=2):
    return f" ({ours / theirs:.{places}f})" if theirs else ""


def sides(results):
    """The results in virtual time of (isolated, vhost, peer, loopback); {} if there are none."""
    of = results["virtual"]
    return tuple(of.get(name, {}) for name in ("isolated", "vhost", "peer", "loopback"))


def row(what, results, get, form):
    """Ours with their ratio to the peer's, where there is one."""
    values = []
    for side in sides(results):
        try:
            values.append(get(side))
        except KeyError:
            values.append(None)
    cells = [form.format(value) if value is not None else "-" for value in values]
    for number in (0, 1):
        if values[2]:
            cells[number] += ratio(values[number], values[2])
    return line(what, *cells)


def pings(results):
    yield row("ping, average", results, lambda s: s["ping"]["avg_ms"], "{:.3f} ms")
    for key, what in (("min", "smallest"), ("p99", "99 of 100 at most"), ("max", "largest")):
        yield row(f"    {what}", results, lambda s, key=key: s["ping"][key + "_ms"], "{:.3f} ms")
    yield row("    lost", results, lambda s: s["ping"]["sent"] - s["ping"]["received"], "{}")


def streams(results):
    yield row("requests and answers, 1 byte, TCP", results, lambda s: s["requests_per_s"],
              "{:.0f} /s")
    for key, what in (("tcp", "TCP, to the server"), ("tcp_reverse", "TCP, from the server"),
                      ("tcp_4_streams", "TCP, 4 streams")):
        yield row(what, results, lambda s, key=key: s[key + "_mbit_s"], "{:.0f} Mbit/s")
    yield row("TCP, both ways at once, sum", results, lambda s: sum(s["tcp_both_ways_mbit_s"]),
              "{:.0f} Mbit/s")
    for size in (64, 1400):
        yield row(f"UDP, {size} bytes, received", results,
                  lambda s, size=size: s[f"udp_{size}"]["received_mbit_s"], "{:.1f} Mbit/s")
        cells = [f"{s[f'udp_{size}']['lost_percent']:.1f} %" if s else "-" for s in sides(results)]
        yield line("    lost of what was sent", *cells)
    cells = [f"{s['uptime_at_shell_s']:.2f} s" if "uptime_at_shell_s" in s else "-"
             for s in sides(results)]
    yield line("second machine's shell, by its uptime", *cells)


def costs(results):
    both = [results["exits"][name] for name in ("isolated", "vhost")]
    yield line("for 64 KiB of TCP", *[f"{e['of_64_kib']:.2f}" for e in both])
    for cause in dict.fromkeys(c for e in both for c in e["by_cause"]):
        yield line(f"    {cause}", *[f"{e['by_cause'].get(cause, 0):.2f}" for e in both])
    yield line("    system calls of PDs", *[f"{e['system_calls']:.2f}" for e in both])


def many(results):
    both = [set(results["scaling"][path]) for path in ("isolated", "vhost")]
    for count in sorted(set.intersection(*both), key=int):
        cells = []
        for path in ("isolated", "vhost"):
            of = results["scaling"][path]
            one, rates = sum(of["2"]), of[count]
            cells.append(f"{sum(rates):.0f} Mbit/s ({sum(rates) / one:.2f})")
        pairs = int(count) // 2
        yield line(f"{pairs} pair{'s'[:pairs > 1]} at once, sum (by one pair's)", *cells)


def through_the_board(results):
    of = results["devices"]
    yield line("", "Braid (by direct)", "QEMU's device directly")
    for key in of["direct"]["disk"]:
        order, way, depth = key.split("_")
        size, unit = ("1 MiB", "mbyte_s") if order == "sequential" else ("4 KiB", "per_s")
        ours, theirs = (of[who]["disk"][key][unit] for who in ("braid", "direct"))
        name = "MB/s" if unit == "mbyte_s" else "/s"
        yield line(f"disk, {order} {way}s of {size}, {depth}",
                   f"{ours:.0f} {name}{ratio(ours, theirs)}", f"{theirs:.0f} {name}")
    for way, what in (("send", "TCP to the host"), ("receive", "TCP from the host")):
        ours, theirs = (of[who]["uplink"][way + "_mbit_s"] for who in ("braid", "direct"))
        yield line(what, f"{ours:.0f} Mbit/s{ratio(ours, theirs)}", f"{theirs:.0f} Mbit/s")


def clock(results):
    wall = results["wall"]
    idle = wall["idle"]
    yield line("both idle, of one host core",
               *[f"{idle[name]:.1f} %" if name in idle else "-"
                 for name in ("isolated", "vhost", "peer")])
    if "paired" in wall:
        paired = wall["paired"]
        for key, form in (("ping_ms", "{:.3f} ms"), ("tcp_mbit_s", "{:.0f} Mbit/s")):
            name = key.split("_")[0]
            yield line(name.replace("tcp", "TCP") + ", turns with the peer's",
                       *[form.format(paired[s][key]) + f" ({paired[s][name + '_ratio']:.2f})"
                         for s in ("isolated", "vhost")], form.format(paired["peer"][key]))
    boot = wall["boot"]
    yield line("boot, both machines ready", f"{boot['both_s']:.2f} s, {boot['ratio']:.2f} times"
               f" one machine's without a hypervisor ({boot['direct_s']:.2f} s)")


def several(results):
    yield line("", "measured", "against", "ratio", "goal")
    for row_of in cores.ROWS:
        if cells := row_of.cells(results["cores"]):
            yield line(*cells)


def sizes(results):
    of = results["sizes"]
    yield line("system image, with the guests' files",
               *[f"{of[p]['image_bytes'] / 1e6:.1f} MB" for p in ("isolated", "vhost")])
    yield line("    code and data of the PDs",
               *[f"{of[p]['pds_bytes'] / 1024:.0f} KiB" for p in ("isolated", "vhost")])
    if of["isolated"]["kernel_bytes"]:
        yield line("    kernel, with its tables and stacks",
                   *[f"{of[p]['kernel_bytes'] / 1024:.0f} KiB" for p in ("isolated", "vhost")])
    if of["isolated"].get("machine_bytes"):
        yield line("a machine beside its own RAM",
                   *[f"{of[p]['machine_bytes'] / 1024:.0f} KiB" for p in ("isolated", "vhost")])
    yield line("bundled kernel's source", f"{of['kernel_lines']} lines")
    if "peer_host_archive_bytes" in of:
        yield line("the peer's host, beside its kernel", "", "",
                   f"{of['peer_host_archive_bytes'] / 1e6:.1f} MB")


def text(results):
    head = line("", *COLUMNS)
    rule = "-" * sum(WIDTHS[:-1] + (12,))
    parts = [[f"{results['mode']}, SDK: {results['sdk']}; {results['seconds']:.0f} s in all. "
              "In brackets: by the peer's, where no other is named."]]
    if results.get("virtual"):
        parts.append(["", "Virtual time (2 ns an instruction)", head, rule, *pings(results),
                      *streams(results)])
    if results.get("exits"):
        parts.append(["", "Exits, virtual time", head, rule, *costs(results)])
    if results.get("scaling"):
        parts.append(["", "Scaling, TCP in pairs on one switch, virtual time", head, rule,
                      *many(results)])
    if results.get("devices"):
        parts.append(["", "The board's disk, 1 and 16 requests in flight, and card, virtual time", rule,
                      *through_the_board(results)])
    if results.get("boards"):
        parts.append(["", "Boards, virtual time; in brackets by the first one's", rule,
                      *boards.table(results["boards"], line)])
    if results.get("frames"):
        parts.append(["", "Frames of 64 bytes through the switch, virtual time", rule,
                      *frames.table(results["frames"], line)])
    late = results.get("latency", {})
    if late.get("beside"):
        parts.append(["", "How late a timer's interrupts are handled, virtual time", rule,
                      *latency.table(late["beside"], line)])
    if late.get("share"):
        parts.append(["", "30 % of the processor, virtual time", rule, *shares.table(late["share"], line)])
    if late.get("ping"):
        parts.append(["", "Equals on one switch, virtual time", rule, *shares.ping_table(late["ping"], line)])
    if results.get("latency", {}).get("doorbell"):
        parts.append(["", "Shared memory, virtual time", rule,
                      *doorbell.table(results["latency"]["doorbell"], line)])
    if results.get("primitives"):
        parts.append(["", "Instructions of the kernel's primitives, libmicrokit's share included",
                      rule, *[line(primitives.LABELS.get(n, n.replace("_", " "))[:60].ljust(62)
                                   + f"{f:>6}") for n, f in results["primitives"].items()]])
    if results.get("wall"):
        parts.append(["", "The host's clock", head, rule, *clock(results)])
    if results.get("cores"):
        parts.append(["", "Several cores, the host's clock, in turns; the best run of each", rule,
                      *several(results)])
    if results.get("sizes"):
        parts.append(["", "Sizes", rule, *sizes(results)])
    return "\n".join("\n".join(part) for part in parts)
