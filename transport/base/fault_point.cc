// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/base/fault_point.h"

#ifndef NDEBUG

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <string>

namespace grpc_shm {
namespace {

struct Fault {
  int point = -1;  // none
  std::atomic<int64_t> hits_left{0};
  enum { kKill, kStop, kExit } action = kKill;
};

[[noreturn]] void Reject(const std::string& value) {
  fprintf(stderr, "GRPC_SHM_FAULT_POINT=%s is not NAME:NTH:ACTION\n",
          value.c_str());
  abort();
}

void Parse(const std::string& value, Fault* fault) {
  const size_t first = value.find(':');
  const size_t second = value.find(':', first + 1);
  if (first == std::string::npos || second == std::string::npos) Reject(value);
  const std::string name = value.substr(0, first);
  const std::string action = value.substr(second + 1);
  for (int i = 0; kFaultPointNames[i] != nullptr; ++i) {
    if (name == kFaultPointNames[i]) fault->point = i;
  }
  const int64_t nth = strtol(value.c_str() + first + 1, nullptr, 10);
  fault->hits_left = nth;
  if (action == "stop") {
    fault->action = Fault::kStop;
  } else if (action == "exit") {
    fault->action = Fault::kExit;
  } else if (action != "kill") {
    Reject(value);
  }
  if (fault->point < 0 || nth < 1) Reject(value);
}

// Never destroyed: points are reached until the process is gone.
Fault& TheFault() {
  static Fault* const fault = [] {
    auto* const made = new Fault;
    if (const char* value = getenv("GRPC_SHM_FAULT_POINT")) Parse(value, made);
    return made;
  }();
  return *fault;
}

}  // namespace

void ReachFaultPoint(FaultPoint point) {
  Fault& fault = TheFault();
  if (fault.point != static_cast<int>(point)) return;
  if (fault.hits_left.fetch_sub(1, std::memory_order_relaxed) != 1) return;
  switch (fault.action) {
    case Fault::kKill:
      kill(getpid(), SIGKILL);
      for (;;) pause();  // until it is gone, go no further
    case Fault::kStop:
      kill(getpid(), SIGSTOP);
      break;
    case Fault::kExit:
      _exit(0);
  }
}

}  // namespace grpc_shm

#endif  // NDEBUG
