// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Frames in any order, good and bad, from a peer that also writes into the
// shared memory as it likes, while the application does this and that. The
// session gives each call what belongs to it or an end, and closes when the
// peer hangs up.

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "tests/fuzz/fuzz_input.pb.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/memory_mutator.h"
#include "tests/fuzz/poke.h"
#include "tests/malformed/raw_link.h"
#include "tests/unit/link/socket_pair.h"
#include "transport/call/session.h"
#include "transport/link/handshake.h"

namespace grpc_shm {
namespace fuzz {
namespace {

using testing::RawLink;

constexpr size_t kRingBytes = size_t{16} << 10;
constexpr int64_t kMaxMessageBytes = 80 << 10;
constexpr size_t kMaxCalls = 4;
constexpr absl::Duration kPatience = absl::Seconds(20);

// The application's side of a call.
class AppCall : public CallHandler {
 public:
  void OnReadable() override {}
  void OnSent() override {}
  void OnAborted(const absl::Status& status) override {
    FUZZ_CHECK(!status.ok());
  }

  std::shared_ptr<Call> call;  // of the fuzzing thread
  int taken = 0;               // messages, not consumed yet
  bool half_closed = false;
  bool ended = false;
};

class App : public SessionHandler {
 public:
  std::shared_ptr<CallHandler> OnCall(const std::shared_ptr<Call>& call,
                                      wire::CallStart) override {
    auto handler = std::make_shared<AppCall>();
    handler->call = call;
    absl::MutexLock lock(&mu_);
    calls_.push_back(handler);
    return handler;
  }
  void OnGoAway(Session*) override {}
  void OnClosed(Session*, const absl::Status& status) override {
    FUZZ_CHECK(!status.ok());
    absl::MutexLock lock(&mu_);
    FUZZ_CHECK(!closed_);
    closed_ = true;
  }

  void Add(std::shared_ptr<AppCall> call) {
    absl::MutexLock lock(&mu_);
    calls_.push_back(std::move(call));
  }
  std::shared_ptr<AppCall> Find(uint32_t index) {
    absl::MutexLock lock(&mu_);
    return calls_.empty() ? nullptr : calls_[index % calls_.size()];
  }
  void Forget(const std::shared_ptr<AppCall>& call) {
    absl::MutexLock lock(&mu_);
    calls_.erase(std::find(calls_.begin(), calls_.end(), call));
  }
  bool AwaitClosed() {
    absl::MutexLock lock(&mu_);
    return mu_.AwaitWithTimeout(absl::Condition(&closed_), kPatience);
  }

