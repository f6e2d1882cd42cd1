#!/usr/bin/env bash
# Copyright 2026 The grpc-shm Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Builds the fuzz targets with libFuzzer and runs each for some time, beginning with the inputs in tests/fuzz/corpus:
#
#   tests/fuzz/run.sh [SECONDS [TARGET...]]         # default: 60, and all of them
#
# New inputs and findings are kept in $FUZZ_DIR if that is set, and forgotten otherwise. One line a target; the exit
# status is the number of targets that found something.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

seconds=${1:-60}
targets=("${@:2}")
if [ ${#targets[@]} -eq 0 ]; then
  for directory in tests/fuzz/corpus/*/; do targets+=("$(basename "$directory")"); done
fi
./bazelw build --config=ci --config=fuzz "${targets[@]/#/\/\/tests\/fuzz:}"
binaries=$(./bazelw info --config=ci --config=fuzz bazel-bin 2>/dev/null)/tests/fuzz

directory=${FUZZ_DIR:-}
if [ -z "$directory" ]; then
  directory=$(mktemp -d)
  trap 'rm -rf "$directory"' EXIT
fi
found=0
for target in "${targets[@]}"; do
  mkdir -p "$directory/$target"
  log=$directory/$target.log
  status=0
  "$binaries/$target" -max_total_time="$seconds" -timeout=30 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$directory/$target." "$directory/$target" "tests/fuzz/corpus/$target" >"$log" 2>&1 || status=$?
  if [ "$status" -eq 0 ]; then
    echo "$target: nothing found, $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs in $seconds s," \
      "$(grep -o 'cov: [0-9]*' "$log" | tail -1)"
  else
    echo "$target: found something"
    tail -n 60 "$log"
    found=$((found + 1))
    for input in "$directory/$target".*-*; do
      [ -f "$input" ] && echo "--- $(basename "$input"):" && cat "$input"
    done
  fi
done
exit "$found"
