// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/address.h"

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace grpc_shm {
namespace {

constexpr absl::string_view kDirect = "shm:";
constexpr absl::string_view kMailbox = "mailbox:";

bool IsNameCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' ||
         c == '_' || c == '-';
}

bool IsName(absl::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes || name[0] == '.') {
    return false;
  }
  for (char c : name) {
    if (!IsNameCharacter(c)) return false;
  }
  return true;
}

// What the user wrote, fit for a message: printable, and not a page long.
std::string Quoted(absl::string_view target) {
  constexpr size_t kMaxQuoted = 2 * kMaxNameBytes;
  const bool cut = target.size() > kMaxQuoted;
  return absl::StrCat("\"",
                      absl::Utf8SafeCHexEscape(target.substr(0, kMaxQuoted)),
                      cut ? "...\"" : "\"");
}

absl::StatusOr<std::string> Parse(absl::string_view target,
                                  absl::string_view scheme,
                                  absl::string_view kind) {
  absl::string_view name = target;
  if (!absl::ConsumePrefix(&name, scheme) || !IsName(name)) {
    return absl::InvalidArgumentError(absl::StrCat(
        Quoted(target), " is not a ", kind, " address; write \"", scheme,
        "NAME\", NAME being 1 to ", kMaxNameBytes,
        " letters, digits, dots, underscores or hyphens, and not starting ",
        "with a dot"));
  }
  return std::string(name);
}

}  // namespace

bool IsDirectTarget(absl::string_view target) {
  return absl::StartsWith(target, kDirect);
}

absl::StatusOr<std::string> ParseDirectAddress(absl::string_view target) {
  return Parse(target, kDirect, "direct");
}

std::string DirectAddress(absl::string_view name) {
  return absl::StrCat(kDirect, name);
}

bool IsMailboxTarget(absl::string_view target) {
  return absl::StartsWith(target, kMailbox);
}

absl::StatusOr<std::string> ParseMailboxAddress(absl::string_view target) {
  return Parse(target, kMailbox, "mailbox");
}

std::string MailboxAddress(absl::string_view name) {
  return absl::StrCat(kMailbox, name);
}

}  // namespace grpc_shm
