// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/file_events.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "transport/base/fork.h"

namespace grpc_shm {

FileEvents& FileEvents::Get() {
  static FileEvents* const events = new FileEvents;
  return *events;
}

absl::StatusOr<uint64_t> FileEvents::Add(const std::string& path, uint32_t mask,
                                         const std::string& name,
                                         const std::string& what,
                                         std::function<void()> noticed) {
  absl::MutexLock lock(&mu_);
  if (!inotify_.valid()) {
    UniqueFd inotify(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!inotify.valid())
      return absl::ErrnoToStatus(errno, "creating an inotify descriptor");
    absl::StatusOr<Reactor::SourceId> source =
        Reactor::Get().Watch(inotify.get(), EPOLLIN | EPOLLET,
                             [](uint32_t) { FileEvents::Get().Read(); });
    if (!source.ok()) return source.status();
    inotify_ = std::move(inotify);
    source_ = *source;
  }
  // Adding a file again gives the same kernel watch.
  const int kernel_watch =
      inotify_add_watch(inotify_.get(), path.c_str(), mask);
  if (kernel_watch < 0) {
    const int error = errno;
    CloseIfUnused();
    // ENOSPC: the user has no kernel watches left.
    return absl::ErrnoToStatus(error == ENOSPC ? EMFILE : error,
                               absl::StrCat("watching ", what));
  }
  const uint64_t id = next_id_++;
  entries_.emplace(id, Entry{kernel_watch, mask, name, std::move(noticed)});
  return id;
}

void FileEvents::Remove(uint64_t id) {
  if (IsForkedChild()) return;    // the parent's
  std::function<void()> noticed;  // destroyed without the lock
  absl::MutexLock lock(&mu_);
  auto it = entries_.find(id);
  if (it == entries_.end()) return;
  noticed = std::move(it->second.noticed);
  const int kernel_watch = it->second.kernel_watch;
  entries_.erase(it);
  for (const auto& [other, entry] : entries_) {
    if (entry.kernel_watch == kernel_watch) return;
  }
  inotify_rm_watch(inotify_.get(), kernel_watch);
  CloseIfUnused();
}

void FileEvents::CloseIfUnused() {
  if (!entries_.empty() || !inotify_.valid()) return;
  Reactor::Get().Unwatch(source_, inotify_.get());
  inotify_.reset();
}

void FileEvents::Read() {
  std::vector<std::function<void()>> calls;
  {
    absl::MutexLock lock(&mu_);
    alignas(inotify_event) char buffer[4096];
    ssize_t bytes;
    while (inotify_.valid() &&
           (bytes = read(inotify_.get(), buffer, sizeof(buffer))) > 0) {
      for (const char* at = buffer; at < buffer + bytes;) {
        const auto* event = reinterpret_cast<const inotify_event*>(at);
        at += sizeof(*event) + event->len;
        for (const auto& [id, entry] : entries_) {
          // An overflow may have swallowed anybody's event.
          if ((event->mask & IN_Q_OVERFLOW) != 0 ||
              ((event->mask & entry.mask) != 0 &&
               entry.kernel_watch == event->wd &&
               (entry.name.empty() ||
                (event->len > 0 && entry.name == event->name)))) {
            calls.push_back(entry.noticed);
          }
        }
      }
    }
  }
  for (const auto& call : calls) call();
}

}  // namespace grpc_shm
