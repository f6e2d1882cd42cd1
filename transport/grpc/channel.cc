// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/support/client_interceptor.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "transport/base/fork.h"
#include "transport/grpc/client_call.h"
#include "transport/grpc/client_channel.h"
#include "transport/grpc/completion_run.h"
#include "transport/grpc/convert.h"
#include "transport/grpc/core_calls.h"
#include "transport/grpc/core_table.h"
#include "transport/grpc/direct_channel.h"
#include "transport/grpc/forked_call.h"
#include "transport/grpc/grpc_access.h"
#include "transport/grpc/mailbox_channel.h"
#include "transport/grpc/short_call.h"
#include "transport/grpc/switchboard.h"
#include "transport/link/address.h"
#include "transport/options.h"

namespace grpc_shm {
namespace {

// Null: there is none of that type.
const grpc_arg* FindArg(const grpc_channel_args& args, const char* key,
                        grpc_arg_type type) {
  for (size_t i = 0; i < args.num_args; ++i) {
    if (std::strcmp(args.args[i].key, key) == 0 && args.args[i].type == type)
      return &args.args[i];
  }
  return nullptr;
}

int64_t IntArg(const grpc_channel_args& args, const char* key,
               int64_t otherwise) {
  const grpc_arg* const arg = FindArg(args, key, GRPC_ARG_INTEGER);
  return arg != nullptr ? arg->value.integer : otherwise;
}

std::string StringArg(const grpc_channel_args& args, const char* key) {
  const grpc_arg* const arg = FindArg(args, key, GRPC_ARG_STRING);
  return arg != nullptr ? arg->value.string : "";
}

absl::Status ReadServerUids(const std::string& text, std::vector<uid_t>* uids) {
  for (absl::string_view number :
       absl::StrSplit(text, ',', absl::SkipEmpty())) {
    uid_t uid;
    if (!absl::SimpleAtoi(number, &uid)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the channel argument ", kServerUidsArg, " is \"",
                       absl::Utf8SafeCHexEscape(text),
                       "\", and not uids in decimal, separated by commas"));
    }
    uids->push_back(uid);
  }
  return absl::OkStatus();
}

absl::Duration MillisecondsArg(const grpc_channel_args& args, const char* key,
                               absl::Duration otherwise) {
  return absl::Milliseconds(std::max<int64_t>(
      1, IntArg(args, key, absl::ToInt64Milliseconds(otherwise))));
}

ClientChannel::Options ReadOptions(const grpc_channel_args& args) {
  ClientChannel::Options options;
  LinkOptions& link = options.link;
  link.ring_bytes =
      std::max<int64_t>(1, IntArg(args, kRingBytesArg, link.ring_bytes));
  link.window_bytes =
      std::max<int64_t>(1, IntArg(args, kWindowBytesArg, link.window_bytes));
  options.invalid =
      ReadServerUids(StringArg(args, kServerUidsArg), &link.peers.uids);
  link.directory = StringArg(args, kDirectoryArg);
  options.max_metadata_bytes = std::max<int64_t>(
      0, IntArg(args, kMaxMetadataBytesArg, options.max_metadata_bytes));
  options.max_buffered_bytes = std::max<int64_t>(
      0, IntArg(args, kMaxBufferedBytesArg, options.max_buffered_bytes));
  options.handshake_timeout =
      MillisecondsArg(args, kHandshakeTimeoutMsArg, options.handshake_timeout);
  options.max_reconnect_backoff = MillisecondsArg(
      args, kMaxReconnectBackoffMsArg, options.max_reconnect_backoff);
  options.wait_policy = ToSpinPolicy(IntArg(
      args, kWaitPolicyArg, static_cast<int64_t>(WaitPolicy::kAdaptive)));
  options.fails_when_full = IntArg(args, kFailWhenFullArg, 0) != 0;
  options.max_receive_message_bytes =
      std::max<int64_t>(-1, IntArg(args, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
                                   kDefaultMaxReceiveBytes));
  return options;
}

std::shared_ptr<ClientChannel> NewClientChannel(
    const std::string& target, const ClientChannel::Options& options) {
  if (IsMailboxTarget(target)) return MailboxChannel::Create(target, options);
  return DirectChannel::Create(target, options);
}

