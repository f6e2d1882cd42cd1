#!/usr/bin/env bash
# Copyright 2026 The grpc-shm Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Runs three workers at one mailbox and a client that has them work, kills one worker half-way, and shows what the client
# printed.
#
#   demo.sh [ADDRESS]      default mailbox:primes
set -euo pipefail

here=$(dirname -- "${BASH_SOURCE[0]}")
address=${1:-mailbox:primes}
scratch=$(mktemp -d)
workers=()

finish() {
  # They have ended already, unless something went wrong.
  for process in "${workers[@]}"; do kill "$process" 2>/dev/null || true; done
  wait
  rm -rf "$scratch"
}
trap finish EXIT

# fail REASON: shows what there is to see, and ends.
fail() {
  cat "$scratch"/*.txt >&2
  echo "demo: $1" >&2
  exit 1
}

for number in 1 2 3; do
  "$here/worker" --address="$address" >"$scratch/worker$number.txt" 2>&1 </dev/null &
  workers+=($!)
done
# Without the shell's own words about the worker that is killed.
exec 3>&2 2>/dev/null
client=0
"$here/client" --address="$address" --kill="${workers[0]}" >"$scratch/client.txt" 2>&1 </dev/null || client=$?
first=0
[ "$client" -ne 0 ] || wait "${workers[0]}" || first=$?
exec 2>&3
[ "$client" -eq 0 ] || fail "the client ended with status $client"
[ "$first" -eq $((128 + 9)) ] || fail "the first worker was not killed, but ended with status $first"
cat "$scratch/client.txt"

for worker in "${workers[@]:1}"; do
  kill -TERM "$worker"
  wait "$worker" || fail "a worker ended with status $?"
done
workers=()
