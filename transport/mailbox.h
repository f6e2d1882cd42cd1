// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MAILBOX_H_
#define GRPC_SHM_TRANSPORT_MAILBOX_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "transport/options.h"

namespace grpc_shm {

class MailboxCore;

// How many messages a mailbox holds, which says when a send has to wait. Fixed
// when the mailbox is created.
struct MailboxCapacity {
  enum class Kind {
    // None: a send returns when a receiver has the message.
    kRendezvous = 0,
    // `messages`: a send waits while so many are in the mailbox.
    kBounded = 1,
    // As many as memory allows: a send never waits.
    kUnbounded = 2,
  };

  static MailboxCapacity Rendezvous() { return {Kind::kRendezvous, 0}; }
  static MailboxCapacity Bounded(uint32_t messages) {
    return {Kind::kBounded, messages};
  }
  static MailboxCapacity Unbounded() { return {Kind::kUnbounded, 0}; }

  Kind kind = Kind::kBounded;
  uint32_t messages = 0;  // of kBounded alone: 1 to 2^20
};

// What is fixed when a mailbox is created.
struct MailboxOptions {
  // A loan, a waiting message and one that is not acknowledged yet all take a
  // place of the capacity.
  MailboxCapacity capacity = MailboxCapacity::Bounded(64);

  // The largest message, in bytes, up to 2^40. A bounded mailbox takes capacity
  // times this in shared memory, all of it reserved when it is created; a
  // rendezvous takes 64 times this; an unbounded one what its messages take.
  size_t max_message_bytes = size_t{64} << 10;

  // kUnbounded alone: the most memory that messages may take, in bytes. A
  // message takes whole pages (4 KiB). A send that would need more fails with
  // RESOURCE_EXHAUSTED.
  size_t max_memory_bytes = size_t{256} << 20;

  // 0600: for processes of the effective user alone. 0660: for the members of
  // `group` as well; they can read, change and damage every message.
  mode_t mode = 0600;

  // Of mode 0660: -1 is the effective group.
  gid_t group = static_cast<gid_t>(-1);

  // How this process waits for messages, and for room. Not kept in the mailbox.
  WaitPolicy wait_policy = WaitPolicy::kAdaptive;
};

// Which mailbox is meant, and how this process uses it.
struct OpenMailboxOptions {
  // Whose mailbox: -1 is the effective user.
  uid_t owner = static_cast<uid_t>(-1);

  // The group that it was created for with mode 0660; -1: it was created with
  // mode 0600. A mailbox of mode 0600 and one for a group can have one name.
  gid_t group = static_cast<gid_t>(-1);

  // How this process waits for messages, and for room.
  WaitPolicy wait_policy = WaitPolicy::kAdaptive;
};

// A look at a mailbox. Its numbers are taken one after the other while others
// use it: each was right at some time, but they need not fit together.
struct MailboxInfo {
  std::string name;  // without "mailbox:"
  MailboxCapacity capacity;
  size_t max_message_bytes = 0;
  size_t max_memory_bytes = 0;  // 0 unless unbounded
  mode_t mode = 0;
  uid_t owner = 0;
  gid_t group = 0;  // of mode 0660

