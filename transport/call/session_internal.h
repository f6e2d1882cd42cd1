// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_CALL_SESSION_INTERNAL_H_
#define GRPC_SHM_TRANSPORT_CALL_SESSION_INTERNAL_H_

// What the parts of the session's implementation share.

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "proto/wire.pb.h"
#include "transport/base/mutex.h"
#include "transport/call/call.h"
#include "transport/call/session.h"

namespace grpc_shm {

// How much is read before its space goes back, and written before it is
// published, within a batch: often enough for both sides to work at the same
// time.
inline constexpr size_t kStrideBytes = 32 * 1024;

// Tells clang's thread safety analysis, which does not see who calls a lambda,
// that the caller holds `mutex`. Does nothing.
inline void AssertHeld(const Mutex& mutex) ABSL_ASSERT_EXCLUSIVE_LOCK(mutex) {
  (void)mutex;
}

// What a message of that size counts while it waits to be taken.
inline uint64_t BufferedBytes(uint64_t message_bytes) {
  return message_bytes + kFrameCharge;
}

// Of a call's metadata that fits into no frame.
absl::Status TooMuchMetadata(size_t bytes, size_t limit);

// What handlers are to be told once the locks are released, in the order in
// which it is told.
struct Session::Notifications {
  using Handlers = absl::InlinedVector<std::shared_ptr<CallHandler>, 4>;

  std::vector<std::pair<std::shared_ptr<Call>, wire::CallStart>> started;
  Handlers readable;
  Handlers sent;
  std::vector<std::pair<std::shared_ptr<CallHandler>, absl::Status>> aborted;
  bool go_away = false;
  Handlers ended;  // only to be destroyed without a lock

  void Abort(Call* call, const absl::Status& status) {
    if (call->handler_ == nullptr) {
      call->aborted_ = status;  // told when its handler is there
    } else {
      aborted.emplace_back(call->handler_, status);
    }
  }

  void Run(Session* session) {
    if (!started.empty() || go_away) {
      const std::shared_ptr<SessionHandler> handler = session->handler_.lock();
      for (auto& [call, start] : started) {
        if (handler == nullptr) break;
        if (session->is_server()) {
          Serve(handler.get(), call, std::move(start));
        } else {
          handler->OnAccepted(call);
        }
      }
      if (go_away && handler != nullptr) handler->OnGoAway(session);
    }
    for (const auto& handler : readable) handler->OnReadable();
    for (const auto& handler : sent) handler->OnSent();
    for (const auto& [handler, status] : aborted) handler->OnAborted(status);
  }

  static void Serve(SessionHandler* handler, const std::shared_ptr<Call>& call,
                    wire::CallStart start) {
    const std::shared_ptr<CallHandler> call_handler =
        handler->OnCall(call, std::move(start));
    if (call->Attach(call_handler)) call_handler->OnReadable();
  }
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_CALL_SESSION_INTERNAL_H_
