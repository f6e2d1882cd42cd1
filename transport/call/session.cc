// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/call/session.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace grpc_shm {
namespace {

// One turn of reading: long enough to share its costs among many frames, short
// enough for handlers and other links.
constexpr int kBatchFrames = 64;
constexpr size_t kBatchBytes = 256 * 1024;

// How much is read before its space goes back, and written before it is
// published, within a batch: often enough for both sides to work at the same
// time.
constexpr size_t kStrideBytes = 32 * 1024;

absl::Status ProtocolError(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

template <typename Message>
absl::Status Parse(const RecordHeader& header, const std::byte* payload,
                   Message* message) {
  // From a private copy: the peer can still write what the ring holds.
  const std::string copy(reinterpret_cast<const char*>(payload), header.length);
  if (!message->ParseFromString(copy))
    return ProtocolError("a frame's payload can't be parsed");
  return absl::OkStatus();
}

wire::Trailers TrailersOf(const absl::Status& status) {
  wire::Trailers trailers;
  trailers.set_code(static_cast<int32_t>(status.code()));
  trailers.set_message(std::string(status.message()));
  return trailers;
}

absl::Status TooMuchMetadata(size_t bytes, size_t limit) {
  return absl::ResourceExhaustedError(
      absl::StrCat("metadata of ", bytes, " bytes exceeds the link's limit of ",
                   limit, " bytes; send less, or use larger rings"));
}

}  // namespace

// What handlers are to be told once the locks are released, in the order in
// which it is told.
struct Session::Notifications {
  std::vector<std::pair<std::shared_ptr<Call>, wire::CallStart>> started;
  std::vector<std::shared_ptr<CallHandler>> readable;
  std::vector<std::shared_ptr<CallHandler>> sent;
  std::vector<std::pair<std::shared_ptr<CallHandler>, absl::Status>> aborted;
  bool go_away = false;
  std::vector<std::shared_ptr<CallHandler>>
      ended;  // only to be destroyed without a lock

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
      for (auto& [call, start] : started)
        Serve(session, handler.get(), call, start);
      if (go_away && handler != nullptr) handler->OnGoAway(session);
    }
    for (const auto& handler : readable) handler->OnReadable();
    for (const auto& handler : sent) handler->OnSent();
    for (const auto& [handler, status] : aborted) handler->OnAborted(status);
  }

  static void Serve(Session* session, SessionHandler* handler,
                    const std::shared_ptr<Call>& call,
                    const wire::CallStart& start) {
    if (handler == nullptr) return;
    const std::shared_ptr<CallHandler> call_handler =
        handler->OnCall(call, start);
    absl::optional<absl::Status> aborted;
    {
      absl::MutexLock lock(&session->mu_);
      if (!call->over_) call->handler_ = call_handler;
      aborted = call->aborted_;
    }
    if (aborted.has_value()) {
      call_handler->OnAborted(*aborted);
    } else {
      call_handler->OnReadable();
    }
  }
};

Session::Session(std::unique_ptr<Link> link, SessionOptions options,
                 std::weak_ptr<SessionHandler> handler)
    : options_(std::move(options)),
      handler_(std::move(handler)),
      peer_(link->peer()),
      window_(link->window_bytes()),
      max_payload_(link->producer().max_payload()),
      link_(std::move(link)) {}

Session::~Session() {
  if (link_ == nullptr) return;
  Reactor::Get().Unwatch(doorbell_source_, link_->doorbell_fd());
  Reactor::Get().Unwatch(control_source_, link_->control_fd());
}

absl::StatusOr<std::shared_ptr<Session>> Session::Start(
    std::unique_ptr<Link> link, SessionOptions options,
    std::weak_ptr<SessionHandler> handler) {
  std::shared_ptr<Session> session(
      new Session(std::move(link), std::move(options), std::move(handler)));
  const std::weak_ptr<Session> weak = session;
  {
    absl::MutexLock read_lock(&session->read_mu_);
    absl::MutexLock lock(&session->mu_);
    absl::StatusOr<Reactor::SourceId> doorbell = Reactor::Get().Watch(
        session->link_->doorbell_fd(), EPOLLIN | EPOLLET, [weak](uint32_t) {
          if (const std::shared_ptr<Session> self = weak.lock())
            self->OnDoorbell();
        });
    if (!doorbell.ok()) return doorbell.status();
    session->doorbell_source_ = *doorbell;
    absl::StatusOr<Reactor::SourceId> control = Reactor::Get().Watch(
        session->link_->control_fd(), EPOLLIN | EPOLLRDHUP | EPOLLET,
        [weak](uint32_t events) {
          if (const std::shared_ptr<Session> self = weak.lock())
            self->OnControl(events);
        });
    if (!control.ok()) return control.status();
    session->control_source_ = *control;
  }
  // Watching the doorbell yields a first event, whose handler arms it.
  return session;
}

