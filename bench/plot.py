#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make plot`: what `make bench` measured, as an SVG.

    plot.py RESULTS.json OUT.svg
"""

import json
import pathlib
import sys

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


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: plot.py RESULTS.json OUT.svg")
    source = pathlib.Path(sys.argv[1])
    if not source.exists():
        sys.exit(f"plot: there is no {source}; `make bench` makes it")
    pathlib.Path(sys.argv[2]).write_text(svg(json.loads(source.read_text())))


if __name__ == "__main__":
    main()
