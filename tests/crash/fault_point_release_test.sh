#!/usr/bin/env bash
# Copyright 2026 The grpc-shm Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: fault_point_release_test.sh LIBRARY... -- LIBRARY...
# No fault point is in the libraries of a release build, which come first, but they are in the same ones of a debug build.
set -euo pipefail

release=()
while [ "$1" != -- ]; do
  release+=("$1")
  shift
done
shift

# The function that every point calls, and a name out of the list.
pattern='ReachFaultPoint|NameLockOpened'
for library in "$@"; do
  if ! grep -aEq "$pattern" "$library"; then
    echo "$library of a debug build has no fault point: this test looks in the wrong places"
    exit 1
  fi
done
for library in "${release[@]}"; do
  if grep -aEq "$pattern" "$library"; then
    echo "$library of a release build has a fault point"
    exit 1
  fi
done
echo "${#release[@]} libraries of a release build have no fault points, $# of a debug build do"
[ "${#release[@]}" -gt 0 ]
