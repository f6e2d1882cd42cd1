// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_MESSAGE_STREAM_H_
#define GRPC_SHM_TRANSPORT_GRPC_MESSAGE_STREAM_H_

#include <grpcpp/completion_queue.h>
#include <grpcpp/impl/channel_interface.h>
#include <grpcpp/server_context.h>

#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "proto/inbox.grpc.pb.h"
#include "proto/inbox.pb.h"
#include "transport/grpc/completion_thread.h"

namespace grpc_shm {

// One call of Inbox.Send, seen alike from both its ends: packets are read as
// they come, and written when the handler has some, one at a time.
//
// Ownership: it keeps itself from Begin to its end, and its handler for as
// long. Threads: any; the handler is called by the thread of the queue, and
// without a lock but for NextPacket. So the handler may have a lock of its own,
// but must not call a stream under it.
class MessageStream : public std::enable_shared_from_this<MessageStream> {
 public:
  class Handler {
   public:
    virtual ~Handler() = default;
    virtual void OnPacket(MessageStream* stream, v1::Packet packet) = 0;
    // False: nothing is to be written now. Is called with the stream's lock, by
    // any thread.
    virtual bool NextPacket(MessageStream* stream, v1::Packet* packet) = 0;
    // Nothing more comes. Once, before OnEnded.
    virtual void OnReadsEnded(MessageStream* stream) = 0;
    // The last of all. The caller knows with which status; the callee has OK.
    virtual void OnEnded(MessageStream* stream, const absl::Status& status) = 0;
  };

  // Calls Inbox.Send on `channel`. `queue` is a CompletionThread's.
  static std::shared_ptr<MessageStream> Call(
      std::shared_ptr<Handler> handler,
      const std::shared_ptr<grpc::ChannelInterface>& channel,
      bool wait_for_ready, grpc::CompletionQueue* queue);

  // Lets `service`, whose completion queue is `queue`, have one more call, and
  // tells `called` of it, which is to Begin. A server that shuts down forgets
  // it.
  using Called = std::function<void(const std::shared_ptr<MessageStream>&,
                                    const grpc::ServerContext&)>;
  static void AwaitCall(std::shared_ptr<Handler> handler,
                        v1::Inbox::AsyncService* service,
                        grpc::ServerCompletionQueue* queue, Called called);

  MessageStream(const MessageStream&) = delete;
  MessageStream& operator=(const MessageStream&) = delete;
  virtual ~MessageStream() = default;

  // Reads, and writes what there is. Once.
  void Begin();

  // The handler may have something to write.
  void Wake();

  // Ends the call once the handler has nothing left to write: the callee with
  // `status`; the caller by saying so, whereupon the callee ends it.
  void End(const absl::Status& status = absl::OkStatus());

  // Ends the call now.
  void Cancel();

 protected:
  // What a stream waits for.
  class Operation final : public CompletionThread::Tag {
   public:
    Operation(MessageStream* stream, void (MessageStream::*done)(bool ok))
        : stream_(stream), done_(done) {}
    void Run(bool ok) override { stream_->Completed(done_, ok); }

   private:
    MessageStream* const stream_;
    void (MessageStream::*const done_)(bool ok);
  };

  explicit MessageStream(std::shared_ptr<Handler> handler, bool is_caller)
      : handler_(std::move(handler)), is_caller_(is_caller) {}

  // What the two ends do differently, without a lock. Each completes the
  // operation that it is given.
  virtual void StartCall(Operation* done) = 0;  // callers only
  virtual void StartRead(v1::Packet* packet, Operation* done) = 0;
  virtual void StartWrite(const v1::Packet& packet, Operation* done) = 0;
  virtual void HalfClose(Operation* done) = 0;  // callers only
  virtual void Finish(const absl::Status& status, Operation* done) = 0;
  // The caller's, after Finish.
  virtual absl::Status FinalStatus() const = 0;
  virtual void TryCancel() = 0;

 private:
  enum class Step { kNone, kRead, kWrite, kHalfClose, kFinish };

  void CallStarted(bool ok);
  void ReadDone(bool ok);
  void WriteDone(bool ok);
  void Finished(bool) {}
  void Completed(void (MessageStream::*done)(bool), bool ok);

  // Starts what is due.
  void Proceed();
  Step NextStep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<Handler> handler_;
  const bool is_caller_;
  std::shared_ptr<MessageStream> self_;  // from Begin to the end
  v1::Packet incoming_;                  // of the read that is under way
  v1::Packet outgoing_;                  // of the write
  Operation call_started_{this, &MessageStream::CallStarted};
  Operation read_done_{this, &MessageStream::ReadDone};
  Operation write_done_{this, &MessageStream::WriteDone};
  Operation finished_{this, &MessageStream::Finished};

  absl::Mutex mu_;
  // Operations that have not completed, and threads about to start one, or to
  // cancel the call. Finish awaits the latter; the end awaits both.
  int outstanding_ ABSL_GUARDED_BY(mu_) = 0;
  int starting_ ABSL_GUARDED_BY(mu_) = 0;
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  bool reading_ ABSL_GUARDED_BY(mu_) = false;
  bool reads_ended_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool writes_ended_ ABSL_GUARDED_BY(mu_) = false;
  bool end_wanted_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status end_status_ ABSL_GUARDED_BY(mu_);
  bool finishing_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_MESSAGE_STREAM_H_