// What else the channel knows about its calls.
struct PathOptions {
  bool may_be_short;
  int64_t max_send_message_bytes;  // -1: no limit
};

PathOptions ReadPathOptions(const grpc_channel_args& args) {
  return {IntArg(args, kTypedCallsArg, 1) != 0,
          IntArg(args, GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1)};
}

// Runs around each batch of operations of a call that is bridged: before it, on
// the application's thread, and behind it.
class CallInterceptor : public grpc::experimental::Interceptor {
 public:
  CallInterceptor(std::shared_ptr<ClientChannel> channel,
                  grpc::experimental::ClientRpcInfo* info)
      : channel_(std::move(channel)),
        context_(info->client_context()),
        streams_requests_(info->type() == Info::Type::CLIENT_STREAMING ||
                          info->type() == Info::Type::BIDI_STREAMING) {}

  void Intercept(
      grpc::experimental::InterceptorBatchMethods* methods) override {
    // A cancellation is shown as a batch that can't be asked for more.
    if (methods->QueryInterceptionHookPoint(Hook::PRE_SEND_CANCEL)) {
      methods->Proceed();
      return;
    }
    if (IsForkedChild()) {  // the call began before the fork
      if (AreComplete(methods)) {
        methods->Proceed();
      } else {
        FailInForkedChild(methods);
      }
      return;
    }
    if (methods->QueryInterceptionHookPoint(Hook::POST_RECV_STATUS) &&
        streams_requests_) {
      // Once an application has the status, gRPC's in-process transport (1.51)
      // lets it write on for ever, as if somebody read it. Writes are to fail,
      // as on a socket; the status stays what it is.
      grpc_call_cancel(context_->c_call(), nullptr);
    }
    const bool receives =
        methods->GetRecvMessage() != nullptr &&
        !methods->QueryInterceptionHookPoint(Hook::POST_RECV_MESSAGE);
    const bool whole_answer = receives && methods->GetRecvStatus() != nullptr;
    const std::shared_ptr<Session> session =
        receives ? channel_->session(nullptr) : nullptr;
    // With several calls open, the application has more to do than to wait for
    // this one: it is asynchronous, or has several threads.
    if (session == nullptr || session->calls() > 1) {
      methods->Proceed();
      return;
    }
    Session::Driver driver(session);
    // Once the batch has started, the call and this with it may be gone.
    methods->Proceed();
    bool begun = false;
    driver.Until([&] {
      if (whole_answer) return session->calls() != 1;
      return std::exchange(begun, true);
    });
  }

 private:
  using Hook = grpc::experimental::InterceptionHookPoints;
  using Info = grpc::experimental::ClientRpcInfo;

  const std::shared_ptr<ClientChannel> channel_;
  grpc::ClientContext* const context_;
  const bool streams_requests_;
};

// Whether `address` is on the stack of this thread. Operations that are there
// are waited for by it.
bool IsOnThisStack(const void* address) {
  struct Stack {
    Stack() {
      pthread_attr_t attributes;
      if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
      pthread_attr_getstack(&attributes, &begin, &bytes);
      pthread_attr_destroy(&attributes);
    }
    void* begin = nullptr;
    size_t bytes = 0;
  };
  static thread_local const Stack stack;
  const auto offset =
      static_cast<const char*>(address) - static_cast<const char*>(stack.begin);
  return offset >= 0 && static_cast<size_t>(offset) < stack.bytes;
}

// Whether the operations have the peer answer.
bool Sends(grpc::experimental::InterceptorBatchMethods* methods) {
  using Hook = grpc::experimental::InterceptionHookPoints;
  return methods->QueryInterceptionHookPoint(Hook::PRE_SEND_INITIAL_METADATA) ||
         methods->QueryInterceptionHookPoint(Hook::PRE_SEND_MESSAGE) ||
         methods->QueryInterceptionHookPoint(Hook::PRE_SEND_CLOSE);
}

// Takes a call's operations over, for the short path.
class ShortPathInterceptor : public grpc::experimental::Interceptor {
 public:
  // `core_call` is null or, from then on, one of CoreCalls that serves the call
  // as long as the interceptor lives.
  ShortPathInterceptor(std::shared_ptr<ClientChannel> channel,
                       std::shared_ptr<ShortCall> call, grpc_call* core_call)
      : channel_(std::move(channel)),
        call_(std::move(call)),
        core_call_(core_call) {
    channel_->CountShortCall(1);
  }
  ~ShortPathInterceptor() override {
    channel_->CountShortCall(-1);
    const bool ended = call_->IsIdle() && !cancelled_;
    call_->Abandon();
    if (core_call_ != nullptr && !IsForkedChild())
      CoreCalls::Get().GiveBack(core_call_, /*as_good_as_new=*/ended);
  }