absl::StatusOr<std::shared_ptr<Call>> Session::StartCall(
    const wire::CallStart& start, std::shared_ptr<CallHandler> handler) {
  std::string payload = start.SerializeAsString();
  if (payload.size() > max_payload_)
    return TooMuchMetadata(payload.size(), max_payload_);
  absl::MutexLock lock(&mu_);
  if (link_ == nullptr || refusing_) {
    return absl::UnavailableError(
        absl::StrCat(options_.address, ": the link is closing"));
  }
  std::shared_ptr<Call> call(new Call(shared_from_this(), ++last_call_id_,
                                      window_, std::move(handler)));
  calls_.emplace(call->id_, call);
  QueueFrame(call.get(), FrameType::kCall, std::move(payload));
  return call;
}

void Session::GoAway(const std::string& reason) {
  {
    absl::MutexLock lock(&mu_);
    wire::GoAway frame;
    frame.set_last_call_id(last_call_id_);
    frame.set_message(reason);
    go_away_ = frame.SerializeAsString();
    refusing_ = true;
    close_when_idle_ = true;
  }
  Flush();
}

void Session::CloseWhenIdle() {
  {
    absl::MutexLock lock(&mu_);
    refusing_ = true;
    close_when_idle_ = true;
  }
  Flush();
}

size_t Session::calls() const {
  absl::MutexLock lock(&mu_);
  return calls_.size();
}

void Session::Close(const absl::Status& status) {
  Notifications notifications;
  std::unique_ptr<Link> link;
  {
    absl::MutexLock read_lock(&read_mu_);
    absl::MutexLock lock(&mu_);
    if (link_ == nullptr) return;
    Reactor::Get().Unwatch(doorbell_source_, link_->doorbell_fd());
    Reactor::Get().Unwatch(control_source_, link_->control_fd());
    link = std::move(link_);
    auto calls = std::move(calls_);
    calls_.clear();
    for (auto& [id, call] : calls) {
      notifications.Abort(call.get(), status);
      End(call.get(), &notifications);
    }
    scheduled_.clear();
  }
  link.reset();
  notifications.Run(this);
  if (const std::shared_ptr<SessionHandler> handler = handler_.lock())
    handler->OnClosed(this, status);
}

void Session::CloseIfIdle() {
  {
    absl::MutexLock lock(&mu_);
    if (!close_when_idle_ || !calls_.empty() || !scheduled_.empty() ||
        !go_away_.empty())
      return;
  }
  Close(absl::UnavailableError(
      absl::StrCat(options_.address, ": the link was closed")));
}

// ---- Reading
// ---------------------------------------------------------------------------------------------------

void Session::OnDoorbell() {
  Drain();
  Flush();  // the doorbell also tells of space in the ring
  // The thread that makes a client's only call waits awake itself: it would
  // have to be woken otherwise.
  while ((is_server() || calls() > 1) && Spin()) {
  }
}

void Session::OnControl(uint32_t /*epoll_events*/) {
  bool broken;
  {
    absl::MutexLock lock(&mu_);
    if (link_ == nullptr) return;
    char byte;
    const ssize_t bytes =
        recv(link_->control_fd(), &byte, sizeof(byte), MSG_DONTWAIT);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return;
    broken = bytes > 0;
  }
  if (!broken) {
    // What a peer published before it died counts. A ring is at most this many
    // batches.
    for (size_t batch = 0;
         batch <= 2 * max_payload_ / sizeof(RecordHeader) / kBatchFrames;
         ++batch) {
      Notifications notifications;
      bool drained;
      {
        absl::MutexLock lock(&read_mu_);
        drained = ReadBatch(&notifications);
      }
      notifications.Run(this);
      if (drained) break;
    }
  }
  Close(absl::UnavailableError(
      broken ? absl::StrCat(options_.address, ": the peer (pid ", peer_.pid,
                            ") broke the link protocol")
             : absl::StrCat(options_.address, ": the peer (pid ", peer_.pid,
                            ") exited or closed the link")));
}

