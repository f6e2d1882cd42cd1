// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// mailbox_worker ADDRESS LOG: a server at a mailbox. Notes each call that it
// runs, by the 8 bytes of its request, at the end of LOG, where they stay when
// it is killed; then works for a millisecond and answers with the request.

#include <fcntl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>

#include "tests/integration/echo.grpc.pb.h"
#include "transport/server.h"

namespace grpc_shm {
namespace testing {
namespace {

class Worker : public EchoService::Service {
 public:
  explicit Worker(int log) : log_(log) {}

  grpc::Status Unary(grpc::ServerContext*, const EchoRequest* request,
                     EchoReply* reply) override {
    const std::string& number = request->payload();
    // One write to a file opened with O_APPEND is not torn.
    if (write(log_, number.data(), number.size()) !=
        static_cast<ssize_t>(number.size()))
      return grpc::Status(grpc::StatusCode::INTERNAL, "the log is lost");
    const timespec work{0, 1'000'000};
    nanosleep(&work, nullptr);
    reply->set_payload(number);
    return grpc::Status::OK;
  }

 private:
  const int log_;
};

int Run(const char* address, const char* log) {
  const int fd = open(log, O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd < 0) return 1;
  Worker worker(fd);
  ServerBuilder builder;
  builder.Listen(address);
  builder.RegisterService(&worker);
  absl::Status error;
  const std::unique_ptr<Server> server = builder.BuildAndStart(&error);
  if (server == nullptr) {
    std::fprintf(stderr, "%s\n", error.ToString().c_str());
    return 1;
  }
  server->Wait();
  return 0;
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm

int main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  return argc == 3 ? grpc_shm::testing::Run(argv[1], argv[2]) : 2;
}