  void Intercept(
      grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(Hook::PRE_SEND_CANCEL)) {
      cancelled_ = true;
      call_->Cancel();
      return;
    }
    if (AreComplete(methods)) {
      OnTaken(methods);
      return;
    }
    if (IsForkedChild()) {
      FailInForkedChild(methods);
      return;
    }
    // When the operations are complete, the call and this with it may be gone.
    const std::shared_ptr<ShortCall> call = call_;
    const bool receives = methods->GetRecvMessage() != nullptr;
    const bool waits = IsOnThisStack(methods);
    const bool sends = Sends(methods);
    const TakenOperations operations(
        methods, waits ? ShownAgain::kNo : ShownAgain::kYes);
    std::vector<std::shared_ptr<Session>> others;
    const std::shared_ptr<Session> session =
        receives ? channel_->session(&others) : nullptr;
    if (session == nullptr) {
      if (call->Perform(operations, nullptr)) operations.CompleteHere();
      return;
    }
    if (waits) {
      if (others.empty()) {
        PerformAndWait(operations, sends, call.get(), session);
      } else {
        PerformAndWaitForAny(operations, call.get(), session,
                             std::move(others));
      }
      operations.CompleteHere();
    } else if (channel_->short_calls() > 1) {
      // An asynchronous application with several calls has more to do than to
      // wait for this one. It looks for what has come when it has nothing else
      // to do: what comes in between can be read all at once then.
      const std::shared_ptr<ClientChannel> channel = channel_;
      call->Perform(operations, nullptr);
      if (!channel->HasUntaken()) PollAll(session, others, /*waits=*/false);
    } else if (others.empty()) {
      Session::Driver driver(session);
      call->Perform(operations, nullptr);
      driver.Until([&call] { return call->IsIdle(); });
    } else {
      Session::Drivers drivers(session, std::move(others));
      call->Perform(operations, nullptr);
      drivers.Until([&call] { return call->IsIdle(); });
    }
  }

 private:
  using Hook = grpc::experimental::InterceptionHookPoints;

  static void PollAll(const std::shared_ptr<Session>& session,
                      const std::vector<std::shared_ptr<Session>>& others,
                      bool waits) {
    const CompletionRun run;
    session->Poll(waits && others.empty());
    for (const auto& other : others) other->Poll(/*waits=*/false);
  }

  // The application has taken the operations from its queue.
  void OnTaken(grpc::experimental::InterceptorBatchMethods* methods) {
    // Once it goes on, the call and this with it may be gone.
    const std::shared_ptr<ClientChannel> channel = channel_;
    if (channel->CountUntaken(-1) == 0 && !IsForkedChild()) {
      std::vector<std::shared_ptr<Session>> others;
      if (const auto session = channel->session(&others))
        // With one call it may be what the peer waits for that comes next.
        PollAll(session, others,
                /*waits=*/channel->short_calls() > 1 && session->calls() > 0);
    }
    LetGo(methods);
  }

  // The caller can do nothing before the operations are complete. It sleeps
  // here, if it has to, and not where gRPC would have it sleep: in a poll, from
  // which to be woken costs more.
  static void PerformAndWait(const TakenOperations& operations, bool sends,
                             ShortCall* call,
                             const std::shared_ptr<Session>& session) {
    Session::Caller caller(session, sends);
    call->Perform(operations, caller.complete());
    caller.Await([call] { return call->IsOpen(); });
  }

  // The same where any of several servers may answer.
  static void PerformAndWaitForAny(
      const TakenOperations& operations, ShortCall* call,
      const std::shared_ptr<Session>& session,
      std::vector<std::shared_ptr<Session>> others) {
    Session::Completion complete;
    {
      Session::Drivers drivers(session, std::move(others));
      call->Perform(operations, &complete);
      drivers.Until([&complete] { return complete.HasHappened(); });
    }
    complete.Await();
  }

  const std::shared_ptr<ClientChannel> channel_;
  const std::shared_ptr<ShortCall> call_;
  grpc_call* const core_call_;
  bool cancelled_ = false;  // under the lock of the context
};

