// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_CRASH_MAILBOX_LEDGER_H_
#define GRPC_SHM_TESTS_CRASH_MAILBOX_LEDGER_H_

#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>

#include "absl/strings/str_cat.h"

namespace grpc_shm::testing {

// What has become of each message, as the processes that send and receive them
// note it down, in memory that outlives any of them. To be made before they are
// forked.
//
// A process may be killed between what it does and what it notes, so each notes
// what it is about to do, and what it has done. A message that was sent is one
// for which Send returned; only one that was begun and not sent may be missing.
class MailboxLedger {
 public:
  static constexpr int kSenders = 8;
  static constexpr uint32_t kMessagesEach = uint32_t{1} << 20;

  MailboxLedger() {
    void* const memory =
        mmap(nullptr, sizeof(Book), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    book_ = new (memory) Book;
  }
  ~MailboxLedger() { munmap(book_, sizeof(Book)); }
  MailboxLedger(const MailboxLedger&) = delete;
  MailboxLedger& operator=(const MailboxLedger&) = delete;

  // ---- Senders ----

  // The number of the next message; false: the book is full.
  bool Begin(int sender, uint32_t* number) {
    *number = book_->begun[sender].load();
    if (*number >= kMessagesEach) return false;
    book_->begun[sender].store(*number + 1);
    return true;
  }
  void Sent(int sender, uint32_t number) { Set(sender, number, kSent); }

  // ---- Receivers ----

  // "" or what is wrong.
  std::string Received(int sender, uint32_t number, bool redelivered) {
    if (sender < 0 || sender >= kSenders ||
        number >= book_->begun[sender].load()) {
      return absl::StrCat("received what nobody sent: ", sender, ":", number);
    }
    const uint8_t before = Set(sender, number, kReceived);
    if ((before & kAcknowledged) != 0) {
      return absl::StrCat(sender, ":", number,
                          " came again after it was acknowledged");
    }
    if ((before & kReceived) != 0 && !redelivered) {
      return absl::StrCat(sender, ":", number, " came twice, unmarked");
    }
    return "";
  }
  // Before it is acknowledged, and after.
  void Acknowledging(int sender, uint32_t number) {
    Set(sender, number, kAcknowledging);
  }
  void Acknowledged(int sender, uint32_t number) {
    Set(sender, number, kAcknowledged);
    book_->acknowledged.fetch_add(1);
  }

  // ---- All ----

  // Something is wrong: says so, and counts it, since who has found it may be
  // killed before it can fail.
  void Fail(const std::string& what) {
    std::fprintf(stderr, "%s\n", what.c_str());
    book_->failures.fetch_add(1);
  }

  // ---- The judge ----

  uint64_t failures() const { return book_->failures.load(); }

  uint64_t acknowledged() const { return book_->acknowledged.load(); }
  uint64_t sent() const { return Count(kSent); }

  // After all is received: what was sent and never came, or "".
  std::string Lost() const {
    std::string lost;
    for (int sender = 0; sender < kSenders; ++sender) {
      const uint32_t begun = book_->begun[sender].load();
      for (uint32_t number = 0; number < begun; ++number) {
        const uint8_t state = book_->messages[sender][number].load();
        if ((state & kSent) != 0 && (state & kAcknowledging) == 0) {
          absl::StrAppend(&lost, sender, ":", number, " ");
        }
      }
    }
    return lost;
  }

 private:
  static constexpr uint8_t kSent = 1;
  static constexpr uint8_t kReceived = 2;
  static constexpr uint8_t kAcknowledging = 4;
  static constexpr uint8_t kAcknowledged = 8;

  struct Book {
    std::atomic<uint32_t> begun[kSenders];
    std::atomic<uint64_t> acknowledged;
    std::atomic<uint64_t> failures;
    std::atomic<uint8_t> messages[kSenders][kMessagesEach];
  };

  uint8_t Set(int sender, uint32_t number, uint8_t state) {
    return book_->messages[sender][number].fetch_or(state);
  }
  uint64_t Count(uint8_t state) const {
    uint64_t count = 0;
    for (int sender = 0; sender < kSenders; ++sender) {
      const uint32_t begun = book_->begun[sender].load();
      for (uint32_t number = 0; number < begun; ++number) {
        count += (book_->messages[sender][number].load() & state) != 0;
      }
    }
    return count;
  }

  Book* book_;
};

}  // namespace grpc_shm::testing

#endif  // GRPC_SHM_TESTS_CRASH_MAILBOX_LEDGER_H_
