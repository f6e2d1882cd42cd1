// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/support/client_interceptor.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "transport/grpc/client_channel.h"
#include "transport/grpc/convert.h"
#include "transport/grpc/grpc_access.h"
#include "transport/grpc/switchboard.h"
#include "transport/link/address.h"
#include "transport/options.h"

namespace grpc_shm {
namespace {

int64_t IntArg(const grpc_channel_args& args, const char* key,
               int64_t otherwise) {
  for (size_t i = 0; i < args.num_args; ++i) {
    if (std::strcmp(args.args[i].key, key) == 0 &&
        args.args[i].type == GRPC_ARG_INTEGER) {
      return args.args[i].value.integer;
    }
  }
  return otherwise;
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
  options.handshake_timeout =
      MillisecondsArg(args, kHandshakeTimeoutMsArg, options.handshake_timeout);
  options.max_reconnect_backoff = MillisecondsArg(
      args, kMaxReconnectBackoffMsArg, options.max_reconnect_backoff);
  options.max_receive_message_bytes =
      std::max<int64_t>(-1, IntArg(args, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
                                   kDefaultMaxReceiveBytes));
  return options;
}

// Runs around each batch of operations of a call: before it, on the
// application's thread, and behind it.
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
    // Once the batch has started, the call and this with it may be gone.
    const std::shared_ptr<ClientChannel> channel =
        receives ? channel_ : nullptr;
    methods->Proceed();
    if (channel != nullptr) channel->Spin(whole_answer);
  }

 private:
  using Hook = grpc::experimental::InterceptionHookPoints;
  using Info = grpc::experimental::ClientRpcInfo;

  const std::shared_ptr<ClientChannel> channel_;
  grpc::ClientContext* const context_;
  const bool streams_requests_;
};

class CallInterceptorFactory
    : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit CallInterceptorFactory(std::shared_ptr<ClientChannel> channel)
      : channel_(std::move(channel)) {}

  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* info) override {
    return new CallInterceptor(channel_, info);
  }

 private:
  const std::shared_ptr<ClientChannel> channel_;
};

// The application's calls go to an in-process channel of the switchboard;
// connectivity is that of the link.
class Channel : public grpc::ChannelInterface {
 public:
  Channel(const std::string& target, const grpc::ChannelArguments& args)
      : client_channel_(
            ClientChannel::Create(target, ReadOptions(args.c_channel_args()))),
        in_process_(Switchboard::Get().NewChannel(
            args, std::make_unique<CallInterceptorFactory>(client_channel_))),
        number_(Switchboard::Get().Connect(client_channel_, in_process_)) {}

  ~Channel() override {
    in_process_.reset();
    Switchboard::Get().Disconnect(number_);
    client_channel_->Release();
  }

  grpc_connectivity_state GetState(bool try_to_connect) override {
    return client_channel_->GetState(try_to_connect);
  }

 private:
  grpc::internal::Call CreateCall(const grpc::internal::RpcMethod& method,
                                  grpc::ClientContext* context,
                                  grpc::CompletionQueue* queue) override {
    ClientCall::Traits traits;
    traits.wait_for_ready = WaitsForReady(*context);
    traits.unary_response =
        method.method_type() == grpc::internal::RpcMethod::NORMAL_RPC ||
        method.method_type() == grpc::internal::RpcMethod::CLIENT_STREAMING;
    context->AddMetadata(Switchboard::key(),
                         Switchboard::Value(number_, traits));
    return GrpcAccess::CreateCall(in_process_.get(), method, context, queue);
  }

  // Calls are created on the in-process channel, which performs their
  // operations itself.
  void PerformOpsOnCall(grpc::internal::CallOpSetInterface*,
                        grpc::internal::Call*) override {}

  void* RegisterMethod(const char* method) override {
    return GrpcAccess::RegisterMethod(in_process_.get(), method);
  }

  grpc::CompletionQueue* CallbackCQ() override {
    return GrpcAccess::CallbackCQ(in_process_.get());
  }

  void NotifyOnStateChangeImpl(grpc_connectivity_state last_observed,
                               gpr_timespec deadline,
                               grpc::CompletionQueue* queue,
                               void* tag) override {
    client_channel_->NotifyOnStateChange(last_observed, deadline, queue, tag);
  }

  bool WaitForStateChangeImpl(grpc_connectivity_state last_observed,
                              gpr_timespec deadline) override {
    return client_channel_->WaitForStateChange(
        last_observed, absl::Now() + TimeLeft(deadline));
  }

  const std::shared_ptr<ClientChannel> client_channel_;
  std::shared_ptr<grpc::Channel> in_process_;
  const uint64_t number_;
};

}  // namespace

std::shared_ptr<grpc::ChannelInterface> CreateChannel(
    const std::string& target,
    const std::shared_ptr<grpc::ChannelCredentials>& creds,
    const grpc::ChannelArguments& args) {
  if (IsDirectTarget(target)) return std::make_shared<Channel>(target, args);
  return grpc::CreateCustomChannel(
      target, creds != nullptr ? creds : grpc::InsecureChannelCredentials(),
      args);
}

}  // namespace grpc_shm
