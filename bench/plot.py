#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make plot`: what `make bench` measured, as an SVG, and in another how late a timer's interrupts were.

    plot.py RESULTS.json OUT.svg LATENCY.svg
"""

import json
import math
import pathlib
import sys

import latency

WHO = (("isolated", "Braid, isolated", "#4c78a8"), ("vhost", "Braid, vhost", "#1b9e77"),
       ("peer", "KVM with vhost-net", "#d95f02"), ("loopback", "loopback in one guest", "#999999"))
WIDTH, LABEL, BAR, GAP, TITLE, HEAD = 760, 190, 16, 3, 30, 40


def panels(results):
    """(title, unit, [(who, value)]) of each figure that was measured."""
    of = results["virtual"]
    figures = (("Ping, average: less is better", "ms", lambda s: s["ping"]["avg_ms"]),
               ("TCP, one stream", "Mbit/s", lambda s: s["tcp_mbit_s"]),
               ("TCP, 4 streams", "Mbit/s", lambda s: s["tcp_4_streams_mbit_s"]),
               ("Requests and answers over one TCP connection", "per second",
                lambda s: s["requests_per_s"]),
               ("UDP, 1400 bytes, received", "Mbit/s",
                lambda s: s["udp_1400"]["received_mbit_s"]))
    for title, unit, get in figures:
        values = []
        for who, _, _ in WHO:
            try:
                values.append((who, get(of[who])))
            except KeyError:
                pass
        yield title, unit, values


def number(value):
    return f"{value:.3f}" if value < 10 else f"{value:,.0f}"


def bars(title, unit, values, top):
    names = {who: (name, colour) for who, name, colour in WHO}
    scale = (WIDTH - LABEL - 130) / max(value for _, value in values)
    out = [f'<text x="10" y="{top + 18}" font-weight="bold">{title}</text>']
    for index, (who, value) in enumerate(values):
        y = top + TITLE + index * (BAR + GAP)
        name, colour = names[who]
        out += [f'<text x="{LABEL - 8}" y="{y + 12}" text-anchor="end">{name}</text>',
                f'<rect x="{LABEL}" y="{y}" width="{value * scale:.1f}" height="{BAR}" '
                f'fill="{colour}"/>',
                f'<text x="{LABEL + value * scale + 6:.1f}" y="{y + 12}">'
                f'{number(value)} {unit}</text>']
    return out, top + TITLE + len(values) * (BAR + GAP) + 8


def svg(results):
    body, top = [], HEAD
    for panel in panels(results):
        more, top = bars(*panel, top)
        body += more
    head = ["<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            "<!-- SPDX-License-Identifier: BSD-2-Clause -->",
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top + 10}" '
            f'viewBox="0 0 {WIDTH} {top + 10}" font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{top + 10}" fill="white"/>',
            f'<text x="10" y="24" font-size="15">Two machines on one emulated core, '
            f'virtual time ({results["mode"]}, SDK: {results["sdk"]})</text>']
    return "\n".join([*head, *body, "</svg>"]) + "\n"


# ---- How late interrupts were: a line for each neighbour, both axes by their logarithms ----

LINES = dict(zip(latency.NEIGHBOURS, ("#999999", "#4c78a8", "#1b9e77", "#d95f02", "#e6ab02", "#7570b3",
                                      "#e7298a", "#000000")))
LEFT, TOP, ACROSS, DOWN = 70, 40, 520, 330
DECADES_RIGHT, DECADES_UP = 4, 5  # 1 us to 10 ms, and 1 to 100,000 ticks


def place(microseconds, count):
    """Counts in classes: those of a microsecond, to 20 us; then 20 for each power of ten."""
    x = LEFT + ACROSS * math.log10(max(microseconds, 1)) / DECADES_RIGHT
    return x, TOP + DOWN * (1 - math.log10(count) / DECADES_UP)


def classes(late):
    """(microseconds, ticks) of each class that has any."""
    found = {}
    for microseconds, count in late.items():
        at = int(microseconds)
        if at > 20:
            at = round(10 ** (math.floor(math.log10(at) * 20) / 20))
        found[at] = found.get(at, 0) + count
    return sorted(found.items())


def axes():
    for power in range(DECADES_RIGHT + 1):
        x, y = place(10 ** power, 1)
        yield f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{y}" stroke="#dddddd"/>'
        yield f'<text x="{x:.1f}" y="{y + 18}" text-anchor="middle">{10 ** power:,} us</text>'
    for power in range(DECADES_UP + 1):
        x, y = place(1, 10 ** power)
        yield f'<line x1="{x}" y1="{y:.1f}" x2="{LEFT + ACROSS}" y2="{y:.1f}" stroke="#dddddd"/>'
        yield f'<text x="{x - 8}" y="{y + 4:.1f}" text-anchor="end">{10 ** power:,}</text>'


def late_lines(beside):
    for index, (name, neighbour) in enumerate((n, latency.NEIGHBOURS[n]) for n in LINES if n in beside):
        points = [place(*point) for point in classes(beside[name]["late"])]
        text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        yield f'<polyline points="{text}" fill="none" stroke="{LINES[name]}" stroke-width="1.5"/>'
        yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{LINES[name]}"/>' for x, y in points)
        y = TOP + 14 + 20 * index
        yield f'<rect x="{LEFT + ACROSS + 14}" y="{y - 9}" width="12" height="10" fill="{LINES[name]}"/>'
        yield f'<text x="{LEFT + ACROSS + 32}" y="{y}">{neighbour.label}</text>'


def late_svg(results):
    height = TOP + DOWN + 40
    return "\n".join([
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "<!-- SPDX-License-Identifier: BSD-2-Clause -->",
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH + 40}" height="{height}" '
        f'viewBox="0 0 {WIDTH + 40} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH + 40}" height="{height}" fill="white"/>',
        f'<text x="10" y="24" font-size="15">So many ticks were so late, beside a machine that does this '
        f'({results["mode"]}, SDK: {results["sdk"]})</text>',
        *axes(), *late_lines(results["latency"]["beside"]), "</svg>"]) + "\n"


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: plot.py RESULTS.json OUT.svg LATENCY.svg")
    source = pathlib.Path(sys.argv[1])
    if not source.exists():
        sys.exit(f"plot: there is no {source}; `make bench` makes it")
    results = json.loads(source.read_text())
    if "virtual" in results:
        pathlib.Path(sys.argv[2]).write_text(svg(results))
    if "beside" in results.get("latency", {}):
        pathlib.Path(sys.argv[3]).write_text(late_svg(results))


if __name__ == "__main__":
    main()
