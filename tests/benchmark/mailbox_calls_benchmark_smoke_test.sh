#!/usr/bin/env bash
# Copyright 2026 The grpc-shm Authors.
# SPDX-License-Identifier: Apache-2.0
#
# The benchmark measures all that it should, and writes it down.
set -euo pipefail

figures=$TEST_TMPDIR/figures.json
"$(dirname -- "${BASH_SOURCE[0]}")/mailbox_calls_benchmark" --quick --json="$figures"
for row in unary/shm unary/mailbox unary/unix unary_servers/mailbox unary_servers/unix balance/mailbox balance/unix; do
  python3 - "$figures" "$row" <<'END' || { echo "no figures for $row"; exit 1; }
import json, sys
rows = json.load(open(sys.argv[1]))["rows"]
scenario, transport = sys.argv[2].split("/")
assert any(r["scenario"] == scenario and r["transport"] == transport and r["p50_us"] > 0 for r in rows)
END
done
