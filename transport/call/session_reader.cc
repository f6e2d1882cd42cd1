// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// How a session reads: doorbells, batches, and what each frame means.

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "transport/base/fault_point.h"
#include "transport/base/fork.h"
#include "transport/call/metadata_charge.h"
#include "transport/call/session.h"
#include "transport/call/session_internal.h"
#include "transport/call/wire_body.h"

namespace grpc_shm {
namespace {

// One turn of reading: long enough to share its costs among many frames, short
// enough for handlers and other links.
constexpr int kBatchFrames = 64;
constexpr size_t kBatchBytes = 256 * 1024;

absl::Status ProtocolError(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

// Rings in a row for nothing. An honest peer's are a few: when its messages are
// larger than what it makes room for at a time.
constexpr int kMostIdleRings = 256;

// A client that has not read so many refusals does not want to.
constexpr size_t kMaxUnreadRefusals = size_t{64} << 10;

// For a message of `total` bytes that begins with `first`, if that is known.
ReceivedMessage AllocateMessage(size_t total,
                                absl::Span<const std::byte> first) {
  if (first.empty()) return ReceivedMessage::Allocate(total);
  const absl::optional<WireBody> body = FindWireBody(first, total);
  return body.has_value() ? ReceivedMessage::AllocateWith(*body, total)
                          : ReceivedMessage::Allocate(total);
}

}  // namespace

void Session::OnControl(uint32_t /*epoll_events*/) {
  bool broken;
  {
    MutexLock lock(&mu_);
    if (link_ == nullptr) return;
    char byte;
    const ssize_t bytes =
        recv(link_->control_fd(), &byte, sizeof(byte), MSG_DONTWAIT);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return;
    broken = bytes > 0;
  }
  closing_.store(true, std::memory_order_relaxed);
  if (!broken) {
    // What a peer published before it died counts. A ring is at most this many
    // batches.
    const size_t batches =
        2 * max_payload_ / sizeof(RecordHeader) / kBatchFrames;
    for (size_t batch = 0; batch <= batches && Read(); ++batch) {
    }
  }
  Close(absl::UnavailableError(
      broken ? absl::StrCat(options_.address, ": the peer (pid ", peer_.pid,
                            ") broke the link protocol")
             : absl::StrCat(options_.address, ": the peer (pid ", peer_.pid,
                            ") exited or closed the link")));
}

void Session::OnDoorbell() {
  if (!IsWokenForNothing()) Work();
}

// Who is woken finds something to read, or space for what waits to be written.
// Sometimes another thread was quicker, but not so that nothing has happened
// since the last time, again and again: that is a peer that wants to keep this
// process busy. It loses the link.
bool Session::IsWokenForNothing() {
  const uint64_t progress = turns_read_.load(std::memory_order_relaxed) +
                            sent_since_read_.load(std::memory_order_relaxed);
  if (progress_at_ring_.exchange(progress, std::memory_order_relaxed) !=
      progress) {
    idle_rings_.store(0, std::memory_order_relaxed);
  } else if (idle_rings_.fetch_add(1, std::memory_order_relaxed) ==
             kMostIdleRings) {
    Close(absl::UnavailableError(
        absl::StrCat(options_.address, ": the peer (pid ", peer_.pid,
                     ") broke the link protocol: it rings for nothing")));
    return true;
  }
  return false;
}

// Reads a batch and tells the handlers; false if there was nothing.
bool Session::Read() {
  Notifications notifications;
  int frames;
  bool accepted;
  {
    MutexLock lock(&read_mu_);
    frames = ReadBatch(&notifications);
    accepted = !is_server() && !notifications.started.empty();
    if (accepted) ++telling_;
  }
  if (frames > 0) GRPC_SHM_FAULT_POINT(FramesRead);
  notifications.Run(this);
  // An application that is told may fork, and its child come back.
  if (accepted && !IsForkedChild()) HaveTold();
  return frames > 0;
}

// Another thread may have closed the link since this one has read of
// acceptances: the handler hears of that only now, lest it should take what it
// has offered, and has been answered perhaps, for lost.
void Session::HaveTold() {
  absl::optional<absl::Status> closed;
  {
    MutexLock lock(&read_mu_);
    if (--telling_ == 0) closed.swap(closed_);
  }
  if (closed.has_value()) TellClosed(*closed);
}

// Returns how many frames there were.
int Session::ReadBatch(Notifications* notifications) {
  if (link_ == nullptr || broken_) return 0;
  RingConsumer& ring = link_->consumer();
  int frames = 0;
  size_t bytes = 0;
  size_t unreleased = 0;
  absl::Status status;
  const auto release = [&] {
    unreleased = 0;
    ring.Release();
    if (ring.TakeProducerWakeup()) link_->RingDoorbell();
  };
  while (frames < kBatchFrames && bytes < kBatchBytes) {
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
    mid_message_.store(
        header.type == static_cast<uint8_t>(FrameType::kMessage) &&
            (header.flags & kMessageEnd) == 0,
        std::memory_order_relaxed);
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
    return frames;
  }
  if (unreleased > 0) release();
  if (frames > 0) {
    sent_since_read_.store(0, std::memory_order_relaxed);
    turns_read_.store(turns_read_.load(std::memory_order_relaxed) + 1,
                      std::memory_order_relaxed);
  }
  return frames;
}

absl::Status Session::HandleFrame(const RecordHeader& header,
                                  const std::byte* payload,
                                  Notifications* notifications) {
  const auto type = static_cast<FrameType>(header.type);
  if (type != FrameType::kMessage && header.flags != 0)
    return ProtocolError("a frame has unknown flags");
  switch (type) {
    case FrameType::kCall:
      if (!is_server() || options_.offers) break;
      return HandleCall(header, payload, notifications);

    case FrameType::kAccept:
      if (is_server() || !options_.offers) break;
      return HandleAccept(header, notifications);

    case FrameType::kMessage:
      return HandleMessage(header, payload, notifications);

    case FrameType::kCredit:
      return HandleCredit(header, payload);

    case FrameType::kInitialMetadata: {
      if (is_server()) break;
      absl::Status too_large;
      auto metadata = Parse<wire::InitialMetadata>(header, payload, &too_large);
      if (!metadata.ok()) return metadata.status();
      return Update(header.call_id, [&](Call* call) -> absl::Status {
        AssertHeld(mu_);
        if (std::exchange(call->initial_metadata_received_, true))
          return ProtocolError("a call has initial metadata twice");
        if (too_large.ok()) {
          Deliver(call, *std::move(metadata), 0, notifications);
        } else {
          Refuse(call->shared_from_this(), too_large, notifications);
        }
        return absl::OkStatus();
      });
    }

    case FrameType::kTrailers: {
      if (is_server()) break;
      absl::Status too_large;
      auto trailers = Parse<wire::Trailers>(header, payload, &too_large);
      if (!trailers.ok()) return trailers.status();
      return Update(header.call_id, [&](Call* call) {
        AssertHeld(mu_);
        if (too_large.ok()) {
          Deliver(call, *std::move(trailers), 0, notifications);
        } else {
          notifications->Abort(call, too_large);
        }
        End(call, notifications);
        return absl::OkStatus();
      });
    }

    case FrameType::kHalfClose: {
      if (!is_server()) break;
      return Update(header.call_id, [&](Call* call) -> absl::Status {
        AssertHeld(mu_);
        if (call->assembling_)
          return ProtocolError("a call is half-closed within a message");
        if (std::exchange(call->half_close_received_, true))
          return ProtocolError("a call is half-closed twice");
        Deliver(call, HalfClose{}, 0, notifications);
        return absl::OkStatus();
      });
    }

    case FrameType::kCancel: {
      if (!is_server()) break;
      return Update(header.call_id, [&](Call* call) {
        AssertHeld(mu_);
        notifications->Abort(
            call, absl::CancelledError("the client cancelled the call"));
        End(call, notifications);
        return absl::OkStatus();
      });
    }

    case FrameType::kGoAway: {
      if (is_server()) break;
      absl::Status too_large;
      auto go_away = Parse<wire::GoAway>(header, payload, &too_large);
      if (!go_away.ok()) return go_away.status();
      MutexLock lock(&mu_);
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
  absl::Status too_large;
  auto start = Parse<wire::CallStart>(header, payload, &too_large);
  if (!start.ok()) return start.status();
  MutexLock lock(&mu_);
  if (header.call_id <= last_call_id_)
    return ProtocolError("a call's number was used before");
  last_call_id_ = header.call_id;
  // Halves, since a limit may be as large as numbers get.
  const size_t living = living_calls_.load(std::memory_order_relaxed);
  if (living > kMaxUnreadRefusals &&
      (living - kMaxUnreadRefusals) / 2 >= options_.max_calls)
    return ProtocolError("refusals of calls are not read");
  std::shared_ptr<Call> call(
      new Call(shared_from_this(), header.call_id, window_, nullptr));
  if (refusing_) {
    Refuse(call,
           absl::UnavailableError(
               absl::StrCat(options_.address, ": the server is shutting down")),
           notifications);
  } else if (!too_large.ok()) {
    Refuse(call, too_large, notifications);
  } else if (calls_.size() >= options_.max_calls ||
             living / 2 >= options_.max_calls) {
    Refuse(call,
           absl::ResourceExhaustedError(
               absl::StrCat(options_.address, ": the link has its limit of ",
                            options_.max_calls, " open calls")),
           notifications);
  } else {
    calls_.emplace(call->id_, call);
    if (!backstop_armed_) ArmBackstop();
    notifications->started.emplace_back(std::move(call), *std::move(start));
  }
  return absl::OkStatus();
}

absl::Status Session::HandleAccept(const RecordHeader& header,
                                   Notifications* notifications) {
  if (header.length != 0 || header.call_id == 0)
    return ProtocolError("an acceptance names no call");
  MutexLock lock(&mu_);
  auto it = calls_.find(header.call_id);
  if (it == calls_.end()) {
    if (calls_.size() >= options_.max_calls)
      return ProtocolError("more calls are accepted than there may be");
    notifications->started.emplace_back(AddOffered(header.call_id),
                                        wire::CallStart());
  } else if (!std::exchange(it->second->adopted_, false)) {
    return ProtocolError("a call was accepted twice");
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
  } else if (!begin && bytes == 0) {
    return ProtocolError("a message's fragment is empty");
  }

  // The beginning of a large message, the peer's no more.
  std::array<std::byte, kWireBodyWithin> copy;
  absl::Span<const std::byte> first;
  if (begin && total >= kMinWireBody &&
      wants_bodies_.load(std::memory_order_relaxed)) {
    first = absl::MakeConstSpan(copy).first(std::min(copy.size(), bytes));
    std::memcpy(copy.data(), payload, first.size());
  }

  std::shared_ptr<Call> call;
  {
    MutexLock lock(&mu_);
    absl::StatusOr<std::shared_ptr<Call>> found = Find(header.call_id);
    if (!found.ok()) return found.status();
    call = *std::move(found);
    if (call == nullptr) return absl::OkStatus();
    const uint64_t charge = uint64_t{bytes} + kFrameCharge;
    if (charge > call->receive_window_)
      return ProtocolError("a call's window is exceeded");
    if (begin == call->assembling_)
      return ProtocolError("a message's frames are out of order");
    if (call->half_close_received_)
      return ProtocolError("a message comes after the end of messages");
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
      const uint64_t others = buffered_.load(std::memory_order_relaxed);
      const uint64_t more = BufferedBytes(total);
      if (others > 0 && (others >= options_.max_buffered_bytes ||
                         more > options_.max_buffered_bytes - others)) {
        Refuse(call,
               absl::ResourceExhaustedError(absl::StrCat(
                   options_.address, ": the link has its limit of ",
                   options_.max_buffered_bytes,
                   " bytes in messages that were not taken")),
               notifications);
        return absl::OkStatus();
      }
      buffered_.fetch_add(more, std::memory_order_relaxed);
      call->buffered_ += more;
      call->assembly_ = AllocateMessage(total, first);
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

  if (bytes > call->assembly_.left())
    return ProtocolError("a message is longer than announced");
  // What was looked at is taken from where it was.
  call->assembly_.Write(first.data(), first.size());
  call->assembly_.Write(payload + first.size(), bytes - first.size());
  if (!end) return absl::OkStatus();

  if (call->assembly_.left() > 0)
    return ProtocolError("a message is shorter than announced");
  call->assembling_ = false;
  MutexLock lock(&mu_);
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
  return Update(header.call_id, [&](Call* call) {
    AssertHeld(mu_);
    if (credit.bytes > window_ - call->send_window_) {
      return ProtocolError("a credit exceeds the window");
    }
    call->send_window_ += credit.bytes;
    if (!call->outgoing_.empty()) Schedule(call);
    return absl::OkStatus();
  });
}

// A frame's payload. If it has too much metadata, `*too_large` says so.
template <typename Message>
absl::StatusOr<Message> Session::Parse(const RecordHeader& header,
                                       const std::byte* payload,
                                       absl::Status* too_large) const {
  const size_t limit = options_.max_metadata_bytes;
  Message message;
  if (header.length > limit) {
    *too_large = TooMuchMetadata(header.length, limit);
    return message;
  }
  // From a private copy: the peer can still write what the ring holds.
  const std::string copy(reinterpret_cast<const char*>(payload), header.length);
  if (MostMetadataCharge(copy.size()) > limit) {
    // Before it is parsed, which takes many times as long as to count.
    const size_t bytes = MetadataCharge<Message>(copy, limit + 1);
    if (bytes > limit) {
      *too_large = TooMuchMetadata(bytes, limit);
      return message;
    }
  }
  if (!message.ParseFromString(copy))
    return ProtocolError("a frame's payload can't be parsed");
  return message;
}

// The open call of that number; null if it is over. An error if it never was.
absl::StatusOr<std::shared_ptr<Call>> Session::Find(uint64_t id) {
  auto it = calls_.find(id);
  if (it != calls_.end()) return it->second;
  if (id == 0 || id > last_call_id_)
    return ProtocolError("a frame names a call that does not exist");
  return std::shared_ptr<Call>();
}

// What a frame means for its call, unless that is over.
absl::Status Session::Update(uint64_t id,
                             absl::FunctionRef<absl::Status(Call*)> update) {
  MutexLock lock(&mu_);
  const absl::StatusOr<std::shared_ptr<Call>> call = Find(id);
  if (!call.ok()) return call.status();
  return *call != nullptr ? update(call->get()) : absl::OkStatus();
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

}  // namespace grpc_shm
