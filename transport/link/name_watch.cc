// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/name_watch.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
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

  absl::StatusOr<uint64_t> Add(const std::string& directory,
                               const std::string& file,
                               std::function<void()> appeared) {
    absl::MutexLock lock(&mu_);
    if (!inotify_.valid()) {
      UniqueFd fd(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
      if (!fd.valid())
        return absl::ErrnoToStatus(errno, "creating an inotify descriptor");
      absl::StatusOr<Reactor::SourceId> source = Reactor::Get().Watch(
          fd.get(), EPOLLIN | EPOLLET, [](uint32_t) { Watches::Get().Read(); });
      if (!source.ok()) return source.status();
      inotify_ = std::move(fd);
      source_ = *source;
    }
    // Adding a directory again gives the same kernel watch.
    const int kernel_watch = inotify_add_watch(
        inotify_.get(), directory.c_str(), IN_MOVED_TO | IN_ONLYDIR);
    if (kernel_watch < 0) {
      const int error = errno;
      CloseIfUnused();
      return absl::ErrnoToStatus(error, absl::StrCat("watching ", directory));
    }
    const uint64_t id = next_id_++;
    entries_.emplace(id, Entry{kernel_watch, file, std::move(appeared)});
    return id;
  }

  void Remove(uint64_t id) {
    std::function<void()> appeared;  // destroyed without the lock
    absl::MutexLock lock(&mu_);
    auto it = entries_.find(id);
    if (it == entries_.end()) return;
    appeared = std::move(it->second.appeared);
    entries_.erase(it);
    CloseIfUnused();
  }

 private:
  struct Entry {
    int kernel_watch;
    std::string file;
    std::function<void()> appeared;
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
                (entry.kernel_watch == event->wd && event->len > 0 &&
                 entry.file == event->name)) {
              calls.push_back(entry.appeared);
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

absl::StatusOr<NameWatch> NameWatch::Start(const std::string& directory,
                                           const std::string& name,
                                           std::function<void()> appeared) {
  absl::StatusOr<uint64_t> id = Watches::Get().Add(
      directory, absl::StrCat(name, ".sock"), std::move(appeared));
  if (!id.ok()) return id.status();
  return NameWatch(*id);
}

NameWatch& NameWatch::operator=(NameWatch&& other) noexcept {
  std::swap(id_, other.id_);
  return *this;
}

void NameWatch::Stop() {
  if (id_ != 0) Watches::Get().Remove(std::exchange(id_, 0));
}

}  // namespace grpc_shm
