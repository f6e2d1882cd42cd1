// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A gRPC client as any other, but for the factory of the channel and the
// address. It makes one call of each of gRPC's four kinds, and may be started
// before the server.

#include <grpcpp/grpcpp.h>

#include <iostream>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/greeter/greeter.grpc.pb.h"
#include "transport/channel.h"

ABSL_FLAG(std::string, address, "shm:greeter",
          "where the server listens: shm:NAME for shared memory, or what gRPC "
          "takes (unix:PATH, HOST:PORT)");

namespace {

using grpc_shm::examples::Greeter;
using grpc_shm::examples::Greeting;
using grpc_shm::examples::Guest;

constexpr const char* kNames[] = {"Ada", "Grace", "Barbara"};

// A call that waits for a server to be there, though not forever.
class PatientContext : public grpc::ClientContext {
 public:
  PatientContext() {
    set_wait_for_ready(true);
    set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(30)));
  }
};

Guest GuestNamed(const std::string& name) {
  Guest guest;
  guest.set_name(name);
  return guest;
}

void Print(const Greeting& greeting) {
  std::cout << "  " << greeting.text() << std::endl;
}

grpc::Status Greet(Greeter::Stub* stub) {
  std::cout << "Greet: one request, one answer" << std::endl;
  PatientContext context;
  Greeting greeting;
  const grpc::Status status =
      stub->Greet(&context, GuestNamed(kNames[0]), &greeting);
  if (status.ok()) Print(greeting);
  return status;
}

grpc::Status GreetInEveryLanguage(Greeter::Stub* stub) {
  std::cout << "GreetInEveryLanguage: one request, a stream of answers"
            << std::endl;
  PatientContext context;
  std::unique_ptr<grpc::ClientReader<Greeting>> reader =
      stub->GreetInEveryLanguage(&context, GuestNamed(kNames[0]));
  Greeting greeting;
  while (reader->Read(&greeting)) Print(greeting);
  return reader->Finish();
}

grpc::Status GreetTogether(Greeter::Stub* stub) {
  std::cout << "GreetTogether: a stream of requests, one answer" << std::endl;
  PatientContext context;
  Greeting greeting;
  std::unique_ptr<grpc::ClientWriter<Guest>> writer =
      stub->GreetTogether(&context, &greeting);
  for (const char* name : kNames) {
    if (!writer->Write(GuestNamed(name))) break;
  }
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  if (status.ok()) Print(greeting);
  return status;
}

grpc::Status GreetOneByOne(Greeter::Stub* stub) {
  std::cout << "GreetOneByOne: an answer to each request as it comes"
            << std::endl;
  PatientContext context;
  std::unique_ptr<grpc::ClientReaderWriter<Guest, Greeting>> stream =
      stub->GreetOneByOne(&context);
  Greeting greeting;
  for (const char* name : kNames) {
    if (!stream->Write(GuestNamed(name)) || !stream->Read(&greeting)) break;
    Print(greeting);
  }
  stream->WritesDone();
  return stream->Finish();
}

grpc::Status GreetNobody(Greeter::Stub* stub) {
  std::cout << "Greet without a name: an error of the server's" << std::endl;
  PatientContext context;
  Greeting greeting;
  const grpc::Status status = stub->Greet(&context, Guest(), &greeting);
  if (status.error_code() != grpc::StatusCode::INVALID_ARGUMENT) return status;
  std::cout << "  INVALID_ARGUMENT: " << status.error_message() << std::endl;
  return grpc::Status::OK;
}

int Call(const std::string& address) {
  const std::unique_ptr<Greeter::Stub> stub =
      Greeter::NewStub(grpc_shm::CreateChannel(address));
  for (auto* call : {Greet, GreetInEveryLanguage, GreetTogether, GreetOneByOne,
                     GreetNobody}) {
    const grpc::Status status = call(stub.get());
    if (!status.ok()) {
      std::cerr << "Failed with code " << status.error_code() << ": "
                << status.error_message() << std::endl;
      return 1;
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Has a few guests greeted.");
  absl::ParseCommandLine(argc, argv);
  return Call(absl::GetFlag(FLAGS_address));
}