void Session::Drain() {
  Notifications notifications;
  bool drained;
  {
    absl::MutexLock lock(&read_mu_);
    drained = ReadBatch(&notifications);
  }
  // Before the handlers run: they may take long.
  if (!drained) DrainLater();
  notifications.Run(this);
}

// Another turn, after other links had theirs.
void Session::DrainLater() {
  Reactor::Get().Post([weak = weak_from_this()] {
    if (const std::shared_ptr<Session> self = weak.lock()) self->OnDoorbell();
  });
}

bool Session::Spin() {
  if (!spinner_.WorthIt() || !read_mu_.TryLock()) return false;
  Notifications notifications;
  bool drained = true;
  bool found = false;
  if (link_ != nullptr) {
    RingConsumer& ring = link_->consumer();
    ring.Disarm();
    found = spinner_.Wait([&ring] {
      RecordHeader header;
      const std::byte* payload;
      return ring.Peek(&header, &payload) != RingConsumer::Next::kEmpty;
    });
    drained = ReadBatch(&notifications);
  }
  read_mu_.Unlock();
  if (!drained) DrainLater();
  // Also if nothing was found in time: it may have come just then.
  Flush();
  notifications.Run(this);
  return found;
}

// Returns whether the ring is drained, with the doorbell armed, or can't be
// read any more.
bool Session::ReadBatch(Notifications* notifications) {
  if (link_ == nullptr || broken_) return true;
  RingConsumer& ring = link_->consumer();
  ring.Disarm();
  size_t bytes = 0;
  size_t unreleased = 0;
  absl::Status status;
  const auto release = [&] {
    unreleased = 0;
    ring.Release();
    if (ring.TakeProducerWakeup()) link_->RingDoorbell();
  };
  for (int frames = 0; frames < kBatchFrames && bytes < kBatchBytes;) {
    RecordHeader header;
    const std::byte* payload;
    const RingConsumer::Next next = ring.Peek(&header, &payload);
    if (next == RingConsumer::Next::kEmpty) break;
    if (next == RingConsumer::Next::kBroken) {
      status =
          ProtocolError("the ring's index or a record's length is impossible");
      break;
    }
    status = HandleFrame(header, payload, notifications);
    if (!status.ok()) break;
    ring.Pop();
    ++frames;
    bytes += header.length;
    unreleased += header.length + sizeof(header);
    if (unreleased >= kStrideBytes) release();
  }
  if (!status.ok()) {
    broken_ = true;
    Reactor::Get().Post(
        [weak = weak_from_this(),
         error = absl::UnavailableError(
             absl::StrCat(options_.address, ": the peer (pid ", peer_.pid,
                          ") broke the link protocol: ", status.message()))] {
          if (const std::shared_ptr<Session> self = weak.lock())
            self->Close(error);
        });
    return true;
  }
  if (unreleased > 0) release();
  return ring.Arm();
}