 private:
  absl::Mutex mu_;
  std::vector<std::shared_ptr<AppCall>> calls_;
  bool closed_ = false;
};

OutgoingMessage MakeMessage(size_t bytes) {
  auto* const owned = new std::string(bytes, 'm');
  return OutgoingMessage(
      {absl::MakeConstSpan(reinterpret_cast<const std::byte*>(owned->data()),
                           owned->size())},
      OutgoingMessage::Owner(
          owned, [](void* owner) { delete static_cast<std::string*>(owner); }));
}

// As a client gets them, InitialMetadata? Message* Trailers, or as a server
// does, Message* HalfClose?; nothing else.
void Take(AppCall* call, bool client) {
  absl::optional<Received> item = call->call->Take();
  if (!item.has_value()) return;
  FUZZ_CHECK(!call->ended);
  if (auto* const message = absl::get_if<ReceivedMessage>(&*item)) {
    FUZZ_CHECK(!call->half_closed);
    FUZZ_CHECK(message->size() <= static_cast<size_t>(kMaxMessageBytes));
    size_t beside = message->size();
    uint64_t sum = 0;  // of what was received, every byte is there
    if (message->has_body()) {
      const std::string value = message->ReleaseBody();
      FUZZ_CHECK(value.size() == message->body().size);
      beside -= value.size();
      for (const char c : value) sum += static_cast<unsigned char>(c);
    }
    for (size_t i = 0; i < beside; ++i)
      sum += std::to_integer<uint64_t>(message->data()[i]);
    FUZZ_CHECK(sum <= uint64_t{255} * message->size());
    ++call->taken;
  } else if (absl::holds_alternative<HalfClose>(*item)) {
    FUZZ_CHECK(!client && !call->half_closed);
    call->half_closed = true;
  } else if (absl::holds_alternative<wire::Trailers>(*item)) {
    FUZZ_CHECK(client);
    call->ended = true;
  } else {
    FUZZ_CHECK(client);
  }
}

void Act(const Action& action, bool client,
         const std::shared_ptr<Session>& session, App* app) {
  switch (action.kind()) {
    case Action::START: {
      if (!client) return;
      auto handler = std::make_shared<AppCall>();
      wire::CallStart start;
      start.set_method(std::string(action.bytes() % (2 * kRingBytes), 'm'));
      absl::StatusOr<std::shared_ptr<Call>> call =
          session->StartCall(start, handler);
      if (!call.ok()) return;
      handler->call = *std::move(call);
      handler->call->Flush();
      app->Add(std::move(handler));
      return;
    }
    case Action::GO_AWAY:
      client ? session->CloseWhenIdle() : session->GoAway("enough");
      return;
    default:
      break;
  }
  const std::shared_ptr<AppCall> handler = app->Find(action.call());
  if (handler == nullptr) return;
  Call* const call = handler->call.get();
  switch (action.kind()) {
    case Action::TAKE:
      Take(handler.get(), client);
      break;
    case Action::CONSUME:
      if (handler->taken > 0) {
        --handler->taken;
        call->MessageConsumed();
      }
      break;
    case Action::SEND_INITIAL_METADATA: {
      if (client) break;
      wire::InitialMetadata initial;
      initial.add_metadata()->set_key(
          std::string(action.bytes() % (2 * kRingBytes), 'k'));
      call->SendInitialMetadata(initial);
      call->Flush();
      break;
    }
    case Action::SEND_MESSAGE:
      call->SendMessage(MakeMessage(action.bytes() % (8 * kRingBytes)));
      call->Flush();
      break;
    case Action::SEND_HALF_CLOSE:
      if (client) call->SendHalfClose();
      call->Flush();
      break;
    case Action::SEND_TRAILERS:
      if (client) break;
      call->SendTrailers(TrailersOf(absl::InternalError("because")));
      call->Flush();
      break;
    case Action::CANCEL:
      if (client) call->Cancel();
      break;
    case Action::FORGET:
      app->Forget(handler);
      break;
    default:
      break;
  }
}

std::string PayloadOf(const Frame& frame) {
  switch (frame.payload_case()) {
    case Frame::kBytes:
      return frame.bytes();
    case Frame::kCallStart:
      return frame.call_start().SerializeAsString();
    case Frame::kInitialMetadata:
      return frame.initial_metadata().SerializeAsString();
    case Frame::kTrailers:
      return frame.trailers().SerializeAsString();
    case Frame::kGoAway:
      return frame.go_away().SerializeAsString();
    case Frame::kCredit: {
      const CreditPayload credit{frame.credit()};
      return std::string(reinterpret_cast<const char*>(&credit),
                         sizeof(credit));
    }
    case Frame::kFirstFragment:
      return testing::FirstFragment(
          frame.first_fragment().total(),
          frame.first_fragment().begin() +
              std::string(frame.first_fragment().filler() % kRingBytes, 'f'));
    case Frame::kFiller:
      return std::string(frame.filler() % kRingBytes, 'f');
    default:
      return std::string();
  }
}

// A batch of what is there.
void Read(Session::Driver* driver) {
  int looks = 0;
  driver->Until([&looks] { return looks++ > 0; });
}

void Do(const SessionStep& step, bool client,
        const std::shared_ptr<Session>& session, App* app, RawLink* peer,
        Session::Driver* driver) {
  switch (step.step_case()) {
    case SessionStep::kFrame: {
      const Frame& frame = step.frame();
      const std::string payload =
          PayloadOf(frame).substr(0, MaxRecordPayload(kRingBytes));
      // Without space a hostile peer writes all the same, but then nothing
      // that comes after has a meaning.
      if (!peer->HasSpace(payload.size())) Read(driver);
      ::grpc_shm::RecordHeader header{};
      header.length = frame.has_length()
                          ? frame.length()
                          : static_cast<uint32_t>(payload.size());
      header.type = static_cast<uint8_t>(frame.type());
      header.flags = static_cast<uint8_t>(frame.flags());
      header.reserved = static_cast<uint16_t>(frame.reserved());
      header.call_id = frame.call_id();
      peer->Put(header, payload);
      peer->Publish();
      break;
    }
    case SessionStep::kPoke:
      DoPoke(step.poke(), peer->segment(), peer->segment_bytes());
      break;
    case SessionStep::kPacket:
      testing::SendRaw(peer->socket(), step.packet().substr(0, 100));
      break;
    case SessionStep::kDoorbell:
      peer->RingDoorbell();
      break;
    case SessionStep::kRead:
      peer->in().head.store(peer->in().tail.load());
      if (peer->in().producer_armed.exchange(0) != 0) peer->RingDoorbell();
      break;
    case SessionStep::kPoll:
      Read(driver);
      break;
    case SessionStep::kAction:
      Act(step.action(), client, session, app);
      break;
    default:
      break;
  }
}

struct Ends {
  std::unique_ptr<Link> honest;
  absl::optional<RawLink> hostile;
};

Ends MakeLink(bool client) {
  LinkOptions options;
  options.ring_bytes = kRingBytes;
  options.min_ring_bytes = kRingBytes;
  options.max_ring_bytes = kRingBytes;
  options.max_window_bytes = kRingBytes;
  testing::SocketPair sockets;
  Ends ends;
  absl::StatusOr<std::unique_ptr<Link>> honest;
  if (client) {
    // Its Hello.
    testing::SendRaw(sockets.ours.get(),
                     testing::GoodHello().SerializeAsString());
    options.max_window_bytes = 64 << 10;
    ends.hostile.emplace(
        *RawLink::Welcome(std::move(sockets.peer), kRingBytes));
    honest = ReceiveWelcome(std::move(sockets.ours), "fuzz", options);
  } else {
    testing::SendRaw(sockets.peer.get(),
                     testing::GoodHello().SerializeAsString());
    honest = AnswerHello(std::move(sockets.ours), "fuzz", options);
    ends.hostile.emplace(*RawLink::ReceiveWelcome(std::move(sockets.peer)));
  }
  FUZZ_CHECK(honest.ok());
  ends.honest = *std::move(honest);
  return ends;
}

void Run(const SessionInput& input) {
  const bool client = input.client();
  Ends ends = MakeLink(client);
  RawLink& peer = *ends.hostile;
  SessionOptions options;
  options.role =
      client ? SessionOptions::Role::kClient : SessionOptions::Role::kServer;
  options.address = "shm:fuzz";
  options.max_receive_message_bytes = kMaxMessageBytes;
  options.max_calls = kMaxCalls;
  options.wait_policy = SpinPolicy::kNever;
  auto app = std::make_shared<App>();
  absl::StatusOr<std::shared_ptr<Session>> started =
      Session::Start(std::move(ends.honest), options, app);
  FUZZ_CHECK(started.ok());
  const std::shared_ptr<Session> session = *std::move(started);
  session->WantBodies(true);
  {
    const MemoryMutator::Scope mutator(input.mutator(), peer.segment(),
                                       sizeof(LinkControl), peer.segment(),
                                       peer.segment_bytes());
    Session::Driver driver(session);
    for (const SessionStep& step : input.steps())
      Do(step, client, session, app.get(), &peer, &driver);
    Read(&driver);
  }
  if (input.hang_up()) {
    ends.hostile.reset();
  } else {
    session->Close(absl::UnavailableError("the end"));
  }
  FUZZ_CHECK(app->AwaitClosed());
  FUZZ_CHECK(session->calls() == 0);
  // What had come is still there, in order.
  for (uint32_t i = 0; i < 2 * kMaxCalls; ++i) {
    const std::shared_ptr<AppCall> call = app->Find(i);
    if (call == nullptr) break;
    for (int n = 0; n < 10; ++n) Take(call.get(), client);
  }
}

}  // namespace
}  // namespace fuzz
}  // namespace grpc_shm

GRPC_SHM_FUZZ_TARGET(grpc_shm::fuzz::SessionInput, grpc_shm::fuzz::Run)
