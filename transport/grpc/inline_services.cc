// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/inline_services.h"

#include <memory>
#include <typeinfo>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "transport/grpc/grpc_access.h"
#include "transport/grpc/message_class.h"

namespace grpc_shm {
namespace {

using grpc::internal::RpcServiceMethod;

std::string ServiceName(absl::string_view method) {
  method = absl::StripPrefix(method, "/");
  return std::string(method.substr(0, method.find('/')));
}

// Why the method can't be run inline; empty if it can.
std::string WhyNot(const RpcServiceMethod& method) {
  switch (method.api_type()) {
    case RpcServiceMethod::ApiType::SYNC:
      break;
    case RpcServiceMethod::ApiType::ASYNC:
    case RpcServiceMethod::ApiType::RAW:
      return absl::StrCat(method.name(), " is asynchronous");
    case RpcServiceMethod::ApiType::CALL_BACK:
    case RpcServiceMethod::ApiType::RAW_CALL_BACK:
      return absl::StrCat(method.name(), " uses the callback API");
  }
  if (method.handler() == nullptr)
    return absl::StrCat(method.name(), " has no handler");
  return std::string();
}

ServiceStats Examine(const grpc::Server& server, const grpc::Service& service) {
  ServiceStats stats;
  if (HasInterceptors(server)) stats.reason = "the server has interceptors";
  for (const auto& method : MethodsOf(service)) {
    if (method == nullptr) {
      if (stats.reason.empty()) stats.reason = "a method is generic";
      continue;
    }
    stats.name = ServiceName(method->name());
    if (stats.reason.empty()) stats.reason = WhyNot(*method);
  }
  stats.runs_inline = stats.reason.empty();
  return stats;
}

}  // namespace

InlineServices::InlineServices(const grpc::Server& server,
                               const std::vector<grpc::Service*>& services)
    : callbacks_(GlobalCallbacksOf(server)) {
  for (const grpc::Service* service : services) {
    stats_.push_back(Examine(server, *service));
    if (!stats_.back().runs_inline) continue;
    for (const auto& method : MethodsOf(*service)) {
      methods_.emplace(
          method->name(),
          new InlineMethod{method->name(), method->method_type(),
                           method->handler(),
                           HandlesProtobuf(typeid(*method->handler()))});
    }
  }
}

InlineMethod* InlineServices::Find(absl::string_view method) const {
  auto it = methods_.find(method);
  return it != methods_.end() ? it->second.get() : nullptr;
}

}  // namespace grpc_shm
