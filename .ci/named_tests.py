#!/usr/bin/env python3
# Copyright 2026 The grpc-shm Authors.
# SPDX-License-Identifier: Apache-2.0
"""Whether every test that a document names exists: named_tests.py FILE.md...

A test is named `Suite.Name`, in backquotes. Suites may be aliases of fixtures, and have parameters.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEFINITION = re.compile(r"\bTEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)")
NAME = re.compile(r"`([A-Z]\w*)\.([A-Z]\w*)`")


def main():
  tests = set()
  for source in (ROOT / "tests").rglob("*_test.cc"):
    tests.update(DEFINITION.findall(source.read_text()))
  missing = 0
  for document in sys.argv[1:]:
    names = NAME.findall(pathlib.Path(document).read_text())
    if not names:
      print(f"{document} names no test")
      missing += 1
    for suite, name in names:
      if (suite, name) not in tests:
        print(f"{document}: there is no test {suite}.{name}")
        missing += 1
  return 1 if missing else 0


if __name__ == "__main__":
  sys.exit(main())