  uint64_t waiting = 0;         // messages that nobody has taken
  uint64_t unacknowledged = 0;  // taken, and not acknowledged
  // Since creation. In a rendezvous, what a process did just before it was
  // killed may be missing.
  uint64_t sent = 0;
  uint64_t received = 0;      // redeliveries included
  uint64_t redelivered = 0;   // received again
  uint64_t memory_bytes = 0;  // shared memory reserved now
  uint32_t participants = 0;  // Mailbox objects, of all processes
};

// A queue in shared memory, with a name, that any number of processes send to
// and receive from. It exists from Create to Destroy, whatever happens to the
// processes; a machine that restarts forgets it.
//
// An object of this class is one process's access to a mailbox.
//
// Addresses: "mailbox:NAME", with NAME as in "shm:NAME": 1 to 64 letters,
// digits, dots, underscores or hyphens, not starting with a dot. Each user has
// names of their own.
//
// Order: first in, first out, in the order in which sends completed. (In a
// rendezvous: in the order in which they began to wait; whoever finds a
// receiver waiting goes first.) A message that comes back is delivered before
// those that nobody has had yet, the oldest first.
//
// Delivery: each message is received by one receiver, once, as long as nobody
// dies. A message that its receiver does not acknowledge (it dies, or lets go
// of the Message) goes back to the mailbox and is delivered again, marked
// redelivered. A sender that dies before its send is complete leaves nothing
// visible. Any process may be killed at any time; the others notice at once and
// repair what it left.
//
// Trust: processes that share a mailbox trust one another's memory. One that
// writes into the segment past this interface can break every message; what
// it can't do by that is to make another one crash in here. (One that cuts the
// file short can: the kernel does not seal files with names.)
//
// Threads: all members may be called by any thread at any time. In a child that
// is forked, what was open before fails with FAILED_PRECONDITION, so does Open,
// and destruction leaves everything to the parent.
//
// Failures that many members share: NOT_FOUND, once the mailbox has been
// destroyed; CANCELLED after Close; DATA_LOSS when the segment turns out to be
// damaged. Blocked calls fail so too, at once.
class Mailbox {
 public:
  class Loan;
  class Message;

  // Makes a mailbox and opens it. All the memory that it will need is reserved
  // here (an unbounded one's for messages, when they are sent), so that nothing
  // later fails for want of it.
  //
  // INVALID_ARGUMENT: not an address, or options out of range. ALREADY_EXISTS:
  // the name is taken. RESOURCE_EXHAUSTED: no shared memory (/dev/shm is full),
  // address space or descriptors. PERMISSION_DENIED: the user's directory in
  // /dev/shm is somebody else's, or the process is not in the group.
  static absl::StatusOr<std::unique_ptr<Mailbox>> Create(
      absl::string_view address, const MailboxOptions& options = {});

  // Opens one that there is.
  //
  // INVALID_ARGUMENT: not an address. NOT_FOUND: no mailbox has that name.
  // PERMISSION_DENIED: not for this user. FAILED_PRECONDITION: the segment is
  // not a mailbox, damaged, of another version of grpc-shm, or used by
  // processes of another pid namespace. RESOURCE_EXHAUSTED: no memory or
  // descriptors, or 1024 Mailbox objects have it open.
  static absl::StatusOr<std::unique_ptr<Mailbox>> Open(
      absl::string_view address, const OpenMailboxOptions& options = {});

  // Takes the name away, wakes everybody who waits, and fails what they do with
  // it from now on. Messages are lost; Messages and Loans that are out stay
  // valid; the memory goes when the last process has closed it. Works for
  // segments that Open refuses, too.
  //
  // INVALID_ARGUMENT: not an address. NOT_FOUND: no such mailbox.
  // PERMISSION_DENIED: not the owner's process.
  static absl::Status Destroy(absl::string_view address,
                              const OpenMailboxOptions& options = {});

  // All mailboxes of the effective user, sorted by name; segments that can't be
  // opened are left out.
  static absl::StatusOr<std::vector<MailboxInfo>> List();

  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Closes. Loans and Messages of it may be used and destroyed later.
  ~Mailbox();

  // ---- Sending ----

  // Lends memory for a message of `bytes` bytes, to be written in place and
  // then sent. Waits for a place of the capacity until `deadline`. The memory
  // holds old messages' bytes.
  //
  // DEADLINE_EXCEEDED: no place until then; a deadline that has passed already
  // makes it a matter of trying. RESOURCE_EXHAUSTED: larger than
  // max_message_bytes, or an unbounded mailbox at its limit.
  absl::StatusOr<Loan> LoanFor(size_t bytes,
                               absl::Time deadline = absl::InfiniteFuture());

  // The same without waiting: UNAVAILABLE when there is no place.
  absl::StatusOr<Loan> TryLoanFor(size_t bytes);

  // Sends what is in a loan that this object gave (else INVALID_ARGUMENT). Does
  // not wait, except in a rendezvous, for a receiver until `deadline`:
  // DEADLINE_EXCEEDED. The loan is gone in any case.
  absl::Status Send(Loan loan, absl::Time deadline = absl::InfiniteFuture());

