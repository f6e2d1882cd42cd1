// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/inline_call.h"

#include <grpc/byte_buffer.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/message.h"
#include "transport/base/monotonic_clock.h"
#include "transport/grpc/convert.h"
#include "transport/grpc/grpc_access.h"
#include "transport/grpc/peer_registry.h"
#include "transport/grpc/received_body.h"
#include "transport/grpc/sent_message.h"

namespace grpc_shm {
namespace {

using Point = grpc::experimental::InterceptionHookPoints;
using Methods = grpc::experimental::InterceptorBatchMethods;
using grpc::internal::MethodHandler;
using grpc::internal::RpcMethod;

// No sum of it and a time overflows, whatever a client says.
constexpr int64_t kLongestTimeout = INT64_MAX / 2;

// How long a client may take for an answer that is waited for awake: it copies
// a byte in some 0.1 ns.
constexpr int64_t kShortestPatienceNanos = 500'000;
constexpr int64_t kPatienceNanosPerByte = 1;

// Where the interceptor leaves what it is shown, for the hook that has it run.
thread_local Methods** shown = nullptr;

gpr_timespec ToTimespec(int64_t deadline) {
  if (deadline == 0) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  return gpr_time_add(
      gpr_now(GPR_CLOCK_MONOTONIC),
      gpr_time_from_nanos(deadline - MonotonicNanos(), GPR_TIMESPAN));
}

bool HasRequest(RpcMethod::RpcType type) {
  return type == RpcMethod::NORMAL_RPC || type == RpcMethod::SERVER_STREAMING;
}

}  // namespace

// The handler's context, which knows its call.
class InlineCall::Context : public grpc::ServerContext {
 public:
  explicit Context(InlineCall* call) : call_(call) {}
  InlineCall* call() const { return call_; }

 private:
  InlineCall* const call_;
};

// Leaves operations to the hook, and tells the call of TryCancel.
class InlineCall::Interceptor : public grpc::experimental::Interceptor {
 public:
  explicit Interceptor(InlineCall* call) : call_(call) {}

  void Intercept(Methods* methods) override {
    if (methods->QueryInterceptionHookPoint(Point::PRE_SEND_CANCEL)) {
      call_->End(absl::CancelledError("Cancelled on the server side"));
    } else {
      *shown = methods;
    }
  }

 private:
  InlineCall* const call_;
};

class InlineCall::InterceptorFactory
    : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    return new Interceptor(
        static_cast<Context*>(info->server_context())->call());
  }

  static const ServerContextAccess::Interceptors& Get() {
    static const auto* const interceptors = [] {
      auto* made = new ServerContextAccess::Interceptors;
      made->push_back(std::make_unique<InterceptorFactory>());
      return made;
    }();
    return *interceptors;
  }
};

// Performs the handler's operations in place of gRPC's core.
class InlineCall::Hook : public grpc::internal::CallHook {
 public:
  explicit Hook(InlineCall* call) : call_(call) {}

  void PerformOpsOnCall(grpc::internal::CallOpSetInterface* operations,
                        grpc::internal::Call* call) override {
    Methods* methods = nullptr;
    shown = &methods;
    operations->FillOps(call);
    shown = nullptr;
    const TakenOperations taken(methods, ShownAgain::kNo);
    call_->Perform(taken);
    taken.CompleteHere();
  }

 private:
  InlineCall* const call_;
};

InlineCall::InlineCall(std::shared_ptr<Call> call, wire::CallStart start,
                       std::shared_ptr<const std::string> identity,
                       InlineMethod* method, std::shared_ptr<InlineHost> host)
    : call_(std::move(call)),
      start_(std::move(start)),
      identity_(std::move(identity)),
      method_(method),
      host_(std::move(host)) {
  if (start_.has_timeout_ns())
    deadline_ =
        MonotonicNanos() +
        std::min(kLongestTimeout, std::max<int64_t>(1, start_.timeout_ns()));
}

InlineCall::~InlineCall() {
  if (deadline_ != 0) Timeouts::Get().Remove(timeout_);
}

void InlineCall::Begin() {
  if (deadline_ != 0)
    timeout_ = Timeouts::Get().Add(deadline_, weak_from_this());
}

void InlineCall::BeginHere() {
  {
    MutexLock lock(&mu_);
    submitted_ = true;
  }
  Begin();
}

// ---- Before the handler runs

void InlineCall::OnReadable() {
  bool submit = false;
  {
    MutexLock lock(&mu_);
    if (!submitted_) submit = submitted_ = TakeRequest();
    readable_.store(true, std::memory_order_release);
  }
  changed_.Signal();
  if (submit) call_->session()->Submit(shared_from_this());
}

// Whether there is all that the handler is called with.
bool InlineCall::TakeRequest() {
  if (!HasRequest(method_->type)) return true;
  absl::optional<Received> received = call_->Take();
  if (!received.has_value()) return false;
  if (auto* message = absl::get_if<ReceivedMessage>(&*received)) {
    request_ = std::move(*message);
  } else {
    half_closed_ = true;  // there is none: the handler's helper will complain
  }
  return true;
}

