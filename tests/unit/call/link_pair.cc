// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/unit/call/link_pair.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/unit/link/temporary_rendezvous.h"
#include "transport/link/handshake.h"
#include "transport/link/listening_name.h"

namespace grpc_shm {
namespace {

// Test programs run out of memory or luck, not into errors: those end them.
template <typename T>
T OrDie(absl::StatusOr<T> value) {
  if (!value.ok()) {
    std::fprintf(stderr, "%s\n", value.status().ToString().c_str());
    std::abort();
  }
  return *std::move(value);
}

}  // namespace

LinkPair MakeLinkPair(const LinkOptions& options) {
  const testing::TemporaryRendezvous rendezvous;
  auto listening = OrDie(ListeningName::Acquire("pair", 1));
  UniqueFd client = OrDie(Connect("pair", options));
  UniqueFd server = OrDie(Accept(listening->fd()));
  LinkPair pair;
  pair.server = OrDie(AnswerHello(std::move(server), "pair", options));
  pair.client = OrDie(ReceiveWelcome(std::move(client), "pair", options));
  return pair;
}

}  // namespace grpc_shm
