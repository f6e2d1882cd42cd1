// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A process that ends, or forks, in one of many ways: lifetime_program MODE
// ADDRESS. A server of EchoService listens on ADDRESS, unless the mode is to do
// so itself.

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/synchronization/notification.h"
#include "grpcpp/client_context.h"
#include "tests/integration/echo.grpc.pb.h"
#include "transport/channel.h"
#include "transport/server.h"

namespace grpc_shm {
namespace testing {
namespace {

using ChannelPtr = std::shared_ptr<grpc::ChannelInterface>;

void Require(bool condition, const char* what) {
  if (condition) return;
  fprintf(stderr, "%s\n", what);
  _exit(2);
}

// What the process has until its end.
std::string* address;
ChannelPtr static_channel;
std::unique_ptr<EchoService::Stub> static_stub;
std::unique_ptr<Server> static_server;

// Never destroyed, as what belongs to a call that never ends.
template <class T>
T* Forever() {
  return new T;
}

void Connect() {
  static_channel = CreateChannel(*address);
  static_stub = EchoService::NewStub(static_channel);
}

grpc::Status Call(EchoService::Stub* stub) {
  grpc::ClientContext context;
  EchoReply reply;
  return stub->Unary(&context, EchoRequest(), &reply);
}

void RequireCall() { Require(Call(static_stub.get()).ok(), "a call failed"); }

// A call that the server answers when it is cancelled.
grpc::ClientContext* NewEndlessContext() {
  auto* const context = Forever<grpc::ClientContext>();
  Script script;
  script.add_steps()->set_wait_for_cancellation(true);
  context->AddMetadata("script-bin", script.SerializeAsString());
  return context;
}

void OpenCalls() {
  auto* const request = Forever<EchoRequest>();
  auto* const reply = Forever<EchoReply>();
  static_stub->async()->Unary(NewEndlessContext(), request, reply,
                              [](grpc::Status) {});
  // A stream whose object stays.
  auto* const stream = static_stub->Bidi(NewEndlessContext()).release();
  stream->Write(EchoRequest());
}

// Answers every unary call by what it is given.
class Service : public EchoService::Service {
 public:
  explicit Service(std::function<void()> handle) : handle_(std::move(handle)) {}

  grpc::Status Unary(grpc::ServerContext*, const EchoRequest*,
                     EchoReply*) override {
    handle_();
    return grpc::Status::OK;
  }

 private:
  const std::function<void()> handle_;
};

std::unique_ptr<Server> Serve(std::function<void()> handle) {
  auto* const service = new Service(std::move(handle));
  ServerBuilder builder;
  builder.Listen(*address).RegisterService(service);
  std::unique_ptr<Server> server = builder.BuildAndStart();
  Require(server != nullptr, "the server did not start");
  return server;
}

[[noreturn]] void WaitForEver() {
  for (;;) pause();
}

// Tells the test that everything is there, and of a child.
void Announce(pid_t child = 0) {
  printf("ready %d\n", static_cast<int>(child));
  fflush(stdout);
}

// A child that does nothing, until the test ends it.
pid_t ForkIdleChild() {
  const pid_t child = fork();
  if (child == 0) WaitForEver();
  return child;
}

void ExitInACallback() {
  Connect();
  RequireCall();
  auto* const context = Forever<grpc::ClientContext>();
  static_stub->async()->Unary(context, Forever<EchoRequest>(),
                              Forever<EchoReply>(),
                              [](grpc::Status) { exit(0); });
  WaitForEver();
}

void DestroyInACallback(bool with_open_calls) {
  Connect();
  RequireCall();
  if (with_open_calls) OpenCalls();
  absl::Notification done;
  static_stub->async()->Unary(Forever<grpc::ClientContext>(),
                              Forever<EchoRequest>(), Forever<EchoReply>(),
                              [&done](grpc::Status) {
                                static_stub.reset();
                                static_channel.reset();
                                done.Notify();
                              });
  done.WaitForNotification();
}

void DestroyOnAnotherThread() {
  Connect();
  RequireCall();
  OpenCalls();
  std::thread([] {
    static_stub.reset();
    static_channel.reset();
  }).join();
}

// A server whose handler has the last reference to a channel to itself.
void DestroyInAHandler() {
  ChannelPtr channel;
  const auto server = Serve([&channel] { channel.reset(); });
  channel = CreateChannel(*address);
  Connect();
  // Connects the other one.
  Require(Call(EchoService::NewStub(channel).get()).ok(), "a call failed");
  RequireCall();
}

void ExitInAHandler() {
  static auto* const server = Serve([] { exit(0); }).release();
  Require(server != nullptr, "");
  Connect();
  Call(static_stub.get());
  WaitForEver();
}

using Mode = std::function<void()>;

std::map<std::string, Mode> Modes() {
  return {
      {"static-channel",
       [] {
         Connect();
         RequireCall();
       }},
      {"static-channel-that-never-called", [] { Connect(); }},
      {"return-from-main-with-open-calls",
       [] {
         Connect();
         RequireCall();
         OpenCalls();
       }},
      {"exit-with-open-calls",
       [] {
         Connect();
         OpenCalls();
         exit(0);
       }},
      {"exit-in-a-callback", ExitInACallback},
      {"exit-on-another-thread",
       [] {
         Connect();
         RequireCall();
         OpenCalls();
         std::thread([] { exit(0); }).detach();
         WaitForEver();
       }},
      {"exit-in-a-handler", ExitInAHandler},
      {"destroy-in-a-callback", [] { DestroyInACallback(false); }},
      {"destroy-in-a-callback-with-open-calls",
       [] { DestroyInACallback(true); }},
      {"destroy-in-a-handler", DestroyInAHandler},
      {"destroy-on-another-thread-with-open-calls", DestroyOnAnotherThread},
      {"static-server",
       [] {
         static_server = Serve([] {});
         Connect();
         RequireCall();
       }},
      // What follows is ended by the test.
      {"client-with-a-child",
       [] {
         Connect();
         RequireCall();
         OpenCalls();
         Announce(ForkIdleChild());
         WaitForEver();
       }},
      {"server-with-a-child",
       [] {
         static_server = Serve([] {});
         Connect();
         RequireCall();
         Announce(ForkIdleChild());
         WaitForEver();
       }},
      {"server-whose-child-exits",
       [] {
         static_server = Serve([] {});
         Connect();
         RequireCall();
         const pid_t child = fork();
         if (child == 0) exit(0);
         Announce(child);
         WaitForEver();
       }},
      // The child returns from the handler, as if it were the parent.
      {"server-whose-handler-forks",
       [] {
         static_server = Serve([] {
           if (fork() == 0) alarm(5);  // gRPC's threads may go on for ever
         });
         Announce();
         WaitForEver();
       }},
  };
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm

int main(int argc, char** argv) {
  using namespace grpc_shm::testing;
  if (argc != 3) return 3;
  alarm(60);  // should the test be gone
  address = new std::string(argv[2]);
  Modes().at(argv[1])();
}
