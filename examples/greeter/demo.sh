#!/usr/bin/env bash
# Copyright 2026 The grpc-shm Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Runs the greeter's client and server, two processes, and shows what each printed.
#
#   demo.sh [ADDRESS]      default shm:greeter
set -euo pipefail

here=$(dirname -- "${BASH_SOURCE[0]}")
address=${1:-shm:greeter}
scratch=$(mktemp -d)
client=
server=

finish() {
  # Both have ended already, unless something went wrong.
  for process in $client $server; do kill "$process" 2>/dev/null || true; done
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

# The client comes first, to show that it may: its calls wait until the server is there.
"$here/client" --address="$address" >"$scratch/client.txt" 2>&1 </dev/null &
client=$!
"$here/server" --address="$address" >"$scratch/server.txt" 2>&1 </dev/null &
server=$!

status=0
wait -n -p ended "$client" "$server" || status=$?
[ "$ended" = "$client" ] || fail "the server ended early, with status $status"
client=
[ "$status" -eq 0 ] || fail "the client ended with status $status"

kill -TERM "$server"
wait "$server" || fail "the server ended with status $?"
server=

echo "The client:"
sed 's/^/  /' "$scratch/client.txt"
echo "The server:"
sed 's/^/  /' "$scratch/server.txt"
