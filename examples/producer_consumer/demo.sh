#!/usr/bin/env bash
# Copyright 2026 The grpc-shm Authors.
# SPDX-License-Identifier: Apache-2.0
#
# A producer that is too fast for its consumer, then a consumer that is too fast for its producer.
#
#   demo.sh [ADDRESS]      default mailbox:buffer
set -euo pipefail

here=$(dirname -- "${BASH_SOURCE[0]}")
buffer=${1:-mailbox:buffer}

# end PROCESS: its success is ours.
end() { wait "$1" || { echo "demo: a process ended with status $?" >&2; exit 1; }; }

# show NAME FD [LAST]: prints what the process NAME says, up to the line LAST or its end.
show() {
  local line
  while read -r line <&"$2"; do
    echo "$1: $line"
    [ "$line" != "${3:-}" ] || return 0
  done
  [ $# -eq 2 ] || { echo "demo: the $1 never said \"$3\"" >&2; exit 1; }
}

# One more than the buffer holds: the producer blocks.
exec {producer}< <("$here/producer" --buffer="$buffer" --first=1 --count=4)
first_producer=$!
show producer "$producer" "the buffer is full, waits"

# It goes on when one is taken.
exec {consumer}< <("$here/consumer" --buffer="$buffer" --count=1)
first_consumer=$!
show consumer "$consumer"
end "$first_consumer"
show producer "$producer"
end "$first_producer"

# One more than the buffer has: the consumer blocks.
exec {consumer}< <("$here/consumer" --buffer="$buffer" --count=4 --destroy)
second_consumer=$!
show consumer "$consumer" "the buffer is empty, waits"

# It goes on when one is put.
exec {producer}< <("$here/producer" --buffer="$buffer" --first=5 --count=1)
second_producer=$!
show producer "$producer"
end "$second_producer"
show consumer "$consumer"
end "$second_consumer"