// Whether the call takes the short path: nothing but its operations says what
// becomes of it. In a forked child all do, to fail: what the other path needs
// stayed in the parent.
bool IsShort(const PathOptions& path, const grpc::ClientContext& context) {
  if (IsForkedChild()) return true;
  return path.may_be_short && !GrpcAccess::HasParentOrCredentials(context) &&
         grpc::internal::g_global_client_interceptor_factory == nullptr;
}

bool HasUnaryResponse(grpc::experimental::ClientRpcInfo::Type type) {
  using Type = grpc::experimental::ClientRpcInfo::Type;
  return type == Type::UNARY || type == Type::CLIENT_STREAMING;
}

using InterceptorFactory =
    grpc::experimental::ClientInterceptorFactoryInterface;

// The call of the core that this thread makes a context refer to.
thread_local grpc_call* binding = nullptr;

// For the calls of one channel, all of which are short.
class ShortPathInterceptorFactory : public InterceptorFactory {
 public:
  ShortPathInterceptorFactory(std::shared_ptr<ClientChannel> channel,
                              const PathOptions& path)
      : channel_(std::move(channel)), path_(path) {}

  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* info) override {
    const grpc::ClientContext& context = *info->client_context();
    ShortCall::Traits traits;
    traits.method = info->method();
    traits.authority = GrpcAccess::Authority(context);
    if (traits.authority.empty())
      traits.authority = std::string(kDefaultAuthority);
    traits.wait_for_ready = WaitsForReady(context);
    traits.unary_response = HasUnaryResponse(info->type());
    traits.deadline = context.raw_deadline();
    traits.max_send_message_bytes = path_.max_send_message_bytes;
    return new ShortPathInterceptor(
        channel_, std::make_shared<ShortCall>(channel_, std::move(traits)),
        std::exchange(binding, nullptr));
  }

 private:
  const std::shared_ptr<ClientChannel> channel_;
  const PathOptions path_;
};

// Whose call this thread is creating on an in-process channel, which serves one
// channel after the other.
thread_local const std::shared_ptr<ClientChannel>* creating = nullptr;

class CallInterceptorFactory : public InterceptorFactory {
 public:
  static std::unique_ptr<InterceptorFactory> New() {
    return std::make_unique<CallInterceptorFactory>();
  }
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* info) override {
    return new CallInterceptor(*creating, info);
  }
};

// A channel on which no call gets anywhere: gRPC makes such a one for lack of
// credentials.
std::shared_ptr<grpc::Channel> NewHollowChannel(
    std::unique_ptr<InterceptorFactory> interceptor_factory) {
  std::vector<std::unique_ptr<InterceptorFactory>> factories;
  factories.push_back(std::move(interceptor_factory));
  return grpc::experimental::CreateCustomChannelWithInterceptors(
      "", nullptr, grpc::ChannelArguments(), std::move(factories));
}

// The application's calls go to an in-process channel of the switchboard;
// connectivity is that of the link.
class Channel : public grpc::ChannelInterface {
 public:
  Channel(const std::string& target, const grpc::ChannelArguments& args)
      : client_channel_(
            NewClientChannel(target, ReadOptions(args.c_channel_args()))),
        path_(ReadPathOptions(args.c_channel_args())),
        hollow_(NewHollowChannel(std::make_unique<ShortPathInterceptorFactory>(
            client_channel_, path_))) {
    interceptors_.push_back(
        std::make_unique<ShortPathInterceptorFactory>(client_channel_, path_));
    PrepareForFork();
    if (IsForkedChild()) return;  // the switchboard stayed in the parent
    in_process_ = Switchboard::Get().Take(args, CallInterceptorFactory::New);
    number_ = Switchboard::Get().Connect(client_channel_);
  }

  ~Channel() override {
    if (IsForkedChild()) {
      // Never destroyed: the locks on the way may be held for ever.
      in_process_.release();
      new std::shared_ptr<grpc::Channel>(hollow_);
      new std::shared_ptr<ClientChannel>(client_channel_);
      return;
    }
    Switchboard::Get().GiveBack(std::move(in_process_));
    client_channel_->Release();
  }