absl::Status Session::HandleFrame(const RecordHeader& header,
                                  const std::byte* payload,
                                  Notifications* notifications) {
  const auto type = static_cast<FrameType>(header.type);
  if (type != FrameType::kMessage && header.flags != 0)
    return ProtocolError("a frame has unknown flags");
  switch (type) {
    case FrameType::kCall:
      if (!is_server()) break;
      return HandleCall(header, payload, notifications);

    case FrameType::kMessage:
      return HandleMessage(header, payload, notifications);

    case FrameType::kCredit:
      return HandleCredit(header, payload);

    case FrameType::kInitialMetadata: {
      if (is_server()) break;
      wire::InitialMetadata metadata;
      absl::Status status = Parse(header, payload, &metadata);
      if (!status.ok()) return status;
      absl::MutexLock lock(&mu_);
      absl::StatusOr<std::shared_ptr<Call>> call = Find(header.call_id);
      if (!call.ok()) return call.status();
      if (*call != nullptr)
        Deliver(call->get(), std::move(metadata), 0, notifications);
      return absl::OkStatus();
    }

    case FrameType::kTrailers: {
      if (is_server()) break;
      wire::Trailers trailers;
      absl::Status status = Parse(header, payload, &trailers);
      if (!status.ok()) return status;
      absl::MutexLock lock(&mu_);
      absl::StatusOr<std::shared_ptr<Call>> call = Find(header.call_id);
      if (!call.ok()) return call.status();
      if (*call != nullptr) {
        const std::shared_ptr<Call> ended = *call;
        Deliver(ended.get(), std::move(trailers), 0, notifications);
        End(ended.get(), notifications);
      }
      return absl::OkStatus();
    }

    case FrameType::kHalfClose: {
      if (!is_server()) break;
      absl::MutexLock lock(&mu_);
      absl::StatusOr<std::shared_ptr<Call>> call = Find(header.call_id);
      if (!call.ok()) return call.status();
      if (*call != nullptr) Deliver(call->get(), HalfClose{}, 0, notifications);
      return absl::OkStatus();
    }

    case FrameType::kCancel: {
      if (!is_server()) break;
      absl::MutexLock lock(&mu_);
      absl::StatusOr<std::shared_ptr<Call>> call = Find(header.call_id);
      if (!call.ok()) return call.status();
      if (*call != nullptr) {
        const std::shared_ptr<Call> ended = *call;
        notifications->Abort(
            ended.get(), absl::CancelledError("the client cancelled the call"));
        End(ended.get(), notifications);
      }
      return absl::OkStatus();
    }

    case FrameType::kGoAway: {
      if (is_server()) break;
      wire::GoAway go_away;
      absl::Status status = Parse(header, payload, &go_away);
      if (!status.ok()) return status;
      absl::MutexLock lock(&mu_);
      refusing_ = true;
      notifications->go_away = true;
      return absl::OkStatus();
    }
  }
  return ProtocolError(
      absl::StrCat("a frame of type ", header.type, " is not for the ",
                   is_server() ? "server" : "client", " to receive"));
}

absl::Status Session::HandleCall(const RecordHeader& header,
                                 const std::byte* payload,
                                 Notifications* notifications) {
  wire::CallStart start;
  absl::Status status = Parse(header, payload, &start);
  if (!status.ok()) return status;
  absl::MutexLock lock(&mu_);
  if (header.call_id <= last_call_id_)
    return ProtocolError("a call's number was used before");
  last_call_id_ = header.call_id;
  std::shared_ptr<Call> call(
      new Call(shared_from_this(), header.call_id, window_, nullptr));
  if (refusing_) {
    Refuse(call,
           absl::UnavailableError(
               absl::StrCat(options_.address, ": the server is shutting down")),
           notifications);
  } else if (calls_.size() >= options_.max_calls) {
    Refuse(call,
           absl::ResourceExhaustedError(
               absl::StrCat(options_.address, ": the link has its limit of ",
                            options_.max_calls, " open calls")),
           notifications);
  } else {
    calls_.emplace(call->id_, call);
    notifications->started.emplace_back(std::move(call), std::move(start));
  }
  return absl::OkStatus();
}

