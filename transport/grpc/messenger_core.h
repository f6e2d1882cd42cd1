// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_MESSENGER_CORE_H_
#define GRPC_SHM_TRANSPORT_GRPC_MESSENGER_CORE_H_

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "transport/grpc/message_flow.h"
#include "transport/grpc/message_stream.h"
#include "transport/messenger.h"

namespace grpc_shm {

// The most that a packet has besides its message.
inline constexpr int kPacketOverheadBytes = 1024;

// A messenger's inbox and links. Which of two calls becomes the link of a pair
// is told in proto/inbox.proto.
//
// Lifetime: as long as its messenger or a call needs it. Threads: any. Streams
// are never called with the lock held: what is to be done to them is gathered
// in Effects and performed after it is released.
class MessengerCore final : public MessageStream::Handler,
                            public std::enable_shared_from_this<MessengerCore> {
 public:
  MessengerCore(std::string name, const MessengerOptions& options)
      : name_(std::move(name)), options_(options) {}

  const std::string& name() const { return name_; }
  size_t links() const;

  // As in Messenger. A deadline of InfinitePast never waits.
  absl::Status Send(const std::string& to, absl::string_view data,
                    absl::Time deadline);
  absl::Status TrySend(const std::string& to, absl::string_view data);
  // From anybody: null.
  absl::StatusOr<Messenger::Message> Receive(const std::string* from,
                                             absl::Time deadline);
  absl::StatusOr<Messenger::Message> TryReceive(const std::string* from);

  // The queue of all streams; before any is made.
  void set_queue(grpc::CompletionQueue* queue) { queue_ = queue; }

  // Another process calls.
  void OnCall(const std::shared_ptr<MessageStream>& stream,
              const grpc::ServerContext& context);

  // Lets nobody in or wait any more; ends all links once what was sent has
  // arrived, or at the deadline.
  void Close(absl::Time deadline);

  // Handler.
  void OnPacket(MessageStream* stream, v1::Packet packet) override;
  bool NextPacket(MessageStream* stream, v1::Packet* packet) override;
  void OnReadsEnded(MessageStream* stream) override;
  void OnEnded(MessageStream* stream, const absl::Status& status) override;

 private:
  // One call of Inbox.Send.
  struct Connection {
    std::shared_ptr<MessageStream> stream;
    MessageFlow flow;
    std::string peer;  // of a caller: once it has been verified
    bool is_ours = false;
    // The process at the other end, according to the kernel; 0: not known.
    pid_t pid = 0;
    uint64_t max_message_bytes = 0;  // that the peer takes
    bool heard_hello = false;
    bool hello_is_due = false;
    bool superseded = false;  // our call, given up for the peer's
    bool reads_ended = false;
    absl::Status failure;  // why it is no link, or must not be one
  };
  using ConnectionPtr = std::shared_ptr<Connection>;

  struct Peer {
    ConnectionPtr link;
    ConnectionPtr call;                 // ours, not answered yet
    std::deque<ConnectionPtr> callers;  // verified; not answered yet
    std::deque<uint64_t> arrivals;      // keys of its messages in inbox_
    absl::Status failure;               // of our last call
  };

  // What is to be done to streams without the lock, in this order.
  struct Effects {
    std::vector<std::shared_ptr<MessageStream>> begun, woken, cancelled;
    std::vector<std::pair<std::shared_ptr<MessageStream>, absl::Status>> over;
    void Perform();
  };

  enum class Place { kNone, kFree, kNoLink };

  Place PlaceAt(const std::string& to) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<std::shared_ptr<MessageFlow::Outgoing>> Queue(
      const std::string& to, absl::string_view data, ConnectionPtr* link,
      Effects* effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status AwaitArrival(const ConnectionPtr& link,
                            const std::shared_ptr<MessageFlow::Outgoing>& sent,
                            absl::Time deadline);
  ConnectionPtr NewCall(const std::string& to, Effects* effects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  void Deliver(const std::string& sender, std::string data)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HasMessage(const std::string* from) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Messenger::Message Take(const std::string* from, Effects* effects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  absl::Status VerifyCaller(const Connection& caller,
                            const std::string& claimed) const;
  absl::Status OnHello(const ConnectionPtr& connection, const v1::Hello& hello,
                       Effects* effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void MakeLink(const ConnectionPtr& connection, Peer* peer, Effects* effects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void EndForeign(Peer* peer, pid_t pid, Effects* effects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A link or a call of ours has ended: who waited gets his turn.
  void AnswerNext(const std::string& name, Effects* effects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether messages may go on it.
  bool IsLink(const Connection& connection) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  ConnectionPtr Find(MessageStream* stream) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ForgetIfUnused(const std::string& name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::string name_;
  const MessengerOptions options_;
  grpc::CompletionQueue* queue_ = nullptr;

  mutable absl::Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_map<MessageStream*, ConnectionPtr> connections_
      ABSL_GUARDED_BY(mu_);
  std::map<std::string, Peer> peers_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, Messenger::Message> inbox_ ABSL_GUARDED_BY(mu_);
  uint64_t next_arrival_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_MESSENGER_CORE_H_
