#!/usr/bin/env python3
# Copyright 2026 The grpc-shm Authors.
# SPDX-License-Identifier: Apache-2.0
"""Makes the tables of docs/benchmarks.md.

    rpc_benchmark --json=figures.json
    figures_table.py figures.json                               # prints them
    figures_table.py figures.json --into docs/benchmarks.md     # puts them there, between the two marks

The first table has what was measured, the second how that compares to what this project wants.
"""

import argparse
import re
import sys

import figures_json
from figures_json import number

KIB = 1 << 10
MIB = 1 << 20

# (scenario, bytes, threads, figure, what to call it). None: the only one.
FIGURES = (
    ("unary", 0, None, "p50_us", "unary, 0 B: p50, us"),
    ("unary", 0, None, "p99_us", "unary, 0 B: p99, us"),
    ("unary", 0, None, "cpu_us_per_call", "unary, 0 B: CPU per call, us"),
    ("unary", KIB, None, "p50_us", "unary, 1 KiB: p50, us"),
    ("unary", 64 * KIB, None, "p50_us", "unary, 64 KiB: p50, us"),
    ("unary", MIB, None, "p50_us", "unary, 1 MiB: p50, us"),
    ("unary", 16 * MIB, None, "p50_us", "unary, 16 MiB: p50, us"),
    ("unary_sparse", None, None, "p50_us", "unary, after 10 ms of idleness: p50, us"),
    ("unary_threads", None, None, "per_s", "unary, 8 threads: calls/s"),
    ("unary_threads", None, None, "cpu_us_per_call", "unary, 8 threads: CPU per call, us"),
    ("unary_async", None, None, "per_s", "unary, 64 outstanding on one queue: calls/s"),
    ("stream_pingpong", None, None, "p50_us", "stream, back and forth, 64 B: p50, us"),
    ("stream_down", 64, None, "per_s", "stream down, 64 B: messages/s"),
    ("stream_down", MIB, None, "mb_per_s", "stream down, 1 MiB: MB/s"),
    ("idle", None, None, "idle_cpu_ms", "100 idle channels: CPU ms in 5 s"),
    ("idle", None, None, "idle_own_switches", "100 idle channels: context switches of our threads"),
)

# The same with something beside the measured calls.
FIGURES_BESIDE = (
    ("unary_idle_links", None, None, "p50_us", "unary, 0 B, beside 1,000 idle channels: p50, us"),
    ("unary_idle_links", None, None, "alone_p50_us", "unary, 0 B, without them in the same rounds: p50, us"),
    ("unary_contended", None, 1, "p50_us", "unary, 0 B, beside busy processes: p50, us"),
    ("unary_contended", None, 1, "p99_us", "unary, 0 B, beside busy processes: p99, us"),
    ("unary_contended", None, 1, "per_s", "unary, 0 B, beside busy processes: calls/s"),
    ("unary_contended", None, 1, "cpu_us_per_call", "unary, 0 B, beside busy processes: CPU per call, us"),
    ("unary_contended", None, 1, "beside_cpu_percent", "the share of a core that each of those got, %"),
    ("unary_contended", None, 8, "per_s", "unary, 8 threads, beside busy processes: calls/s"),
    ("unary_contended", None, 8, "beside_cpu_percent", "the share of a core that each of those got, %"),
)

FASTER, AT_MOST = "faster", "at most"

# (what, scenario, bytes, threads, figure, transport, compared to, FASTER or AT_MOST, how many times). FASTER: the other's time over
# this one's, or this one's rate over the other's.
TARGETS = (
    ("unary, 0 B", "unary", 0, None, "p50_us", "shm", "unix", FASTER, 10),
    ("unary, 0 B", "unary", 0, None, "p50_us", "shm_generic", "unix", FASTER, 6.5),
    ("unary, 0 B", "unary", 0, None, "p50_us", "shm", "floor", AT_MOST, 2.0),
    ("unary, 0 B", "unary", 0, None, "p50_us", "shm_generic", "floor", AT_MOST, 3.2),
    ("unary, 0 B", "unary", 0, None, "p50_us", "shm", "inproc", FASTER, 5),
    ("unary, 1 KiB", "unary", KIB, None, "p50_us", "shm", "unix", FASTER, 8),
    ("unary, 64 KiB", "unary", 64 * KIB, None, "p50_us", "shm", "unix", FASTER, 4),
    ("unary, 1 MiB", "unary", MIB, None, "p50_us", "shm", "unix", FASTER, 4),
    ("unary, 16 MiB", "unary", 16 * MIB, None, "p50_us", "shm", "unix", FASTER, 3),
    ("unary, after 10 ms of idleness", "unary_sparse", None, None, "p50_us", "shm", "unix", FASTER, 4),
    ("unary, 8 threads: calls/s", "unary_threads", None, None, "per_s", "shm", "unix", FASTER, 5),
    ("unary, 64 outstanding: calls/s", "unary_async", None, None, "per_s", "shm", "unix", FASTER, 5),
    ("stream, back and forth", "stream_pingpong", None, None, "p50_us", "shm", "unix", FASTER, 8),
    ("stream down, 64 B: messages/s", "stream_down", 64, None, "per_s", "shm", "unix", FASTER, 3),
    ("stream down, 1 MiB: MB/s", "stream_down", MIB, None, "mb_per_s", "shm", "unix", FASTER, 3),
    ("unary, 0 B: CPU per call", "unary", 0, None, "cpu_us_per_call", "shm", "unix", AT_MOST, 1 / 5),
    ("unary, 8 threads: CPU per call", "unary_threads", None, None, "cpu_us_per_call", "shm", "unix", AT_MOST, 1 / 3),
    ("100 idle channels: CPU time", "idle", None, None, "idle_cpu_ms", "shm", "unix", AT_MOST, 1),
    ("unary, 0 B, beside busy processes", "unary_contended", None, 1, "p50_us", "shm", "shm_never", AT_MOST, 1),
    ("unary, 0 B, beside busy processes: calls/s", "unary_contended", None, 1, "per_s", "shm", "shm_never", FASTER, 1),
    ("unary, 8 threads, beside busy processes: calls/s", "unary_contended", None, 8, "per_s", "shm", "shm_never", FASTER, 1),
)
RATES = ("per_s", "mb_per_s")