absl::Status Session::HandleMessage(const RecordHeader& header,
                                    const std::byte* payload,
                                    Notifications* notifications) {
  const bool begin = (header.flags & kMessageBegin) != 0;
  const bool end = (header.flags & kMessageEnd) != 0;
  if ((header.flags & ~(kMessageBegin | kMessageEnd)) != 0)
    return ProtocolError("a message frame has unknown flags");
  uint64_t total = header.length;
  size_t bytes = header.length;
  if (begin && !end) {
    if (bytes <= kMessageLengthBytes)
      return ProtocolError("a message's first frame is too short");
    std::memcpy(&total, payload, kMessageLengthBytes);
    payload += kMessageLengthBytes;
    bytes -= kMessageLengthBytes;
    if (total <= bytes)
      return ProtocolError("a message is shorter than its first frame");
  }

  std::shared_ptr<Call> call;
  {
    absl::MutexLock lock(&mu_);
    absl::StatusOr<std::shared_ptr<Call>> found = Find(header.call_id);
    if (!found.ok()) return found.status();
    call = *std::move(found);
    if (call == nullptr) return absl::OkStatus();
    const uint64_t charge = uint64_t{bytes} + kFrameCharge;
    if (charge > call->receive_window_)
      return ProtocolError("a call's window is exceeded");
    if (begin == call->assembling_)
      return ProtocolError("a message's frames are out of order");
    call->receive_window_ -= charge;

    const int64_t limit = options_.max_receive_message_bytes;
    if (begin && limit >= 0 && total > static_cast<uint64_t>(limit)) {
      // The words are gRPC's own.
      Refuse(call,
             absl::ResourceExhaustedError(
                 absl::StrCat("Received message larger than max (", total,
                              " vs. ", limit, ")")),
             notifications);
      return absl::OkStatus();
    }
    if (begin) {
      call->assembly_ = ReceivedMessage::Allocate(total);
      call->assembled_ = 0;
      call->assembling_ = true;
      if (call->assembly_.data() == nullptr) {
        Refuse(call,
               absl::ResourceExhaustedError(absl::StrCat(
                   "no memory for a message of ", total, " bytes")),
               notifications);
        return absl::OkStatus();
      }
    }
    // The message that the application gets next is paid for as it arrives, so
    // that it can be larger than the window; what comes behind it stays within
    // the window.
    if (call->backlog_ == 0) {
      AddCredit(call.get(), charge);
    } else {
      call->assembly_owed_ += charge;
    }
  }

  if (bytes > call->assembly_.size() - call->assembled_)
    return ProtocolError("a message is longer than announced");
  std::memcpy(call->assembly_.data() + call->assembled_, payload, bytes);
  call->assembled_ += bytes;
  if (!end) return absl::OkStatus();

  if (call->assembled_ != call->assembly_.size())
    return ProtocolError("a message is shorter than announced");
  call->assembling_ = false;
  absl::MutexLock lock(&mu_);
  if (call->over_) return absl::OkStatus();
  ++call->backlog_;
  Deliver(call.get(), std::move(call->assembly_),
          std::exchange(call->assembly_owed_, 0), notifications);
  return absl::OkStatus();
}

absl::Status Session::HandleCredit(const RecordHeader& header,
                                   const std::byte* payload) {
  CreditPayload credit;
  if (header.length != sizeof(credit))
    return ProtocolError("a credit frame has the wrong length");
  std::memcpy(&credit, payload, sizeof(credit));
  absl::MutexLock lock(&mu_);
  absl::StatusOr<std::shared_ptr<Call>> call = Find(header.call_id);
  if (!call.ok()) return call.status();
  if (*call == nullptr) return absl::OkStatus();
  if (credit.bytes > window_ - std::min(window_, (*call)->send_window_)) {
    return ProtocolError("a credit exceeds the window");
  }
  (*call)->send_window_ += credit.bytes;
  if (!(*call)->outgoing_.empty()) Schedule(call->get());
  return absl::OkStatus();
}

// Ends a call that exceeds a limit, on both sides.
void Session::Refuse(const std::shared_ptr<Call>& call,
                     const absl::Status& status, Notifications* notifications) {
  notifications->Abort(call.get(), status);
  End(call.get(), notifications);
  if (is_server()) {
    QueueFrame(call.get(), FrameType::kTrailers,
               TrailersOf(status).SerializeAsString());
  } else {
    call->cancelled_ = true;
    Schedule(call.get());
  }
}

// The open call of that number; null if it is over. An error if it never was.
absl::StatusOr<std::shared_ptr<Call>> Session::Find(uint64_t id) {
  auto it = calls_.find(id);
  if (it != calls_.end()) return it->second;
  if (id == 0 || id > last_call_id_)
    return ProtocolError("a frame names a call that does not exist");
  return std::shared_ptr<Call>();
}

void Session::Deliver(Call* call, Received item, uint32_t owed,
                      Notifications* notifications) {
  call->incoming_.push_back({std::move(item), owed});
  if (call->handler_ == nullptr) return;
  // A stream's messages come in a row: one notification tells of them all.
  if (notifications->readable.empty() ||
      notifications->readable.back() != call->handler_) {
    notifications->readable.push_back(call->handler_);
  }
}

void Session::End(Call* call, Notifications* notifications) {
  call->over_ = true;
  call->outgoing_.clear();
  if (call->handler_ != nullptr)
    notifications->ended.push_back(std::move(call->handler_));
  calls_.erase(call->id_);
}

// ---- Writing
// ---------------------------------------------------------------------------------------------------

