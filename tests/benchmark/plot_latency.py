#!/usr/bin/env python3
# Copyright 2026 The grpc-shm Authors.
# SPDX-License-Identifier: Apache-2.0
"""Plots how long a unary call takes over the size of its message.

    rpc_benchmark --json=figures.json
    plot_latency.py figures.json > latency.svg

One line for each transport: the median latency (p50) of the scenario `unary`, both axes logarithmic. A message of 0 bytes, which
has no place on such an axis, stands left of it. The same figures make the same picture, byte for byte.
"""

import argparse
import math
import sys
from xml.sax.saxutils import escape

import figures_json

WIDTH, HEIGHT = 860, 520
LEFT, RIGHT, TOP, BOTTOM = 78, 700, 62, 428

# Told apart by their shapes too, and without seeing red and green (Okabe and Ito's colours).
COLORS = {
    "shm": "#d55e00",
    "shm_generic": "#e69f00",
    "unix": "#0072b2",
    "tcp": "#56b4e9",
    "inproc": "#009e73",
    "floor": "#666666",
}
OTHER_COLORS = ("#cc79a7", "#000000", "#8a6d00")
SHAPES = (
    "M-4 -4h8v8h-8z",
    "M0 -5.5L5 4H-5z",
    "M0 -5.5L5.5 0L0 5.5L-5.5 0z",
    "M0 5.5L5 -4H-5z",
    "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
    "M-5 -1.5h3.5v-3.5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5z",
)


class Axis:
    """A logarithmic axis from pixel `start` to pixel `end`."""

    def __init__(self, low, high, start, end):
        self.low, self.high, self.start, self.end = low, high, start, end

    def at(self, value):
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)


def lines_of(figures):
    """[(transport, [(bytes, p50 in us), ...]), ...], of those that were measured."""
    lines = []
    for transport in figures.transports():
        points = sorted(
            (row["bytes"], row["p50_us"])
            for row in figures.rows
            if row["scenario"] == "unary" and row["transport"] == transport and row["p50_us"]
        )
        if points:
            lines.append((transport, points))
    return lines


def duration(microseconds):
    if microseconds >= 1e6:
        return "{:g} s".format(microseconds / 1e6)
    if microseconds >= 1e3:
        return "{:g} ms".format(microseconds / 1e3)
    return "{:g} us".format(microseconds)


def plot(figures):
    """The text of an SVG."""
    lines = lines_of(figures)
    if not lines:
        raise ValueError("no unary call was measured")
    sizes = sorted({count for _, points in lines for count, _ in points})
    smallest = next((count for count in sizes if count > 0), 1024)
    # 0 bytes stand where a much smaller message would.
    nothing = smallest / 16
    times = [time for _, points in lines for _, time in points]
    decades = range(math.floor(math.log10(min(times))), math.ceil(math.log10(max(times))) + 1)
    if len(decades) == 1:  # all are the same power of ten
        decades = range(decades[0], decades[0] + 2)
    x = Axis(nothing / 1.6, max(sizes[-1], smallest) * 1.6, LEFT, RIGHT)
    y = Axis(10.0 ** decades[0], 10.0 ** decades[-1], BOTTOM, TOP)

    out = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}" '
        'font-family="sans-serif" font-size="13" fill="#222" role="img" aria-labelledby="title">'.format(WIDTH, HEIGHT),
        '<title id="title">Latency of a unary call over the size of its message</title>',
        '<rect width="{}" height="{}" fill="#fff"/>'.format(WIDTH, HEIGHT),
    ]

    def text(px, py, words, anchor="middle", extra=""):
        out.append('<text x="{:.1f}" y="{:.1f}" text-anchor="{}"{}>{}</text>'.format(px, py, anchor, extra, escape(words)))

    def line(x1, y1, x2, y2, color):
        out.append(
            '<path d="M{:.1f} {:.1f}L{:.1f} {:.1f}" stroke="{}" fill="none"/>'.format(x1, y1, x2, y2, color)
        )

    text(LEFT, 26, "Latency of a unary call", "start", ' font-size="18" font-weight="bold"')
    how = "p50, request and reply of the same size; lower is better"
    if figures.environment["quick"]:
        how += "; from a --quick run: to look at, not to show"
    text(LEFT, 45, how, "start")

    for decade in decades:
        height = y.at(10.0**decade)
        line(LEFT, height, RIGHT, height, "#bbb")
        text(LEFT - 8, height + 4, duration(10.0**decade), "end")
        if decade == decades[-1]:
            continue
        for minor in range(2, 10):
            height = y.at(minor * 10.0**decade)
            line(LEFT, height, RIGHT, height, "#eee")
    for count in sizes:
        along = x.at(count or nothing)
        line(along, BOTTOM, along, BOTTOM + 5, "#222")
        text(along, BOTTOM + 20, figures_json.size(count))
    line(LEFT, TOP, LEFT, BOTTOM, "#222")
    line(LEFT, BOTTOM, RIGHT, BOTTOM, "#222")
    text((LEFT + RIGHT) / 2, BOTTOM + 44, "size of the message")
    middle = (TOP + BOTTOM) / 2
    text(20, middle, "latency", extra=' transform="rotate(-90 20 {:.1f})"'.format(middle))
    text(LEFT, HEIGHT - 14, figures.setup(), "start", ' font-size="11" fill="#555"')

    others = iter(OTHER_COLORS * len(lines))
    for index, (transport, points) in enumerate(lines):
        color = COLORS.get(transport) or next(others)
        shape = SHAPES[index % len(SHAPES)]
        places = [(x.at(count or nothing), y.at(time)) for count, time in points]
        path = "L".join("{:.1f} {:.1f}".format(*place) for place in places)
        out.append('<g fill="{0}" stroke="{0}">'.format(color))
        out.append('<path d="M{}" fill="none" stroke-width="2"/>'.format(path))
        legend = (RIGHT + 28, TOP + 12 + 24 * index)
        for place in places + [legend]:
            out.append('<path d="{}" stroke="none" transform="translate({:.1f} {:.1f})"/>'.format(shape, *place))
        out.append('<path d="M{:.1f} {:.1f}h28" stroke-width="2"/>'.format(legend[0] - 14, legend[1]))
        out.append("</g>")
        text(legend[0] + 22, legend[1] + 4, transport, "start")
    out.append("</svg>")
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figures", help="what rpc_benchmark --json=FILE has written")
    with open(parser.parse_args().figures, encoding="utf-8") as file:
        sys.stdout.write(plot(figures_json.Figures(file.read())))


if __name__ == "__main__":
    main()
