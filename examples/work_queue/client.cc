// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Has primes counted by whoever takes work from a mailbox: all pieces are put
// into it at once. May kill one of the workers when half of them are done.

#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <iostream>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/synchronization/mutex.h"
#include "examples/work_queue/primes.grpc.pb.h"
#include "transport/channel.h"
#include "transport/mailbox.h"

ABSL_FLAG(std::string, address, "mailbox:primes", "Where the work goes.");
ABSL_FLAG(uint64_t, below, 4'000'000, "Primes below this number are counted.");
ABSL_FLAG(uint64_t, pieces, 40, "In so many pieces.");
ABSL_FLAG(int, kill, 0, "The process to kill half-way; 0: none.");

namespace {

using grpc_shm::examples::Primes;
using grpc_shm::examples::Range;
using grpc_shm::examples::Total;

// One piece of the work, until it is done.
struct Piece {
  Range range;
  Total total;
  std::unique_ptr<grpc::ClientContext> context;
};

class Work {
 public:
  Work(Primes::Stub* stub, uint64_t pieces, pid_t victim)
      : stub_(stub), pieces_(pieces), victim_(victim) {}

  void Start(const Range& range) {
    auto piece = std::make_shared<Piece>();
    piece->range = range;
    Ask(piece);
  }

  // How many primes there are, or why that can't be told.
  grpc::Status Finish(uint64_t* primes) {
    absl::MutexLock lock(&mu_);
    const auto finished = [this] { return done_ == pieces_; };
    mu_.Await(absl::Condition(&finished));
    *primes = primes_;
    return failure_;
  }

 private:
  void Ask(const std::shared_ptr<Piece>& piece) {
    piece->context = std::make_unique<grpc::ClientContext>();
    piece->context->set_wait_for_ready(true);
    stub_->async()->Count(
        piece->context.get(), &piece->range, &piece->total,
        [this, piece](const grpc::Status& status) { OnAnswer(piece, status); });
  }

  void OnAnswer(const std::shared_ptr<Piece>& piece,
                const grpc::Status& status) {
    if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
      // The worker that had taken it died. Nobody else does it now; to count
      // once more does no harm, so it goes into the mailbox again.
      Ask(piece);
      return;
    }
    absl::MutexLock lock(&mu_);
    if (!status.ok()) failure_ = status;
    primes_ += piece->total.primes();
    if (++done_ == pieces_ / 2 && victim_ != 0) {
      kill(victim_, SIGKILL);
      std::cout << "Half of them are done, and one worker is killed."
                << std::endl;
    }
  }

  Primes::Stub* const stub_;
  const uint64_t pieces_;
  const pid_t victim_;

  absl::Mutex mu_;
  uint64_t done_ = 0;
  uint64_t primes_ = 0;
  grpc::Status failure_;
};

int Run() {
  const std::string address = absl::GetFlag(FLAGS_address);
  const uint64_t below = absl::GetFlag(FLAGS_below);
  const uint64_t pieces = absl::GetFlag(FLAGS_pieces);
  const auto stub = Primes::NewStub(grpc_shm::CreateChannel(address));
  Work work(stub.get(), pieces, absl::GetFlag(FLAGS_kill));
  for (uint64_t i = 0; i < pieces; ++i) {
    Range range;
    range.set_begin(below * i / pieces);
    range.set_end(below * (i + 1) / pieces);
    work.Start(range);
  }
  std::cout << pieces << " pieces of work are on their way through " << address
            << "." << std::endl;
  uint64_t primes = 0;
  const grpc::Status status = work.Finish(&primes);
  if (!status.ok()) {
    std::cerr << "Failed: " << status.error_message() << std::endl;
    return 1;
  }
  std::cout << "All are done: there are " << primes << " primes below " << below
            << "." << std::endl;
  // Nobody else needs it any more.
  grpc_shm::Mailbox::Destroy(address).IgnoreError();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Has primes counted by others.");
  absl::ParseCommandLine(argc, argv);
  return Run();
}
