// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_CONTROL_SOCKET_H_
#define GRPC_SHM_TESTS_INTEGRATION_CONTROL_SOCKET_H_

#include <functional>
#include <utility>

#include "google/protobuf/message_lite.h"
#include "tests/integration/control.pb.h"
#include "transport/base/unique_fd.h"

namespace grpc_shm {
namespace testing {

// The descriptor under which a child process has its end.
inline constexpr int kControlFd = 3;

// Protobuf messages over a SEQPACKET socket, one packet each.
class ControlSocket {
 public:
  ControlSocket() = default;
  explicit ControlSocket(UniqueFd socket) : socket_(std::move(socket)) {}

  bool Send(const google::protobuf::MessageLite& message);
  // False: the other end is gone.
  bool Receive(google::protobuf::MessageLite* message);

  int fd() const { return socket_.get(); }

 private:
  UniqueFd socket_;
};

// The main loop of a child: answers requests until the parent is gone. The
// first thing that main does; when the parent dies, so does the process.
int ServeControl(
    const std::function<ControlReply(const ControlRequest&)>& handle);

// Lowers a resource limit of this process, to make it run out of something.
ControlReply ApplyLimit(const LimitResource& limit);

// setuid, for good.
ControlReply BecomeUser(uint32_t user);

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_CONTROL_SOCKET_H_