  grpc_connectivity_state GetState(bool try_to_connect) override {
    if (IsForkedChild()) return GRPC_CHANNEL_SHUTDOWN;
    return client_channel_->GetState(try_to_connect);
  }

 private:
  grpc::internal::Call CreateCall(const grpc::internal::RpcMethod& method,
                                  grpc::ClientContext* context,
                                  grpc::CompletionQueue* queue) override {
    if (IsShort(path_, *context))
      return CreateShortCall(method, context, queue);
    ClientCall::Traits traits;
    traits.wait_for_ready = WaitsForReady(*context);
    traits.unary_response =
        method.method_type() == grpc::internal::RpcMethod::NORMAL_RPC ||
        method.method_type() == grpc::internal::RpcMethod::CLIENT_STREAMING;
    context->AddMetadata(Switchboard::key(),
                         Switchboard::Value(number_, traits));
    creating = &client_channel_;
    return GrpcAccess::CreateCall(in_process(), method, context, queue);
  }

  grpc::internal::Call CreateShortCall(const grpc::internal::RpcMethod& method,
                                       grpc::ClientContext* context,
                                       grpc::CompletionQueue* queue) {
    // What belongs to a callback may outlive its context.
    if (IsForkedChild() || queue == callback_queue_.load() ||
        context->census_context() != nullptr || !IsCoreTableInPlace())
      return GrpcAccess::CreateCall(hollow_.get(), method, context, queue);
    binding = CoreCalls::Get().Take();
    return GrpcAccess::CreateCall(hollow_, method, context, queue, binding,
                                  interceptors_);
  }

  // Calls are created on the in-process channel, which performs their
  // operations itself.
  void PerformOpsOnCall(grpc::internal::CallOpSetInterface*,
                        grpc::internal::Call*) override {}

  void* RegisterMethod(const char* method) override {
    if (IsForkedChild()) return nullptr;  // calls do without
    return GrpcAccess::RegisterMethod(in_process(), method);
  }

  grpc::CompletionQueue* CallbackCQ() override {
    // Calls keep the channel that they are on, and it the queue, which all
    // channels of the process share.
    grpc::CompletionQueue* queue = GrpcAccess::CallbackCQ(hollow_.get());
    if (!IsForkedChild()) queue = GrpcAccess::CallbackCQ(in_process());
    callback_queue_.store(queue);
    return queue;
  }

  void NotifyOnStateChangeImpl(grpc_connectivity_state last_observed,
                               gpr_timespec deadline,
                               grpc::CompletionQueue* queue,
                               void* tag) override {
    client_channel_->connectivity().NotifyOnChange(last_observed, deadline,
                                                   queue, tag);
  }

  bool WaitForStateChangeImpl(grpc_connectivity_state last_observed,
                              gpr_timespec deadline) override {
    if (IsForkedChild()) return last_observed != GRPC_CHANNEL_SHUTDOWN;
    return client_channel_->connectivity().WaitForChange(
        last_observed, absl::Now() + TimeLeft(deadline));
  }

  grpc::Channel* in_process() const { return in_process_->channel.get(); }

  const std::shared_ptr<ClientChannel> client_channel_;
  const PathOptions path_;
  std::unique_ptr<Switchboard::InProcess> in_process_;
  // Of the calls on the short path, whose objects in the core are only there
  // for what refers to them. Nothing happens on those, so the channel is one on
  // which nothing can: it has no transport, which would cost half a call. A
  // method that is registered with the other channel is known to both.
  const std::shared_ptr<grpc::Channel> hollow_;
  GrpcAccess::Interceptors interceptors_;
  std::atomic<grpc::CompletionQueue*> callback_queue_{nullptr};  // null: unused
  uint64_t number_ = 0;  // at the switchboard
};

}  // namespace

std::shared_ptr<grpc::ChannelInterface> CreateChannel(
    const std::string& target,
    const std::shared_ptr<grpc::ChannelCredentials>& creds,
    const grpc::ChannelArguments& args) {
  if (IsDirectTarget(target) || IsMailboxTarget(target))
    return std::make_shared<Channel>(target, args);
  return grpc::CreateCustomChannel(
      target, creds != nullptr ? creds : grpc::InsecureChannelCredentials(),
      args);
}

}  // namespace grpc_shm
