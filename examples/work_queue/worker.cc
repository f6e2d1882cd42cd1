// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// One of any number of processes that take work from a mailbox, a piece at a
// time.

#include <pthread.h>
#include <signal.h>

#include <cstdint>
#include <iostream>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "examples/work_queue/primes.grpc.pb.h"
#include "transport/server.h"

ABSL_FLAG(std::string, address, "mailbox:primes", "Where the work is.");

namespace {

using grpc_shm::examples::Primes;
using grpc_shm::examples::Range;
using grpc_shm::examples::Total;

bool IsPrime(uint64_t number) {
  if (number < 2) return false;
  for (uint64_t divisor = 2; divisor * divisor <= number; ++divisor) {
    if (number % divisor == 0) return false;
  }
  return true;
}

class PrimesService : public Primes::Service {
  grpc::Status Count(grpc::ServerContext*, const Range* range,
                     Total* total) override {
    uint64_t primes = 0;
    for (uint64_t number = range->begin(); number < range->end(); ++number)
      primes += IsPrime(number);
    total->set_primes(primes);
    return grpc::Status::OK;
  }
};

int Work(const std::string& address) {
  // Blocked before any thread exists, thus in all: they come to sigwait alone.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  PrimesService service;
  grpc_shm::ServerBuilder builder;
  // Whoever comes first makes the mailbox.
  builder.Listen(address, grpc_shm::MailboxOptions());
  builder.RegisterService(&service);
  absl::Status error;
  std::unique_ptr<grpc_shm::Server> server = builder.BuildAndStart(&error);
  if (server == nullptr) {
    std::cerr << "Cannot work: " << error << std::endl;
    return 1;
  }
  std::cout << "Working for " << address << std::endl;

  int signal = 0;
  sigwait(&signals, &signal);
  server->Shutdown();  // after the piece that is under way
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Counts primes for whoever asks.");
  absl::ParseCommandLine(argc, argv);
  return Work(absl::GetFlag(FLAGS_address));
}