void Session::Flush() {
  Notifications notifications;
  bool broken = false;
  {
    absl::MutexLock lock(&mu_);
    if (link_ != nullptr) {
      WriteScheduled(&notifications);
      broken = link_->producer().broken();
    }
  }
  notifications.Run(this);
  if (broken) {
    Close(absl::UnavailableError(
        absl::StrCat(options_.address, ": the peer (pid ", peer_.pid,
                     ") broke the link protocol: its ring index is "
                     "impossible")));
  }
  CloseIfIdle();
}

void Session::WriteScheduled(Notifications* notifications) {
  if (!go_away_.empty()) {
    if (WriteFrame(FrameType::kGoAway, 0, go_away_.data(), go_away_.size()) ==
        WriteResult::kFull)
      return;
    go_away_.clear();
  }
  while (!scheduled_.empty()) {
    const std::shared_ptr<Call> call = scheduled_.front();
    const WriteResult result = WriteOne(call.get(), notifications);
    if (result == WriteResult::kFull) break;
    scheduled_.pop_front();
    if (result == WriteResult::kWritten) {
      scheduled_.push_back(call);  // its next turn, after everybody else's
    } else {
      call->scheduled_ = false;
    }
  }
  Publish();
}

Session::WriteResult Session::WriteOne(Call* call,
                                       Notifications* notifications) {
  if (call->cancelled_) {
    const WriteResult result =
        WriteFrame(FrameType::kCancel, call->id_, nullptr, 0);
    if (result == WriteResult::kWritten) call->cancelled_ = false;
    return result;
  }
  if (!call->over_ && call->credit_due_ >= window_ / 2) {
    const CreditPayload credit{call->credit_due_};
    const WriteResult result =
        WriteFrame(FrameType::kCredit, call->id_, &credit, sizeof(credit));
    if (result == WriteResult::kWritten) {
      call->receive_window_ += call->credit_due_;
      call->credit_due_ = 0;
    }
    return result;
  }
  if (call->outgoing_.empty()) return WriteResult::kNothing;
  Call::OutgoingFrame& frame = call->outgoing_.front();
  if (frame.type == FrameType::kMessage)
    return WriteMessage(call, notifications);
  const std::string& payload = absl::get<std::string>(frame.payload);
  const FrameType type = frame.type;
  const WriteResult result =
      WriteFrame(type, call->id_, payload.data(), payload.size());
  if (result == WriteResult::kWritten) {
    if (type == FrameType::kCall) call->opened_ = true;
    if (type == FrameType::kTrailers) {
      End(call, notifications);
    } else {
      call->outgoing_.pop_front();
    }
  }
  return result;
}

Session::WriteResult Session::WriteMessage(Call* call,
                                           Notifications* notifications) {
  Call::OutgoingFrame& frame = call->outgoing_.front();
  OutgoingMessage& message = absl::get<OutgoingMessage>(frame.payload);
  // At least one byte must fit, unless there is none to send.
  if (call->send_window_ < kFrameCharge + (message.left() > 0 ? 1 : 0))
    return WriteResult::kNothing;
  size_t bytes = std::min({message.left(), kMaxFragmentBytes,
                           max_payload_ - kMessageLengthBytes,
                           size_t{call->send_window_} - kFrameCharge});
  const bool begin = !frame.begun;
  const bool end = bytes == message.left();
  const size_t prefix = begin && !end ? kMessageLengthBytes : 0;

  std::byte* payload = Reserve(prefix + bytes);
  if (payload == nullptr) return WriteResult::kFull;
  if (prefix > 0) {
    const uint64_t total = message.size();
    std::memcpy(payload, &total, kMessageLengthBytes);
  }
  message.Read(payload + prefix, bytes);
  RecordHeader header{};
  header.length = static_cast<uint32_t>(prefix + bytes);
  header.type = static_cast<uint8_t>(FrameType::kMessage);
  header.flags = (begin ? kMessageBegin : 0) | (end ? kMessageEnd : 0);
  header.call_id = call->id_;
  link_->producer().Commit(header);
  frame.begun = true;
  call->send_window_ -= bytes + kFrameCharge;
  unpublished_ += sizeof(header) + header.length;
  if (unpublished_ >= kStrideBytes) Publish();
  if (end) {
    call->outgoing_.pop_front();
    if (call->handler_ != nullptr)
      notifications->sent.push_back(call->handler_);
  }
  return WriteResult::kWritten;
}

