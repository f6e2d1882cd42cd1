// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_REPLY_ADDRESS_H_
#define GRPC_SHM_TRANSPORT_LINK_REPLY_ADDRESS_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "transport/base/unique_fd.h"

namespace grpc_shm {

// Where one who offers calls through a mailbox is reached by those who take
// them: a socket in the rendezvous directory, .reply-PID-RANDOM.sock, whose
// name is nobody else's and never used again, so it needs no lock. Its path
// travels with each call. No address: users can't name it.
//
// The destructor removes the file. Whoever finds that its owner was killed
// removes it as well.
class ReplyAddress {
 public:
  // Fails as Rendezvous::Open does; RESOURCE_EXHAUSTED without descriptors or
  // disk space.
  static absl::StatusOr<std::unique_ptr<ReplyAddress>> Listen(int backlog);
  ~ReplyAddress();

  ReplyAddress(const ReplyAddress&) = delete;
  ReplyAddress& operator=(const ReplyAddress&) = delete;

  // SOCK_SEQPACKET, non-blocking, closed on exec.
  int fd() const { return socket_.get(); }
  const std::string& path() const { return path_; }

  // Whether a path that somebody sent can be one.
  static bool IsPath(absl::string_view path);
  // Whether nobody listens there any more. Removes what is left of it.
  static bool RemoveIfDead(const std::string& path);

 private:
  ReplyAddress(std::string path, UniqueFd socket)
      : path_(std::move(path)), socket_(std::move(socket)) {}

  const std::string path_;
  const UniqueFd socket_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_REPLY_ADDRESS_H_
