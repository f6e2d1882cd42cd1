#!/usr/bin/env bash
# Copyright 2026 The grpc-shm Authors.
# SPDX-License-Identifier: Apache-2.0
#
# The demo prints what the README says, and leaves nothing behind.
set -euo pipefail

here=$(dirname -- "${BASH_SOURCE[0]}")
# Mailboxes of our own.
scratch=$(mktemp -d /dev/shm/producer_consumer.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
export GRPC_SHM_MAILBOX_DIR=$scratch

# The text block of the README.
expected=$(sed -n '/^```text$/,/^```$/p' "$here/README.md" | sed '1d;$d')
[ -n "$expected" ] || { echo "the README shows no output"; exit 1; }

# Twice: the second finds no trace of the first.
for run in 1 2; do
  diff <(printf "%s\n" "$expected") <("$here/demo" 2>&1)
done
left=$(find "$scratch" -mindepth 1)
[ -z "$left" ] || { echo "left behind: $left"; exit 1; }
echo "as the README says"
