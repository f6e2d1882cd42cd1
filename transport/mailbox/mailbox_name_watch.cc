// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/mailbox/mailbox_name_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include "transport/link/file_events.h"
#include "transport/mailbox/mailbox_directory.h"

namespace grpc_shm {

absl::StatusOr<MailboxNameWatch> MailboxNameWatch::Start(
    const std::string& name, std::function<void()> appeared) {
  constexpr uint32_t kAppears = IN_CREATE | IN_MOVED_TO | IN_ONLYDIR;
  const std::string directory = MailboxDirectory::PathFor(geteuid(), kNoGroup);
  const size_t slash = directory.rfind('/');
  const std::string place = slash == 0 ? "/" : directory.substr(0, slash);
  MailboxNameWatch watch;
  absl::StatusOr<uint64_t> id = FileEvents::Get().Add(
      place, kAppears, directory.substr(slash + 1), place, appeared);
  if (!id.ok()) return id.status();
  watch.place_ = *id;
  // Second, so that a directory which is made meanwhile is not missed.
  id = FileEvents::Get().Add(directory, kAppears, name, directory,
                             std::move(appeared));
  if (id.ok()) {
    watch.directory_ = *id;
  } else if (!absl::IsNotFound(id.status())) {
    return id.status();
  }
  return watch;
}

void MailboxNameWatch::Stop() {
  for (uint64_t* const id : {&place_, &directory_}) {
    if (*id != 0) FileEvents::Get().Remove(std::exchange(*id, 0));
  }
}

}  // namespace grpc_shm
