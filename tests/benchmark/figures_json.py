# Copyright 2026 The grpc-shm Authors.
# SPDX-License-Identifier: Apache-2.0
"""Reads what `rpc_benchmark --json=FILE` writes."""

import json


class Figures:
    """The figures of one run."""

    def __init__(self, text):
        parsed = json.loads(text)
        self.environment = parsed["environment"]
        self.rows = parsed["rows"]

    def transports(self):
        """The names of all transports, in the order of the run."""
        return list(dict.fromkeys(row["transport"] for row in self.rows))

    def row(self, scenario, transport, size=None, threads=None):
        """The row; None if it was not measured. `size` (bytes) and `threads`: None where only one was measured."""
        for row in self.rows:
            if (
                (row["scenario"], row["transport"]) == (scenario, transport)
                and size in (None, row["bytes"])
                and threads in (None, row["threads"])
            ):
                return row
        return None

    def setup(self):
        """Where and how it was measured, one line."""
        e = self.environment
        kind = "one round" if e["rounds"] == 1 else "medians of {} rounds".format(e["rounds"])
        return "{cpu}, {cores} cores, {kernel}, gRPC {grpc}, {compiler}; {kind}, {date}".format(kind=kind, **e)


def number(value, unit=""):
    """For people: three significant digits or more, or 0."""
    decimals = 0 if value == 0 else 2 if value < 10 else 1 if value < 100 else 0
    return "{:,.{}f}{}".format(value, decimals, unit)


def size(count):
    """`count` bytes, for people."""
    for factor, unit in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= factor and count % factor == 0:
            return "{} {}".format(count // factor, unit)
    return "{} B".format(count)