void InlineCall::RunHere() {
  for (;;) {
    readable_.store(false, std::memory_order_relaxed);
    if (TakeRequest()) break;
    Wait([this] { return readable_.load(std::memory_order_acquire); });
    if (over_.load()) return;
  }
  Run();
}

void InlineCall::Run() {
  InlineHost::Turn turn(host_.get());
  if (over_.load()) return;
  if (turn.has_place()) {
    turn_ = &turn;
    const int64_t begin = MonotonicNanos();
    RunHandler();
    method_->pace.Took(MonotonicNanos() - begin);
  } else {
    // The words are gRPC's own.
    End(absl::ResourceExhaustedError("Server Threadpool Exhausted"));
  }
}

// A stream's handler waits for its client, and reads the ring itself meanwhile.
bool InlineCall::IsQuick() const {
  return method_->type == RpcMethod::NORMAL_RPC && method_->pace.IsQuick();
}

grpc_metadata_array InlineCall::MakeMetadata() {
  grpc_metadata_array array;
  grpc_metadata_array_init(&array);
  array.capacity = static_cast<size_t>(start_.metadata_size()) + 1;
  array.metadata = static_cast<grpc_metadata*>(
      gpr_malloc(array.capacity * sizeof(grpc_metadata)));
  const auto append = [&array](absl::string_view key, absl::string_view value) {
    array.metadata[array.count++] = {
        grpc_slice_from_static_buffer(key.data(), key.size()),
        grpc_slice_from_static_buffer(value.data(), value.size()),
        {}};
  };
  for (const wire::Metadatum& field : start_.metadata()) {
    if (IsUserMetadata(field.key(), field.value()))
      append(field.key(), field.value());
  }
  append(kPeerIdentityKey, *identity_);
  return array;
}

void InlineCall::RunHandler() {
  const gpr_timespec deadline = ToTimespec(deadline_);
  std::unique_ptr<CallAnchor> anchor =
      CallAnchor::Take(deadline, start_.authority());
  Hook hook(this);
  {
    Context context(this);
    grpc_metadata_array metadata = MakeMetadata();
    auto* const info = ServerContextAccess::Bind(
        &context, anchor->call(), deadline, &metadata, method_->name,
        method_->type, InterceptorFactory::Get());
    grpc_metadata_array_destroy(&metadata);  // it got an empty one in exchange
    {
      MutexLock lock(&mu_);
      context_ = &context;
      anchor_ = anchor.get();
      if (cancelled_) MarkCancelled();
    }
    grpc::internal::Call call(anchor->call(), &hook, anchor->queue(), -1, info);
    grpc::Status status;
    void* request = nullptr;
    void* data = nullptr;
    if (HasRequest(method_->type)) {
      request = MakeRequest(anchor->call(), &status, &data);
    }
    auto* const callbacks = host_->services().callbacks();
    callbacks->PreSynchronousRequest(&context);
    method_->handler->RunHandler(MethodHandler::HandlerParameter(
        &call, &context, request, status, data, nullptr));
    callbacks->PostSynchronousRequest(&context);
    MutexLock lock(&mu_);
    context_ = nullptr;
    anchor_ = nullptr;
  }
  CallAnchor::Return(std::move(anchor));
}

// What the handler is called with.
void* InlineCall::MakeRequest(grpc_call* call, grpc::Status* status,
                              void** data) {
  absl::optional<ReceivedMessage> received = std::exchange(request_, {});
  const auto deserialize = [&](grpc_byte_buffer* buffer) {
    return method_->handler->Deserialize(call, buffer, status, data);
  };
  if (!received.has_value()) return deserialize(nullptr);
  if (received->size() >= kMinWireBody)
    call_->session()->WantBodies(method_->handles_protobuf);
  if (received->has_body() && method_->handles_protobuf) {
    void* const made = deserialize(grpc_raw_byte_buffer_create(nullptr, 0));
    if (auto* const message = static_cast<google::protobuf::Message*>(made)) {
      if (TakeBody(&*received, message)) return made;
      message->~Message();  // its memory is the call's
    }
  }
  return deserialize(ToByteBuffer(*std::move(received)));
}

// ---- What the handler does