Session::WriteResult Session::WriteFrame(FrameType type, uint64_t call_id,
                                         const void* payload, size_t bytes) {
  std::byte* to = Reserve(bytes);
  if (to == nullptr) return WriteResult::kFull;
  if (bytes > 0) std::memcpy(to, payload, bytes);
  RecordHeader header{};
  header.length = static_cast<uint32_t>(bytes);
  header.type = static_cast<uint8_t>(type);
  header.call_id = call_id;
  link_->producer().Commit(header);
  unpublished_ += sizeof(header) + bytes;
  return WriteResult::kWritten;
}

// Space in the ring for a payload; null if it is full, with the consumer told
// to ring when there is some.
std::byte* Session::Reserve(size_t bytes) {
  RingProducer& ring = link_->producer();
  for (;;) {
    if (std::byte* payload = ring.TryReserve(bytes)) return payload;
    Publish();  // the consumer can only make space by reading what it can see
    if (ring.broken() || ring.ArmForSpace(bytes)) return nullptr;
  }
}

void Session::Publish() {
  if (unpublished_ == 0) return;
  unpublished_ = 0;
  if (link_->producer().Publish()) link_->RingDoorbell();
}

void Session::Schedule(Call* call) {
  if (call->scheduled_ || link_ == nullptr) return;
  call->scheduled_ = true;
  scheduled_.push_back(call->shared_from_this());
}

void Session::QueueFrame(Call* call, FrameType type, std::string payload) {
  call->outgoing_.push_back({type, std::move(payload)});
  Schedule(call);
}

void Session::AddCredit(Call* call, uint32_t bytes) {
  call->credit_due_ += bytes;
  if (call->credit_due_ >= window_ / 2) Schedule(call);
}

// ---- Call
// ------------------------------------------------------------------------------------------------------

void Call::SendInitialMetadata(const wire::InitialMetadata& metadata) {
  std::string payload = metadata.SerializeAsString();
  if (payload.size() > session_->max_payload_) {
    SendTrailers(
        TrailersOf(TooMuchMetadata(payload.size(), session_->max_payload_)));
    return;
  }
  absl::MutexLock lock(&session_->mu_);
  if (over_) return;
  session_->QueueFrame(this, FrameType::kInitialMetadata, std::move(payload));
}

void Call::SendMessage(OutgoingMessage message) {
  absl::MutexLock lock(&session_->mu_);
  if (over_) return;
  outgoing_.push_back({FrameType::kMessage, std::move(message)});
  session_->Schedule(this);
}

void Call::SendHalfClose() {
  absl::MutexLock lock(&session_->mu_);
  if (over_) return;
  session_->QueueFrame(this, FrameType::kHalfClose, std::string());
}

void Call::SendTrailers(const wire::Trailers& trailers) {
  std::string payload = trailers.SerializeAsString();
  if (payload.size() > session_->max_payload_) {
    payload =
        TrailersOf(TooMuchMetadata(payload.size(), session_->max_payload_))
            .SerializeAsString();
  }
  absl::MutexLock lock(&session_->mu_);
  if (over_) return;
  session_->QueueFrame(this, FrameType::kTrailers, std::move(payload));
}

void Call::Cancel() {
  Session::Notifications
      notifications;  // drops the handler, after the lock is released
  {
    absl::MutexLock lock(&session_->mu_);
    if (over_) return;
    session_->End(this, &notifications);
    if (opened_) {
      cancelled_ = true;
      session_->Schedule(this);
    }
  }
  Flush();
}

void Call::Flush() { session_->Flush(); }

absl::optional<Received> Call::Take() {
  absl::MutexLock lock(&session_->mu_);
  if (incoming_.empty()) return absl::nullopt;
  IncomingItem next = std::move(incoming_.front());
  incoming_.pop_front();
  if (absl::holds_alternative<ReceivedMessage>(next.item))
    taken_owed_.push_back(next.owed);
  return std::move(next.item);
}

void Call::MessageConsumed() {
  bool flush;
  {
    absl::MutexLock lock(&session_->mu_);
    if (over_) return;
    --backlog_;
    uint32_t credit = taken_owed_.front();
    taken_owed_.pop_front();
    if (backlog_ == 0) credit += std::exchange(assembly_owed_, 0);
    session_->AddCredit(this, credit);
    flush = scheduled_;
  }
  if (flush) Flush();
}

}  // namespace grpc_shm
