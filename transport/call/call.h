// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_CALL_CALL_H_
#define GRPC_SHM_TRANSPORT_CALL_CALL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "absl/types/variant.h"
#include "proto/wire.pb.h"
#include "transport/call/fifo.h"
#include "transport/call/frame.h"
#include "transport/call/message.h"

namespace grpc_shm {

class Session;

// The client will send no more messages.
struct HalfClose {};

// What one side of a call receives, in order. A client gets InitialMetadata?
// Message* Trailers, a server Message* HalfClose?.
using Received = absl::variant<wire::InitialMetadata, ReceivedMessage,
                               HalfClose, wire::Trailers>;

// How a call ends with a status of ours.
wire::Trailers TrailersOf(const absl::Status& status);

// Whether another message may be sent although `unsent` have not left yet, the
// last of them of `last_bytes`: so a unary request and its end, an answer and
// its status, and small messages of a stream leave together.
bool MayRunAhead(int unsent, size_t last_bytes);

// Who is told of a call's progress. Called without any lock of this layer, on
// any thread, possibly on several at once: a notification only says that
// looking is worth it.
class CallHandler {
 public:
  virtual ~CallHandler() = default;

  // Call::Take may give something.
  virtual void OnReadable() = 0;

  // A message given to Call::SendMessage has left.
  virtual void OnSent() = 0;

  // The call is over and nothing more can be sent or taken: the client
  // cancelled it, the link is lost, or a limit was exceeded. Not called after
  // trailers. Called once at most.
  virtual void OnAborted(const absl::Status& status) = 0;
};

// One side of one call on a link.
//
// Ownership: shared by its session, until the call is over there, and by
// whoever serves it. Keeps its session alive. Threads: any. Sending queues;
// Flush makes what is queued on the whole session visible to the peer. Failure:
// sending on a call that is over does nothing; CallHandler has told, or will
// tell, the reason.
class Call : public std::enable_shared_from_this<Call> {
 public:
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call();

  uint64_t id() const { return id_; }
  const std::shared_ptr<Session>& session() const { return session_; }

  // Has `handler` told from now on, or at once that the call was aborted:
  // false. Looking for what has come before is its own matter.
  bool Attach(std::shared_ptr<CallHandler> handler);

  // Server: of a call that was prepared (see Session::PrepareCall). Accept
  // tells the client with the next flush; the call then goes on as if
  // `request`, and that it is all that the client sends, had just come over the
  // link. Decline forgets it.
  void Accept(absl::optional<ReceivedMessage> request);
  void Decline();

  // Whether nothing can be sent any more. What was received can still be taken.
  bool over() const;

  // Server: once, before any message.
  void SendInitialMetadata(const wire::InitialMetadata& metadata);

  // CallHandler::OnSent tells when it has left: who sends much faster than that
  // makes this process keep it. Waits its turn for space
  // in the ring and for the receiver's window, without blocking the caller.
  void SendMessage(OutgoingMessage message);

  // Makes messages that are borrowed and have not left yet the call's own: who
  // lent them may do with them what it likes after this. False: there is no
  // memory, so they are not sent, nor is what was to follow them.
  bool KeepMessages();

  // Client: after the last message.
  void SendHalfClose();

  // Server: ends the call, after what was sent before.
  void SendTrailers(const wire::Trailers& trailers);

  // Client: ends the call; the handler hears nothing more.
  void Cancel();

  // Makes everything that was sent on this call's session visible to the peer,
  // waking it if it sleeps.
  void Flush();

  // The next thing received, if any.
  absl::optional<Received> Take();

  // The application has the message that was taken first of those not consumed
  // yet: its part of the window goes back to the sender.
  void MessageConsumed();

 private:
  friend class Session;

  struct OutgoingFrame {
    FrameType type;
    absl::variant<std::string, OutgoingMessage> payload;
    bool begun = false;  // a first fragment was written
    bool held = false;   // the message is not here; nothing is written
  };

  struct IncomingItem {
    Received item;
    uint32_t owed =
        0;  // window bytes to give back when the application has this message
  };

  Call(std::shared_ptr<Session> session, uint64_t id, uint32_t window,
       std::shared_ptr<CallHandler> handler);

  const std::shared_ptr<Session> session_;
  const uint64_t id_;

  // Guarded by session_->mu_.
  std::shared_ptr<CallHandler> handler_;  // null: not served yet, or over
  bool over_ = false;                     // not in the session's table any more
  bool scheduled_ =
      false;  // in the session's list of calls with something to write
  bool cancelled_ = false;                // a kCancel frame is to be written
  bool opened_ = false;                   // client: the kCall frame is written
  bool adopted_ = false;                  // client: kAccept is still to come
  absl::optional<absl::Status> aborted_;  // why, while no handler has been told
  Fifo<OutgoingFrame, 3> outgoing_;
  uint32_t send_window_;
  Fifo<IncomingItem, 2> incoming_;
  uint32_t receive_window_;
  uint32_t credit_due_ = 0;  // consumed, not yet given back
  uint32_t backlog_ =
      0;  // complete messages that the application does not have yet
  Fifo<uint32_t, 4> taken_owed_;  // of the messages taken and not consumed yet
  uint32_t assembly_owed_ = 0;    // of the message being assembled
  uint64_t buffered_ = 0;  // bytes, of SessionOptions::max_buffered_bytes
  // What the peer may do only once.
  bool initial_metadata_received_ = false;
  bool half_close_received_ = false;

  // Guarded by session_->read_mu_: the message being assembled.
  bool assembling_ = false;
  ReceivedMessage assembly_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_CALL_CALL_H_
