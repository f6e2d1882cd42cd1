#!/usr/bin/env bash
# Copyright 2026 The grpc-shm Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Runs the demo: it prints what the README says, and leaves nothing behind.
set -euo pipefail

here=$(dirname -- "${BASH_SOURCE[0]}")
# Directories of our own. That of the sockets needs a short path.
scratch=$(mktemp -d /tmp/work_queue.XXXXXX)
mailboxes=$(mktemp -d /dev/shm/work_queue.XXXXXX)
trap 'rm -rf "$scratch" "$mailboxes"' EXIT
export GRPC_SHM_DIR=$scratch/rendezvous
export GRPC_SHM_MAILBOX_DIR=$mailboxes

# The text block of the README.
expected=$(sed -n '/^```text$/,/^```$/p' "$here/README.md" | sed '1d;$d')
[ -n "$expected" ] || { echo "the README shows no output"; exit 1; }
diff <(echo "$expected") <("$here/demo" 2>&1)

left=$(find "$scratch" -type s -o -type f; find "$mailboxes" -mindepth 1)
[ -z "$left" ] || { echo "left behind: $left"; exit 1; }
echo "as the README says"
