// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/switchboard.h"

#include <grpc/slice.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <cstring>
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

// Channels to keep that nobody has. Destroying one leaves some 1.2 KB behind.
constexpr size_t kMostSpare = 256;

bool AreEqual(const grpc_arg& a, const grpc_arg& b) {
  if (a.type != b.type || std::strcmp(a.key, b.key) != 0) return false;
  switch (a.type) {
    case GRPC_ARG_STRING:
      return std::strcmp(a.value.string, b.value.string) == 0;
    case GRPC_ARG_INTEGER:
      return a.value.integer == b.value.integer;
    case GRPC_ARG_POINTER:
      return a.value.pointer.vtable == b.value.pointer.vtable &&
             a.value.pointer.vtable->cmp(a.value.pointer.p,
                                         b.value.pointer.p) == 0;
  }
  return false;
}

bool AreEqual(const grpc_channel_args& a, const grpc_channel_args& b) {
  return std::equal(a.args, a.args + a.num_args, b.args, b.args + b.num_args,
                    [](const grpc_arg& left, const grpc_arg& right) {
                      return AreEqual(left, right);
                    });
}

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
    if (it != channels_.end()) channel = it->second.lock();
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

std::unique_ptr<Switchboard::InProcess> Switchboard::Take(
    const grpc::ChannelArguments& args,
    std::unique_ptr<InterceptorFactory> (*new_factory)()) {
  {
    absl::MutexLock lock(&mu_);
    const auto it =
        std::find_if(spare_.begin(), spare_.end(), [&args](const auto& spare) {
          return AreEqual(spare->args.c_channel_args(), args.c_channel_args());
        });
    if (it != spare_.end()) {
      std::unique_ptr<InProcess> found = std::move(*it);
      spare_.erase(it);
      return found;
    }
  }
  std::vector<std::unique_ptr<InterceptorFactory>> interceptors;
  interceptors.push_back(new_factory());
  auto made = std::make_unique<InProcess>();
  made->args = args;
  made->channel = server_->experimental().InProcessChannelWithInterceptors(
      args, std::move(interceptors));
  return made;
}

void Switchboard::GiveBack(std::unique_ptr<InProcess> in_process) {
  std::unique_ptr<InProcess> oldest;  // destroyed without the lock
  absl::MutexLock lock(&mu_);
  spare_.push_back(std::move(in_process));
  if (spare_.size() <= kMostSpare) return;
  oldest = std::move(spare_.front());
  spare_.pop_front();
}

uint64_t Switchboard::Connect(const std::shared_ptr<ClientChannel>& channel) {
  absl::MutexLock lock(&mu_);
  if (channels_.size() >= size_to_sweep_) {
    absl::erase_if(channels_,
                   [](const auto& entry) { return entry.second.expired(); });
    size_to_sweep_ = 2 * channels_.size() + 1;
  }
  const uint64_t number = next_number_++;
  channels_.emplace(number, channel);
  return number;
}

const char* Switchboard::key() { return kKey; }

std::string Switchboard::Value(uint64_t number,
                               const ClientCall::Traits& traits) {
  return absl::StrCat(traits.wait_for_ready ? "w" : "-",
                      traits.unary_response ? "u" : "-", number);
}

}  // namespace grpc_shm
