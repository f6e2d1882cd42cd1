// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A gRPC server as any other, but for the builder and the address. It serves
// until SIGINT or SIGTERM and then lets the calls that run finish.

#include "transport/server.h"

#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "examples/greeter/greeter.grpc.pb.h"

ABSL_FLAG(std::string, address, "shm:greeter",
          "where to listen: shm:NAME for shared memory, or what gRPC takes "
          "(unix:PATH, HOST:PORT)");

namespace {

using grpc_shm::examples::Greeter;
using grpc_shm::examples::Greeting;
using grpc_shm::examples::Guest;

Greeting Hello(const std::string& name) {
  Greeting greeting;
  greeting.set_text(absl::StrCat("Hello, ", name, "!"));
  return greeting;
}

class GreeterService final : public Greeter::Service {
 public:
  grpc::Status Greet(grpc::ServerContext*, const Guest* guest,
                     Greeting* greeting) override {
    if (guest->name().empty()) {
      return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                          "a guest has a name");
    }
    *greeting = Hello(guest->name());
    return grpc::Status::OK;
  }

  grpc::Status GreetInEveryLanguage(
      grpc::ServerContext*, const Guest* guest,
      grpc::ServerWriter<Greeting>* writer) override {
    for (const char* hello : {"Hello", "Bonjour", "Hej", "Hola"}) {
      Greeting greeting;
      greeting.set_text(absl::StrCat(hello, ", ", guest->name(), "!"));
      writer->Write(greeting);
    }
    return grpc::Status::OK;
  }

  grpc::Status GreetTogether(grpc::ServerContext*,
                             grpc::ServerReader<Guest>* reader,
                             Greeting* greeting) override {
    std::vector<std::string> names;
    Guest guest;
    while (reader->Read(&guest)) names.push_back(guest.name());
    *greeting = Hello(absl::StrJoin(names, ", "));
    return grpc::Status::OK;
  }

  grpc::Status GreetOneByOne(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<Greeting, Guest>* stream) override {
    Guest guest;
    while (stream->Read(&guest)) stream->Write(Hello(guest.name()));
    return grpc::Status::OK;
  }
};

int Serve(const std::string& address) {
  // Blocked before any thread exists, thus in all: they come to sigwait alone.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  GreeterService service;
  grpc_shm::ServerBuilder builder;
  if (absl::StartsWith(address, "shm:")) {
    builder.Listen(address);
  } else {
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  }
  builder.RegisterService(&service);
  absl::Status error;
  std::unique_ptr<grpc_shm::Server> server = builder.BuildAndStart(&error);
  if (server == nullptr) {
    std::cerr << "Cannot serve: " << error << std::endl;
    return 1;
  }
  std::cout << "Listening at " << address << std::endl;

  int signal = 0;
  sigwait(&signals, &signal);
  server->Shutdown();
  std::cout << "Shut down" << std::endl;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Greets whoever calls.");
  absl::ParseCommandLine(argc, argv);
  return Serve(absl::GetFlag(FLAGS_address));
}
