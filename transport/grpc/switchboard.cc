// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/switchboard.h"

#include <grpc/slice.h>
#include <grpcpp/server_builder.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "transport/grpc/client_channel.h"
#include "transport/grpc/completion.h"
#include "transport/grpc/convert.h"
#include "transport/grpc/grpc_access.h"
#include "transport/grpc/private_server.h"

namespace grpc_shm {
namespace {

constexpr char kKey[] = "grpc-shm-channel";

// Requests that wait for calls: calls that come in a burst from several threads
// find one without a lock.
constexpr int kStandingRequests = 32;

bool ParseValue(absl::string_view value, uint64_t* number,
                ClientCall::Traits* traits) {
  if (value.size() < 3) return false;
  traits->wait_for_ready = value[0] == 'w';
  traits->unary_response = value[1] == 'u';
  return absl::SimpleAtoi(value.substr(2), number);
}

}  // namespace

// A standing request of a call, and the call once it is there.
struct Switchboard::Request {
  Request() {
    grpc_metadata_array_init(&metadata);
    grpc_call_details_init(&details);
  }
  ~Request() {
    grpc_metadata_array_destroy(&metadata);
    grpc_call_details_destroy(&details);
  }

  void OnCall(bool ok) {
    if (!ok) return;
    Switchboard::Get().RequestCall();
    Switchboard::Get().Accept(*this);
  }

  grpc_call* call = nullptr;
  grpc_metadata_array metadata;
  grpc_call_details details;
  Completion<Request, &Request::OnCall> on_call;
};

Switchboard& Switchboard::Get() {
  static Switchboard* const switchboard = [] {
    auto* const made = new Switchboard;
    for (int i = 0; i < kStandingRequests; ++i) made->RequestCall();
    return made;
  }();
  return *switchboard;
}

Switchboard::Switchboard() {
  grpc::ServerBuilder builder;
  builder.RegisterAsyncGenericService(&any_method_);
  builder.AddListeningPort("grpc-shm",
                           std::make_shared<QueueRegistrar>(InlineQueue()));
  unused_queue_ = builder.AddCompletionQueue();
  server_ = BuildPrivateServer(&builder);
}

void Switchboard::RequestCall() {
  auto request = std::make_shared<Request>();
  grpc_server_request_call(server_->c_server(), &request->call,
                           &request->details, &request->metadata, InlineQueue(),
                           InlineQueue(), request->on_call.Arm(request));
}

void Switchboard::Accept(const Request& request) {
  uint64_t number = 0;
  ClientCall::Traits traits;
  for (size_t i = 0; i < request.metadata.count; ++i) {
    if (View(request.metadata.metadata[i].key) == kKey) {
      ParseValue(View(request.metadata.metadata[i].value), &number, &traits);
    }
  }
  std::shared_ptr<ClientChannel> channel;
  {
    absl::MutexLock lock(&mu_);
    auto it = channels_.find(number);
    if (it != channels_.end()) channel = it->second.channel;
  }
  if (channel == nullptr) {
    // Not a channel of ours.
    grpc_call_cancel(request.call, nullptr);
    grpc_call_unref(request.call);
    return;
  }
  std::make_shared<ClientCall>(request.call, std::move(channel), traits,
                               request.details, request.metadata)
      ->Begin();
}

std::shared_ptr<grpc::Channel> Switchboard::NewChannel(
    const grpc::ChannelArguments& args,
    std::unique_ptr<InterceptorFactory> interceptor) {
  std::vector<std::unique_ptr<InterceptorFactory>> interceptors;
  interceptors.push_back(std::move(interceptor));
  return server_->experimental().InProcessChannelWithInterceptors(
      args, std::move(interceptors));
}

uint64_t Switchboard::Connect(
    std::shared_ptr<ClientChannel> channel,
    const std::shared_ptr<grpc::Channel>& in_process) {
  std::vector<Entry> unused;  // destroyed without the lock
  absl::MutexLock lock(&mu_);
  unused = TakeUnused();
  const uint64_t number = next_number_++;
  channels_.emplace(number, Entry{std::move(channel), in_process});
  return number;
}

void Switchboard::Disconnect(uint64_t number) {
  std::vector<Entry> unused;  // destroyed without the lock
  absl::MutexLock lock(&mu_);
  released_.push_back(number);
  unused = TakeUnused();
}

std::vector<Switchboard::Entry> Switchboard::TakeUnused() {
  std::vector<Entry> unused;
  std::vector<uint64_t> still_used;
  for (const uint64_t number : released_) {
    auto it = channels_.find(number);
    if (it->second.in_process.expired()) {
      unused.push_back(std::move(it->second));
      channels_.erase(it);
    } else {
      still_used.push_back(number);
    }
  }
  released_ = std::move(still_used);
  return unused;
}

const char* Switchboard::key() { return kKey; }

std::string Switchboard::Value(uint64_t number,
                               const ClientCall::Traits& traits) {
  return absl::StrCat(traits.wait_for_ready ? "w" : "-",
                      traits.unary_response ? "u" : "-", number);
}

}  // namespace grpc_shm
