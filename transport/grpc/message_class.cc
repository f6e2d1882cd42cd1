// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/message_class.h"

#include <cxxabi.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "google/protobuf/message_lite.h"

namespace grpc_shm {
namespace {

// The name that protobuf has for the class whose mangled name `text` begins
// with, <length><name> or N<length><name>...E; empty if it is another kind of
// type.
std::string NameInProtobuf(absl::string_view text) {
  const bool nested = absl::ConsumePrefix(&text, "N");
  std::vector<absl::string_view> names;
  while (!text.empty() && absl::ascii_isdigit(text.front())) {
    size_t digits = 0;
    while (digits < text.size() && absl::ascii_isdigit(text[digits])) ++digits;
    size_t length;
    if (!absl::SimpleAtoi(text.substr(0, digits), &length)) return "";
    text.remove_prefix(digits);
    if (length > text.size()) return "";
    names.push_back(text.substr(0, length));
    text.remove_prefix(length);
    if (!nested) break;
  }
  if (nested && !absl::StartsWith(text, "E")) return "";
  return absl::StrJoin(names, ".");
}

// Whether the one argument of a template that `text` begins with, and its end,
// is that type.
bool IsNameOf(absl::string_view text, const std::type_info& type) {
  return absl::ConsumePrefix(&text, type.name()) && absl::StartsWith(text, "E");
}

// An object of the class that protoc generated for that name, which begins with
// its base; null if there is none.
const google::protobuf::Message* PrototypeOf(const std::string& name) {
  using google::protobuf::DescriptorPool;
  using google::protobuf::MessageFactory;
  const auto* const descriptor =
      DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  if (descriptor == nullptr) return nullptr;
  const google::protobuf::Message* const message =
      MessageFactory::generated_factory()->GetPrototype(descriptor);
  if (message == nullptr) return nullptr;
  const google::protobuf::MessageLite* const base = message;
  return dynamic_cast<const void*>(message) == static_cast<const void*>(base)
             ? message
             : nullptr;
}

bool IsGenerated(absl::string_view text) {
  const std::string name = NameInProtobuf(text);
  if (name.empty()) return false;
  const google::protobuf::Message* const message = PrototypeOf(name);
  return message != nullptr && IsNameOf(text, typeid(*message));
}

std::string Demangled(const std::type_info& type) {
  int error;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &error), std::free);
  return name != nullptr ? name.get() : "";
}

// The second of several arguments of a template, whose demangled name goes on
// with `text` from the first on.
absl::string_view SecondArgument(absl::string_view text) {
  int depth = 0;
  size_t begin = 0;  // of the second
  for (size_t i = 0; i < text.size() && depth >= 0; ++i) {
    const char c = text[i];
    depth += c == '<' || c == '(' ? 1 : c == '>' || c == ')' ? -1 : 0;
    if (depth > 0 || c != ',') continue;
    if (begin > 0) return text.substr(begin, i - begin);
    begin = i + 2;  // a space
  }
  return "";
}

}  // namespace

bool HandlesProtobuf(const std::type_info& handler) {
  const std::string name = Demangled(handler);
  absl::string_view arguments = name;
  if (!absl::ConsumePrefix(&arguments, "grpc::internal::RpcMethodHandler<") &&
      !absl::ConsumePrefix(&arguments,
                           "grpc::internal::ServerStreamingHandler<"))
    return false;
  // The service comes first.
  const absl::string_view request = SecondArgument(arguments);
  const google::protobuf::Message* const message =
      PrototypeOf(absl::StrReplaceAll(request, {{"::", "."}}));
  return message != nullptr && Demangled(typeid(*message)) == request &&
         message->IsInitialized();
}

bool IsOfProtobuf(const std::type_info& instance, absl::string_view before) {
  struct Answer {
    const std::type_info* instance;
    bool is_of_protobuf;
  };
  static thread_local std::array<Answer, 4> answers{};
  static thread_local size_t oldest = 0;
  for (const Answer& answer : answers) {
    if (answer.instance == &instance) return answer.is_of_protobuf;
  }
  absl::string_view text = instance.name();
  const size_t at = text.find(before);
  bool is_of_protobuf = false;
  if (at != absl::string_view::npos) {
    text.remove_prefix(at + before.size());
    is_of_protobuf = IsNameOf(text, typeid(google::protobuf::MessageLite)) ||
                     IsGenerated(text);
  }
  answers[oldest++ % answers.size()] = {&instance, is_of_protobuf};
  return is_of_protobuf;
}

}  // namespace grpc_shm