  // Copies `message` and sends it: LoanFor and Send at once.
  absl::Status Send(absl::string_view message,
                    absl::Time deadline = absl::InfiniteFuture());

  // Without waiting: UNAVAILABLE when there is no place; in a rendezvous, when
  // no receiver is waiting at this moment.
  absl::Status TrySend(Loan loan);
  absl::Status TrySend(absl::string_view message);

  // ---- Receiving ----

  // Takes the oldest message. Waits for one until `deadline`.
  //
  // DEADLINE_EXCEEDED: none until then; a deadline that has passed already
  // makes it a matter of trying.
  absl::StatusOr<Message> Receive(absl::Time deadline = absl::InfiniteFuture());

  // Without waiting: UNAVAILABLE when there is none; in a rendezvous, when no
  // sender is waiting at this moment.
  absl::StatusOr<Message> TryReceive();

  // ---- Else ----

  // Ends this object's work from any thread: its blocked and later sends, loans
  // and receives fail with CANCELLED. Other objects, and messages already
  // received, are not concerned. Idempotent.
  void Close();

  MailboxInfo Describe() const;

  // Without "mailbox:".
  const std::string& name() const;
  size_t max_message_bytes() const;

 private:
  explicit Mailbox(std::shared_ptr<MailboxCore> core);

  absl::StatusOr<Loan> Lend(size_t bytes, bool waits, absl::Time deadline);
  absl::Status SendCopy(absl::string_view message, bool waits,
                        absl::Time deadline);
  absl::StatusOr<Message> Fetch(bool waits, absl::Time deadline);

  std::shared_ptr<MailboxCore> core_;
};

// Memory for a message on its way into a mailbox. Move-only; destroyed unsent,
// it goes back. Used by one thread at a time.
class Mailbox::Loan {
 public:
  Loan() = default;
  Loan(Loan&& other) noexcept { *this = std::move(other); }
  Loan& operator=(Loan&& other) noexcept;
  ~Loan() { Reset(); }

  // Whether there is anything: not of a moved-from one.
  explicit operator bool() const { return core_ != nullptr; }

  // Aligned to 64 bytes at least.
  char* data() const { return data_; }
  size_t size() const { return size_; }

  // The message will have only this many bytes. Nothing if that is more.
  void Truncate(size_t bytes) {
    if (bytes < size_) size_ = bytes;
  }

  // Gives the memory back, unsent.
  void Reset();

 private:
  friend class Mailbox;

  std::shared_ptr<MailboxCore> core_;
  uint32_t block_ = 0;
  char* data_ = nullptr;
  size_t size_ = 0;
};

// A message that has been received: a view of shared memory, valid until it is
// acknowledged. Move-only; destroyed unacknowledged, the message goes back and
// is delivered again. Used by one thread at a time.
class Mailbox::Message {
 public:
  Message() = default;
  Message(Message&& other) noexcept { *this = std::move(other); }
  Message& operator=(Message&& other) noexcept;
  ~Message() { GiveBack(); }

  // Whether there is anything: not of a moved-from or acknowledged one.
  explicit operator bool() const { return core_ != nullptr; }

  absl::string_view view() const { return {data_, size_}; }
  // Aligned to 64 bytes at least.
  const char* data() const { return data_; }
  size_t size() const { return size_; }

  // Whether somebody has received it before, without acknowledging it.
  bool redelivered() const { return redelivered_; }

  // The process that sent it, as it said itself.
  pid_t sender() const { return sender_; }

  // The message is done with: its memory is free for others. Idempotent.
  void Acknowledge();

  // The message goes back to the mailbox, as in the destructor.
  void GiveBack();

 private:
  friend class Mailbox;

  void Forget();

  std::shared_ptr<MailboxCore> core_;
  uint32_t block_ = 0;
  const char* data_ = nullptr;
  size_t size_ = 0;
  bool redelivered_ = false;
  pid_t sender_ = 0;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MAILBOX_H_
