// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_CHILD_PROCESS_H_
#define GRPC_SHM_TESTS_INTEGRATION_CHILD_PROCESS_H_

#include <sys/types.h>

#include <string>

#include "tests/integration/control.pb.h"
#include "tests/integration/control_socket.h"

namespace grpc_shm {
namespace testing {

// A program built beside the tests, run as a child, obeying control.proto.
// The destructor kills it.
class ChildProcess {
 public:
  // `program`: "echo_server" or "call_driver". Aborts if it cannot be run.
  explicit ChildProcess(const std::string& program);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Sends the command and waits for the answer, which has code UNAVAILABLE if
  // the child is gone.
  ControlReply Command(const ControlRequest& request);

  // The two halves of Command.
  bool Send(const ControlRequest& request) { return control_.Send(request); }
  bool Receive(ControlReply* reply) { return control_.Receive(reply); }

  pid_t pid() const { return pid_; }
  void Signal(int signal);
  // Returns when a SIGSTOP has taken effect.
  void Stop();
  // Waits until it stops by itself, or is gone; returns its status as of
  // waitpid.
  int AwaitStop();
  // SIGKILL; returns the time of the signal (MonotonicNanos()) once the process
  // is gone.
  int64_t Kill();
  // Closes the control socket, so that the child ends by itself.
  void HangUp();
  // The same; returns its exit status as of waitpid.
  int Finish();

 private:
  pid_t pid_;
  bool running_ = true;
  ControlSocket control_;
};

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_CHILD_PROCESS_H_
