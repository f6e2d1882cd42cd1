# Copyright 2026 The grpc-shm Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of plot_latency.py and figures_table.py."""

import copy
import json
import unittest
import xml.etree.ElementTree

import figures_json
import figures_table
import plot_latency

SVG = "{http://www.w3.org/2000/svg}"
ENVIRONMENT = {
    "cpu": "A & B",
    "cores": 2,
    "kernel": "Linux 6",
    "grpc": "1.51.1",
    "compiler": "gcc 12",
    "date": "2026-01-01T00:00:00+00:00",
    "load": "0 0 0",
    "quick": False,
    "rounds": 5,
    "stolen_percent": 0.5,
    "other_busy_percent": 1,
    "notes": [],
}


def row(scenario, transport, size=0, threads=1, **figures):
    names = "p50_us p99_us per_s mb_per_s cpu_us_per_call idle_cpu_ms idle_own_switches beside_cpu_percent alone_p50_us ratio_to_alone"
    result = dict.fromkeys(names.split())
    result.update(figures, scenario=scenario, transport=transport, bytes=size, threads=threads, noisy_rounds=0)
    result["rounds"] = [figures]
    return result


def run(rows, **environment):
    return figures_json.Figures(json.dumps({"environment": {**ENVIRONMENT, **environment}, "rows": rows}))


UNARY = [
    row("unary", "shm", 0, p50_us=5),
    row("unary", "shm", 1024, p50_us=10),
    row("unary", "unix", 0, p50_us=60),
    row("unary", "unix", 1024, p50_us=70),
]


class PlotTest(unittest.TestCase):
    def parts(self, figures):
        """The picture's words, and how many corners each transport's line has."""
        root = xml.etree.ElementTree.fromstring(plot_latency.plot(figures))
        words = [element.text for element in root.iter(SVG + "text")]
        corners = [group.find(SVG + "path").get("d").count("L") + 1 for group in root.iter(SVG + "g")]
        return words, corners

    def test_every_transport_has_a_line_and_a_name(self):
        words, corners = self.parts(run(UNARY + [row("unary", "pigeon", 0, p50_us=1e6)]))
        self.assertEqual(corners, [2, 2, 1])
        for word in ("shm", "unix", "pigeon", "0 B", "1 KiB", "10 us", "1 s", "latency", "size of the message"):
            self.assertIn(word, words)

    def test_other_scenarios_are_left_out(self):
        words, corners = self.parts(run(UNARY + [row("unary_sparse", "tcp", p50_us=1)]))
        self.assertEqual(len(corners), 2)
        self.assertNotIn("tcp", words)

    def test_a_slower_call_is_higher_and_a_larger_message_further_right(self):
        root = xml.etree.ElementTree.fromstring(plot_latency.plot(run(UNARY)))
        paths = [group.find(SVG + "path").get("d")[1:].split("L") for group in root.iter(SVG + "g")]
        (shm_0, shm_1), (unix_0, _) = [[tuple(map(float, point.split())) for point in path] for path in paths]
        self.assertLess(unix_0[1], shm_0[1])
        self.assertEqual(unix_0[0], shm_0[0])
        self.assertGreater(shm_1[0], shm_0[0])

    def test_the_same_figures_make_the_same_picture(self):
        self.assertEqual(plot_latency.plot(run(UNARY)), plot_latency.plot(run(copy.deepcopy(UNARY))))

    def test_a_quick_run_is_marked(self):
        self.assertNotIn("--quick", plot_latency.plot(run(UNARY)))
        self.assertIn("--quick", plot_latency.plot(run(UNARY, quick=True)))

    def test_one_point_is_enough_and_none_is_not(self):
        self.assertEqual(self.parts(run([row("unary", "shm", 0, p50_us=10)]))[1], [1])
        with self.assertRaises(ValueError):
            plot_latency.plot(run([]))


class TableTest(unittest.TestCase):
    def test_figures_stand_beside_one_another(self):
        text = figures_table.markdown(run(UNARY))
        self.assertIn("|  | shm | unix |\n|---|--:|--:|\n| unary, 0 B: p50, us | 5.00 | 60.0 |\n", text)
        self.assertNotIn("--quick", text)

    def test_a_target_that_is_reached_and_one_that_is_not(self):
        text = figures_table.markdown(run(UNARY))
        self.assertIn("| unary, 0 B: `shm`, times as fast as `unix` | 12.0x | at least 10.0x | yes |\n", text)
        self.assertIn("| unary, 1 KiB: `shm`, times as fast as `unix` | 7.00x | at least 8.00x | **no** |\n", text)

    def test_rates_and_costs_compare_the_other_way_round(self):
        text = figures_table.markdown(
            run(
                [
                    row("unary_threads", "shm", 64, 8, per_s=600, cpu_us_per_call=2),
                    row("unary_threads", "unix", 64, 8, per_s=100, cpu_us_per_call=10),
                ]
            )
        )
        self.assertIn("times as fast as `unix` | 6.00x | at least 5.00x | yes |", text)
        self.assertIn("times that of `unix` | 0.20x | at most 0.33x | yes |", text)

    def test_one_context_switch_in_one_round_is_too_many(self):
        idle = row("idle", "shm", None, None, idle_cpu_ms=1, idle_own_switches=0)
        self.assertIn("worst round | 0 | at most 0 | yes |", figures_table.markdown(run([idle])))
        idle["rounds"] = [{"idle_own_switches": switches} for switches in (0, 0, 1)]
        self.assertIn("worst round | 1.00 | at most 0 | **no** |", figures_table.markdown(run([idle])))

    def test_noise_and_quick_runs_are_marked(self):
        noisy = row("unary", "shm", 0, p50_us=5)
        noisy["noisy_rounds"] = 1
        text = figures_table.markdown(run([noisy], quick=True))
        self.assertIn("| 5.00* |", text)
        self.assertIn("--quick", text)

    def test_the_table_takes_its_place_in_a_document(self):
        document = "a\n<!-- figures begin: how -->\nold\n<!-- figures end -->\nb\n"
        replaced = figures_table.put_between_marks(document, "new\\1\n")
        self.assertEqual(replaced, "a\n<!-- figures begin: how -->\n\nnew\\1\n\n<!-- figures end -->\nb\n")
        self.assertEqual(figures_table.put_between_marks(replaced, "new\\1\n"), replaced)
        with self.assertRaises(ValueError):
            figures_table.put_between_marks("a", "b")


if __name__ == "__main__":
    unittest.main()
