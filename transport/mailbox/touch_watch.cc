// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/mailbox/touch_watch.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "transport/base/unique_fd.h"
#include "transport/link/reactor.h"

namespace grpc_shm {
namespace {

// Every watch of the process. Never destroyed; the inotify descriptor is closed
// when nobody watches.
class Watches {
 public:
  static Watches& Get() {
    static Watches* const watches = new Watches;
    return *watches;
  }

  absl::StatusOr<uint64_t> Add(int fd, std::function<void()> touched) {
    absl::MutexLock lock(&mu_);
    if (!inotify_.valid()) {
      UniqueFd inotify(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
      if (!inotify.valid()) {
        return absl::ErrnoToStatus(errno, "creating an inotify descriptor");
      }
      absl::StatusOr<Reactor::SourceId> source =
          Reactor::Get().Watch(inotify.get(), EPOLLIN | EPOLLET,
                               [](uint32_t) { Watches::Get().Read(); });
      if (!source.ok()) return source.status();
      inotify_ = std::move(inotify);
      source_ = *source;
    }
    // A file without a name has a path here all the same. Adding it again gives
    // the same kernel watch.
    const std::string path = absl::StrCat("/proc/self/fd/", fd);
    const int kernel_watch =
        inotify_add_watch(inotify_.get(), path.c_str(), IN_ATTRIB);
    if (kernel_watch < 0) {
      const int error = errno;
      CloseIfUnused();
      return absl::ErrnoToStatus(error == ENOSPC ? EMFILE : error,
                                 "watching a mailbox's segment");
    }
    const uint64_t id = next_id_++;
    entries_.emplace(id, Entry{kernel_watch, std::move(touched)});
    return id;
  }

  void Remove(uint64_t id) {
    std::function<void()> touched;  // destroyed without the lock
    absl::MutexLock lock(&mu_);
    auto it = entries_.find(id);
    if (it == entries_.end()) return;
    touched = std::move(it->second.touched);
    const int kernel_watch = it->second.kernel_watch;
    entries_.erase(it);
    for (const auto& [other, entry] : entries_) {
      if (entry.kernel_watch == kernel_watch) return;
    }
    inotify_rm_watch(inotify_.get(), kernel_watch);
    CloseIfUnused();
  }

 private:
  struct Entry {
    int kernel_watch;
    std::function<void()> touched;
  };

  void CloseIfUnused() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (!entries_.empty() || !inotify_.valid()) return;
    Reactor::Get().Unwatch(source_, inotify_.get());
    inotify_.reset();
  }

  void Read() {
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
                ((event->mask & IN_ATTRIB) != 0 &&
                 entry.kernel_watch == event->wd)) {
              calls.push_back(entry.touched);
            }
          }
        }
      }
    }
    for (const auto& call : calls) call();
  }

  absl::Mutex mu_;
  UniqueFd inotify_ ABSL_GUARDED_BY(mu_);
  Reactor::SourceId source_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) = 1;
  std::map<uint64_t, Entry> entries_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

absl::StatusOr<TouchWatch> TouchWatch::Start(int fd,
                                             std::function<void()> touched) {
  absl::StatusOr<uint64_t> id = Watches::Get().Add(fd, std::move(touched));
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
  if (id_ != 0) Watches::Get().Remove(id_);
}

}  // namespace grpc_shm