def table(head, rows):
    """Markdown, the numbers right-aligned."""
    lines = ["| {} |".format(" | ".join(head)), "|---|{}".format("--:|" * (len(head) - 1))]
    return lines + ["| {} |".format(" | ".join(row)) for row in rows]


def figures_table(figures, wanted):
    """A column for each transport that has one of the figures; no lines where there are none."""
    transports = []
    for transport in figures.transports():
        rows = (figures.row(scenario, transport, size, threads) for scenario, size, threads, _, _ in wanted)
        if any(rows):
            transports.append(transport)
    lines = []
    for scenario, size, threads, figure, name in wanted:
        cells = []
        for transport in transports:
            row = figures.row(scenario, transport, size, threads)
            value = row and row[figure]
            cells.append("-" if value is None else number(value, "*" if row["noisy_rounds"] else ""))
        if any(cell != "-" for cell in cells):
            lines.append([name] + cells)
    return table([""] + transports, lines) if lines else []


def verdict(met):
    return "yes" if met else "**no**"


def compared(figures, target):
    """A line of the second table; None if that was not measured."""
    what, scenario, size, threads, figure, transport, other, kind, limit = target
    row = figures.row(scenario, transport, size, threads)
    reference = figures.row(scenario, other, size, threads)
    if not row or not reference or not row[figure] or not reference[figure]:
        return None
    ratio = row[figure] / reference[figure]
    if kind == FASTER and figure not in RATES:
        ratio = 1 / ratio
    met = ratio >= limit if kind == FASTER else ratio <= limit
    wanted = "{} {}x".format("at least" if kind == FASTER else "at most", number(limit))
    how = "as fast as" if kind == FASTER else "that of"
    return ["{}: `{}`, times {} `{}`".format(what, transport, how, other), number(ratio, "x"), wanted, verdict(met)]


def single(figures, what, scenario, figure, limit):
    """The same for a figure that is to be no larger than a number, in any round or, if that is not 0, in the median."""
    row = figures.row(scenario, "shm")
    if not row or row[figure] is None:
        return None
    value = max(round_[figure] for round_ in row["rounds"]) if limit == 0 else row[figure]
    return [what, number(value), "at most {}".format(number(limit)), verdict(value <= limit)]


def targets_table(figures):
    rows = [compared(figures, target) for target in TARGETS]
    rows.append(
        single(figures, "100 idle channels: context switches of our threads, worst round", "idle", "idle_own_switches", 0)
    )
    rows.append(
        single(figures, "unary, 0 B, beside 1,000 idle channels: p50, times that without", "unary_idle_links", "ratio_to_alone", 1.05)
    )
    rows = [row for row in rows if row]
    return table(["", "measured", "wanted", "reached"], rows) if rows else []


def markdown(figures):
    e = figures.environment
    lines = []
    if e["quick"]:
        lines += ["**From a run with `--quick`: figures to look at, not to show.**", ""]
    lines += [
        figures.setup() + ".",
        "Load averages before the run {}; during it the host stole {:.2f} % of all cores' time, other processes took {:.1f} %.".format(
            e["load"], e["stolen_percent"], e["other_busy_percent"]
        ),
        "`*`: the host stole more than 2 % of the time in a round of this figure.",
        "",
    ]
    for wanted in (FIGURES, FIGURES_BESIDE):
        rows = figures_table(figures, wanted)
        if rows:
            lines += rows + [""]
    reached = targets_table(figures)
    if reached:
        lines += ["What this project wants of itself, in the same run:", ""] + reached
    return "\n".join(lines).rstrip() + "\n"


def put_between_marks(document, text):
    """Returns `document` with `text` between its two marks."""
    marks = re.compile(r"(<!-- figures begin.*?-->\n).*(<!-- figures end -->)", re.DOTALL)
    if not marks.search(document):
        raise ValueError("there is no place for figures: <!-- figures begin --> ... <!-- figures end -->")
    return marks.sub(lambda found: found.group(1) + "\n" + text + "\n" + found.group(2), document)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figures", help="what rpc_benchmark --json=FILE has written")
    parser.add_argument("--into", help="a document with marks for the tables")
    arguments = parser.parse_args()
    with open(arguments.figures, encoding="utf-8") as file:
        text = markdown(figures_json.Figures(file.read()))
    if not arguments.into:
        sys.stdout.write(text)
        return
    with open(arguments.into, encoding="utf-8") as file:
        document = put_between_marks(file.read(), text)
    with open(arguments.into, "w", encoding="utf-8") as file:
        file.write(document)


if __name__ == "__main__":
    main()
