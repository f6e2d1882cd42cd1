// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/message_class.h"

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
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

bool IsGenerated(absl::string_view text) {
  using google::protobuf::DescriptorPool;
  using google::protobuf::MessageFactory;
  const std::string name = NameInProtobuf(text);
  if (name.empty()) return false;
  const auto* const descriptor =
      DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  if (descriptor == nullptr) return false;
  const google::protobuf::Message* const message =
      MessageFactory::generated_factory()->GetPrototype(descriptor);
  if (message == nullptr || !IsNameOf(text, typeid(*message))) return false;
  const google::protobuf::MessageLite* const base = message;
  return dynamic_cast<const void*>(message) == static_cast<const void*>(base);
}

}  // namespace

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