void InlineCall::Perform(const TakenOperations& operations) {
  Methods* const methods = operations.methods();
  const auto has = [methods](Point point) {
    return methods->QueryInterceptionHookPoint(point);
  };
  const bool message = has(Point::PRE_SEND_MESSAGE);
  const bool status = has(Point::PRE_SEND_STATUS);
  if (has(Point::PRE_SEND_INITIAL_METADATA) && !sent_initial_metadata_) {
    sent_initial_metadata_ = true;
    wire::InitialMetadata initial;
    ToWire(*methods->GetSendInitialMetadata(), initial.mutable_metadata());
    // What comes without is understood as empty.
    if (initial.metadata_size() > 0 || (!message && !status))
      call_->SendInitialMetadata(initial);
  }
  size_t message_bytes = 0;
  bool borrowed = false;
  if (message) {
    OutgoingMessage sent = TakeSent(methods, /*may_borrow=*/true);
    message_bytes = sent.size();
    borrowed = sent.is_borrowed();
    if (!Send(std::move(sent))) operations.FailSend();
  }
  if (status) SendStatus(methods);
  if (message || status || !has(Point::PRE_RECV_MESSAGE)) call_->Flush();
  if (message && !status) {
    // As on a socket: who writes faster than the peer reads has to wait.
    Wait([this, message_bytes] {
      return MayRunAhead(unsent_.load(std::memory_order_acquire),
                         message_bytes);
    });
    if (over_.load()) operations.FailSend();
  }
  if (borrowed) ReturnMessage(message_bytes);
  if (has(Point::PRE_RECV_MESSAGE)) {
    absl::optional<ReceivedMessage> received = Receive();
    if (received.has_value()) {
      GiveReceived(*std::move(received), operations, call_->session().get());
    } else {
      methods->FailHijackedRecvMessage();
    }
  }
}

// False if the call is over.
bool InlineCall::Send(OutgoingMessage message) {
  if (over_.load()) return false;
  const int64_t limit = host_->max_send_message_bytes();
  if (limit >= 0 && message.size() > static_cast<uint64_t>(limit)) {
    // The words are gRPC's own.
    End(absl::ResourceExhaustedError(
        absl::StrCat("Sent message larger than max (", message.size(), " vs. ",
                     limit, ")")));
    return false;
  }
  unsent_.fetch_add(1, std::memory_order_relaxed);
  call_->SendMessage(std::move(message));
  return true;
}

// The handler may do with its message of that size what it likes after this.
void InlineCall::ReturnMessage(size_t bytes) {
  // While the client reads, that is quicker than a copy. One that makes room
  // in drops does not keep the thread.
  const int64_t late = MonotonicNanos() + kShortestPatienceNanos +
                       static_cast<int64_t>(bytes) * kPatienceNanosPerByte;
  const auto done = [this, late] {
    return unsent_.load(std::memory_order_acquire) == 0 || over_.load() ||
           MonotonicNanos() >= late;
  };
  if (!done()) Session::Driver(call_->session()).Until(done);
  if (call_->KeepMessages()) return;
  End(absl::ResourceExhaustedError("no memory for a message"));
}

// The next message; none if there are no more.
absl::optional<ReceivedMessage> InlineCall::Receive() {
  absl::optional<Received> received;
  while (!half_closed_) {
    readable_.store(false, std::memory_order_relaxed);
    received = call_->Take();
    if (received.has_value() || over_.load()) break;
    Wait([this] { return readable_.load(std::memory_order_acquire); });
  }
  if (!received.has_value()) return absl::nullopt;
  auto* const message = absl::get_if<ReceivedMessage>(&*received);
  if (message == nullptr) {
    half_closed_ = true;
    return absl::nullopt;
  }
  call_->MessageConsumed();
  return std::move(*message);
}

void InlineCall::SendStatus(Methods* methods) {
  turn_->GiveUpPlace();
  const grpc::Status status = methods->GetSendStatus();
  wire::Trailers trailers;
  trailers.set_code(status.error_code());
  if (!status.error_message().empty())
    trailers.set_message(status.error_message());
  ToWire(*methods->GetSendTrailingMetadata(), trailers.mutable_metadata());
  if (!status.error_details().empty()) {
    wire::Metadatum* const field = trailers.add_metadata();
    field->set_key(kBinaryErrorDetailsKey.data(),
                   kBinaryErrorDetailsKey.size());
    field->set_value(status.error_details());
  }
  call_->SendTrailers(trailers);
}

// Until `done()` or the call is over.
void InlineCall::Wait(absl::FunctionRef<bool()> done) {
  const auto ended = [&] { return done() || over_.load(); };
  if (ended()) return;
  Session::Driver(call_->session()).Until(ended);
  MutexLock lock(&mu_);
  while (!ended()) changed_.Wait(&mu_);
}

// ---- What happens to the call

void InlineCall::OnSent() {
  {
    // So that a handler that is about to sleep does not miss it.
    MutexLock lock(&mu_);
    unsent_.fetch_sub(1, std::memory_order_release);
  }
  changed_.Signal();
}

void InlineCall::OnAborted(const absl::Status& /*status*/) {
  MutexLock lock(&mu_);
  over_.store(true);
  changed_.Signal();
  cancelled_ = true;
  MarkCancelled();
}

void InlineCall::OnExpired() {
  End(absl::DeadlineExceededError("Deadline Exceeded"));
}

// Ends the call from this side, whatever its handler does.
void InlineCall::End(const absl::Status& status) {
  call_->SendTrailers(TrailersOf(status));
  call_->Flush();
  MutexLock lock(&mu_);
  over_.store(true);
  changed_.Signal();
  cancelled_ = true;
  MarkCancelled();
}

// The handler's context says so, and what the handler called is cancelled.
void InlineCall::MarkCancelled() {
  if (context_ == nullptr) return;
  ServerContextAccess::MarkCancelled(context_);
  anchor_->Cancel();
}

}  // namespace grpc_shm
