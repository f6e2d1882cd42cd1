// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A thread that reads several rings.

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "transport/call/session.h"

namespace grpc_shm {

Session::Drivers::Drivers(std::shared_ptr<Session> likeliest,
                          std::vector<std::shared_ptr<Session>> others) {
  driven_.reserve(1 + others.size());
  Add(std::move(likeliest));
  for (std::shared_ptr<Session>& other : others) Add(std::move(other));
}

void Session::Drivers::Add(std::shared_ptr<Session> session) {
  const bool driving = session->TryDrive();
  driven_.push_back({std::move(session), driving});
}

Session::Drivers::~Drivers() {
  for (const Driven& each : driven_) {
    if (each.driving) each.session->LetOthersDrive();
  }
}

void Session::Drivers::Until(absl::FunctionRef<bool()> done) {
  while (!done()) {
    if (Advance()) continue;
    bool in_the_middle = false;
    absl::Duration longer;
    for (const Driven& each : driven_) {
      if (!each.driving) continue;
      in_the_middle |= each.session->IsInTheMiddle();
      longer = std::max(longer, each.session->TimeToDigest());
    }
    Spinner& spinner = driven_.front().session->spinner_;
    if (!in_the_middle && !spinner.WorthIt()) return;
    // A thread of the reactor may wait long here, by the busy policy.
    Reactor::BlockingScope scope;
    if (!spinner.Wait([&] { return done() || HaveWork(); }, longer)) return;
  }
}

// Reads from all that this thread drives; false if there was nothing.
bool Session::Drivers::Advance() {
  bool any = false;
  for (const Driven& each : driven_) {
    if (each.driving && each.session->Advance()) any = true;
  }
  return any;
}

// Whether there is something to read or space to write, now or once this thread
// has the role that another one has just left.
bool Session::Drivers::HaveWork() {
  for (Driven& each : driven_) {
    if (!each.driving) each.driving = each.session->TryDrive();
    if (each.driving && each.session->HasWork()) return true;
  }
  return false;
}

// Of who drives.
bool Session::HasWork() {
  MutexLock lock(&read_mu_);
  return link_ != nullptr && !broken_ && (HasUnread() || HasNewSpace());
}

}  // namespace grpc_shm
