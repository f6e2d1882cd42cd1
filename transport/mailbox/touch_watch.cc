// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/mailbox/touch_watch.h"

#include <sys/inotify.h>
#include <sys/stat.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "transport/link/file_events.h"

namespace grpc_shm {

absl::StatusOr<TouchWatch> TouchWatch::Start(int fd,
                                             std::function<void()> touched) {
  // A file without a name has a path here all the same.
  absl::StatusOr<uint64_t> id =
      FileEvents::Get().Add(absl::StrCat("/proc/self/fd/", fd), IN_ATTRIB, "",
                            "a mailbox's segment", std::move(touched));
  if (!id.ok()) return id.status();
  return TouchWatch(*id);
}

absl::Status TouchWatch::Touch(int fd) {
  if (futimens(fd, nullptr) != 0) {
    return absl::ErrnoToStatus(errno, "touching a mailbox's segment");
  }
  return absl::OkStatus();
}

TouchWatch::~TouchWatch() {
  if (id_ != 0) FileEvents::Get().Remove(id_);
}

}  // namespace grpc_shm
