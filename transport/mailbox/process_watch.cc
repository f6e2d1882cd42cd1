// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/mailbox/process_watch.h"

#include <sys/epoll.h>

#include <map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "transport/base/unique_fd.h"
#include "transport/link/reactor.h"

namespace grpc_shm {
namespace {

// Every process that this one watches. Never destroyed.
class Watches {
 public:
  static Watches& Get() {
    static Watches* const watches = new Watches;
    return *watches;
  }

  absl::StatusOr<uint64_t> Add(ProcessIdentity process,
                               std::function<void()> ended) {
    absl::MutexLock lock(&mu_);
    auto it = watched_.find(process);
    if (it == watched_.end()) {
      absl::StatusOr<UniqueFd> fd = OpenProcess(process);
      if (!fd.ok()) return fd.status();
      // Watched before it is entered: OnEnd waits for the lock.
      absl::StatusOr<Reactor::SourceId> source =
          Reactor::Get().Watch(fd->get(), EPOLLIN | EPOLLET,
                               [process](uint32_t) { Get().OnEnd(process); });
      if (!source.ok()) return source.status();
      it =
          watched_.emplace(process, Watched{*std::move(fd), *source, {}}).first;
    }
    const uint64_t id = next_id_++;
    it->second.ended.emplace(id, std::move(ended));
    processes_.emplace(id, process);
    return id;
  }

  void Remove(uint64_t id) {
    std::function<void()> ended;  // destroyed without the lock
    absl::MutexLock lock(&mu_);
    auto process = processes_.find(id);
    if (process == processes_.end()) return;
    auto it = watched_.find(process->second);
    processes_.erase(process);
    auto entry = it->second.ended.find(id);
    ended = std::move(entry->second);
    it->second.ended.erase(entry);
    if (it->second.ended.empty()) Erase(it);
  }

 private:
  struct Watched {
    UniqueFd fd;
    Reactor::SourceId source;
    std::map<uint64_t, std::function<void()>> ended;
  };
  using Map = std::map<ProcessIdentity, Watched>;

  void Erase(Map::iterator it) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    Reactor::Get().Unwatch(it->second.source, it->second.fd.get());
    watched_.erase(it);
  }

  void OnEnd(ProcessIdentity process) {
    std::vector<std::function<void()>> calls;
    {
      absl::MutexLock lock(&mu_);
      auto it = watched_.find(process);
      if (it == watched_.end()) return;
      for (auto& [id, ended] : it->second.ended) {
        calls.push_back(std::move(ended));
        processes_.erase(id);
      }
      Erase(it);
    }
    for (const auto& call : calls) call();
  }

  absl::Mutex mu_;
  Map watched_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, ProcessIdentity> processes_ ABSL_GUARDED_BY(mu_);
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) = 1;
};

}  // namespace

absl::StatusOr<ProcessWatch> ProcessWatch::Start(ProcessIdentity process,
                                                 std::function<void()> ended) {
  absl::StatusOr<uint64_t> id = Watches::Get().Add(process, std::move(ended));
  if (!id.ok()) return id.status();
  return ProcessWatch(*id);
}

ProcessWatch::~ProcessWatch() {
  if (id_ != 0) Watches::Get().Remove(id_);
}

}  // namespace grpc_shm
