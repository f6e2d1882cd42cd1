// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/name_watch.h"

#include <sys/inotify.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/link/file_events.h"

namespace grpc_shm {

absl::StatusOr<NameWatch> NameWatch::Start(const std::string& directory,
                                           const std::string& name,
                                           std::function<void()> appeared) {
  absl::StatusOr<uint64_t> id = FileEvents::Get().Add(
      directory, IN_MOVED_TO | IN_ONLYDIR, absl::StrCat(name, ".sock"),
      directory, std::move(appeared));
  if (!id.ok()) return id.status();
  return NameWatch(*id);
}

NameWatch& NameWatch::operator=(NameWatch&& other) noexcept {
  std::swap(id_, other.id_);
  return *this;
}

void NameWatch::Stop() {
  if (id_ != 0) FileEvents::Get().Remove(std::exchange(id_, 0));
}

}  // namespace grpc_shm
