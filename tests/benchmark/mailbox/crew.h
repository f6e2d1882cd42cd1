// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_MAILBOX_CREW_H_
#define GRPC_SHM_TESTS_BENCHMARK_MAILBOX_CREW_H_

#include <sys/types.h>

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "transport/base/unique_fd.h"

namespace grpc_shm::bench::mailbox {

// Child processes that take part in one measurement: each is a fork of this
// process, prepares itself, waits until all are ready, and does its part. Who
// makes one must have no other thread, then and later.
//
// The destructor kills those that still run; when this process dies before, the
// kernel does.
//
// Thread-compatible.
class Crew {
 public:
  // Passed to each part.
  class Gate {
   public:
    // Says that the process is ready, and waits for Start().
    void Pass();

   private:
    friend class Crew;
    Gate(int ready, int start) : ready_(ready), start_(start) {}
    const int ready_;
    const int start_;
  };
  // What one process does. It shall call Pass() once, unless it fails before.
  using Part = std::function<absl::Status(Gate* gate)>;

  // A process that says nothing for `patience` hangs.
  explicit Crew(absl::Duration patience = absl::Seconds(60));
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // Starts a process. `part` must not change what it wants others to see but in
  // SharedMemory.
  absl::Status Add(const Part& part);
  // Waits until all have come to the gate; the error of one that has failed.
  absl::Status AwaitReady();
  // Opens the gate.
  void Start();
  // Waits until all have ended; the first error. DEADLINE_EXCEEDED when one
  // hangs.
  absl::Status Finish();

  // In the order of Add().
  const std::vector<pid_t>& pids() const { return pids_; }

 private:
  // Waits until each process has said something; the first that is not what
  // `expected` returns OK for.
  absl::Status Hear(
      const std::function<absl::Status(int speaker, char said)>& expected);

  const absl::Duration patience_;
  UniqueFd gate_[2];                // what to read, and to close when it starts
  std::vector<UniqueFd> speakers_;  // what each says
  std::vector<pid_t> pids_;
};

// Runs `work` in a process of its own and returns what it returns.
absl::Status RunInChild(const std::function<absl::Status()>& work);

}  // namespace grpc_shm::bench::mailbox

#endif  // GRPC_SHM_TESTS_BENCHMARK_MAILBOX_CREW_H_
