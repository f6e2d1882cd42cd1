#!/usr/bin/env bash
# Copyright 2026 The grpc-shm Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Runs figures_test.py.
set -euo pipefail

# Without -B Python would write its bytecode beside the sources.
exec python3 -B tests/benchmark/figures_test.py
