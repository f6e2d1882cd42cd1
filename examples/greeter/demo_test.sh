#!/usr/bin/env bash
# Copyright 2026 The grpc-shm Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Runs the demo over shared memory and over a unix socket: both print what the README says, and leave nothing behind.
set -euo pipefail

here=$(dirname -- "${BASH_SOURCE[0]}")
# A rendezvous directory of our own, with a short path: it holds sockets.
scratch=$(mktemp -d /tmp/greeter.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
export GRPC_SHM_DIR=$scratch/rendezvous

# The text block of the README.
expected=$(sed -n '/^```text$/,/^```$/p' "$here/README.md" | sed '1d;$d')
[ -n "$expected" ] || { echo "the README shows no output"; exit 1; }

check() {
  local address=$1
  echo "At $address:"
  diff <(printf "%s\n" "${expected//shm:greeter/$address}") <("$here/demo" "$address" 2>&1)
}
check shm:greeter
check "unix:$scratch/greeter.sock"

left=$(find "$scratch" -type s -o -type f ! -name '*.lock')
[ -z "$left" ] || { echo "left behind: $left"; exit 1; }
echo "as the README says"
