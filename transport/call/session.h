// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_CALL_SESSION_H_
#define GRPC_SHM_TRANSPORT_CALL_SESSION_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "proto/wire.pb.h"
#include "transport/base/mutex.h"
#include "transport/base/one_time_event.h"
#include "transport/call/call.h"
#include "transport/link/link.h"
#include "transport/link/reactor.h"
#include "transport/link/spinner.h"
#include "transport/link/timeouts.h"

namespace grpc_shm {

// Who is told of a session's progress, on any thread and without any lock of
// this layer.
class SessionHandler {
 public:
  virtual ~SessionHandler() = default;

  // Server: a call has arrived. What is returned serves it; its OnReadable is
  // called right after this.
  virtual std::shared_ptr<CallHandler> OnCall(const std::shared_ptr<Call>& call,
                                              wire::CallStart start) = 0;

  // Client: the server has accepted a call that was offered to it. Is to attach
  // a handler, or to cancel it.
  virtual void OnAccepted(const std::shared_ptr<Call>& /*call*/) {}

  // Client: the server takes no new calls on this session; those it has go on.
  virtual void OnGoAway(Session* session) = 0;

  // The link is gone and every call on it has been told. Called once.
  virtual void OnClosed(Session* session, const absl::Status& status) = 0;
};

// Work that may take any time: the application's code.
class Job {
 public:
  virtual ~Job() = default;
  virtual void Run() = 0;

  // Whether it is expected to be over before another thread could be woken. A
  // wrong yes costs the link's other calls up to four milliseconds, once.
  virtual bool IsQuick() const = 0;
};

struct SessionOptions {
  enum class Role { kClient, kServer };
  Role role = Role::kClient;

  // How messages name the peer's address: "shm:greeter".
  std::string address;

  // Bytes; -1: no limit. A larger message ends its call with RESOURCE_EXHAUSTED
  // before any of it is stored.
  int64_t max_receive_message_bytes = -1;

  // Server: calls that may be open at once; more are refused with
  // RESOURCE_EXHAUSTED. So are calls while twice as many are open or, though
  // cancelled, not forgotten by their handlers yet. A client that goes on all
  // the same and does not read its refusals loses the link. Client, of offers:
  // a server that accepts more loses it, too.
  size_t max_calls = 100000;

  // The calls are offered through a mailbox (see frame.h): a server accepts
  // them, and no client starts any.
  bool offers = false;

  // Of each block of metadata received: the frame's bytes, and the sum over all
  // fields of name, value and 32 (as HTTP/2 counts it). One larger ends its
  // call with RESOURCE_EXHAUSTED.
  size_t max_metadata_bytes = size_t{128} << 10;

  // Messages that have come and that nobody has taken yet, on all calls
  // together, with those that are being put together. One more ends its call
  // with RESOURCE_EXHAUSTED, unless there is no other.
  size_t max_buffered_bytes = size_t{1} << 30;

  // Client: operations that are complete, and that an asynchronous application
  // has not taken from its queues yet; may be null.
  std::shared_ptr<const std::atomic<int>> untaken;

  // How threads that drive the session wait.
  SpinPolicy wait_policy = SpinPolicy::kAdaptive;
};

// All calls of one link: splits messages into frames and puts them together
// again, shares the ring fairly among the calls, and keeps each within its
// receiver's window.
//
// Ownership: owns the link. Shared by its owner (a channel or a listener) and
// by the calls on it.
//
// Threads: any. Reading: one thread at a time drives the session, that is reads
// the ring, a batch at a time, and tells the handlers. It is either a thread
// that waits for something to happen on a call of its own, or a reactor thread,
// which the doorbell wakes when nobody drives: so the doorbell is armed exactly
// then. A reactor thread also runs the jobs that handlers submit. It does not
// drive meanwhile: what arrives wakes another thread. But with a job that is
// quick it keeps the role, so that nobody is woken for what it is about to read
// itself; should that job take long after all, another thread takes the role
// away. Writing: whoever flushes writes what all calls have queued, one frame a
// turn.
//
// Failure: a peer that dies, closes the link or breaks the protocol ends every
// call with UNAVAILABLE; what it had published before it died is still
// delivered.
class Session final : public Expirable,
                      public std::enable_shared_from_this<Session> {
 public:
  // Starts serving `link`. RESOURCE_EXHAUSTED when its descriptors can't be
  // watched.
  static absl::StatusOr<std::shared_ptr<Session>> Start(
      std::unique_ptr<Link> link, SessionOptions options,
      std::weak_ptr<SessionHandler> handler);

  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  const PeerCredentials& peer() const { return peer_; }

  // Client: opens a call and queues its first frame. UNAVAILABLE when the
  // session takes no more calls; RESOURCE_EXHAUSTED when the metadata does not
  // fit into a frame.
  absl::StatusOr<std::shared_ptr<Call>> StartCall(
      const wire::CallStart& start, std::shared_ptr<CallHandler> handler);

  // Server, of offers: a place for the call that was offered under `number`,
  // before it is claimed: from then on the client may send. Call::Accept or
  // Call::Decline is to follow. UNAVAILABLE when the session takes no more
  // calls; INVALID_ARGUMENT when it had a call of that number.
  absl::StatusOr<std::shared_ptr<Call>> PrepareCall(uint64_t number);

  // Client, of offers: the call that the server has claimed, as if it had said
  // so already. Null when it has, so that OnAccepted will tell or has told, and
  // when the session is closed.
  std::shared_ptr<Call> AdoptCall(uint64_t number);

  // Server: tells the client to start no more calls here, refuses those that
  // come all the same, and closes the session when the last one has ended.
  void GoAway(const std::string& reason);

  // Client: closes the session as soon as it has no calls.
  void CloseWhenIdle();

  // Ends all calls and closes the link.
  void Close(const absl::Status& status);

  // Writes what is queued; see Call::Flush.
  void Flush();

  // Calls that are open.
  size_t calls() const;

  // How often something that had come was found by chance, since nobody had
  // been woken for it: in all sessions of this process. Anything but 0 is an
  // error of grpc-shm.
  static uint64_t lost_wakeups();

  // Reads on behalf of a thread that is about to wait for something to happen
  // on a call of its own, and would have to be woken for it otherwise. Made
  // before that thread flushes what makes the peer answer: then the peer finds
  // the doorbell silent.
  class Driver {
   public:
    // Drives if nobody else does.
    explicit Driver(std::shared_ptr<Session> session);
    ~Driver();
    Driver(const Driver&) = delete;
    Driver& operator=(const Driver&) = delete;

    // Until `done()`, or until nothing has come for as long as it is worth
    // waiting awake. While another thread drives this one just waits.
    void Until(absl::FunctionRef<bool()> done);

   private:
    const std::shared_ptr<Session> session_;
    bool driving_;
  };

  // A Driver of several sessions, of one policy: for a thread that does not
  // know on which of them it will be answered. Where another thread drives one
  // of them, that one reads it.
  class Drivers {
   public:
    Drivers(std::shared_ptr<Session> likeliest,
            std::vector<std::shared_ptr<Session>> others);
    ~Drivers();
    Drivers(const Drivers&) = delete;
    Drivers& operator=(const Drivers&) = delete;

    // As Driver::Until. Whether it is worth waiting awake is what the likeliest
    // session has learned.
    void Until(absl::FunctionRef<bool()> done);

   private:
    struct Driven {
      std::shared_ptr<Session> session;
      bool driving;
    };

    void Add(std::shared_ptr<Session> session);
    bool Advance();
    bool HaveWork();

    std::vector<Driven> driven_;
  };

  // That an operation is complete, which one thread waits for.
  class Completion {
   public:
    bool HasHappened() const { return event_.HasHappened(); }

    // Sleeps until it has happened.
    void Await() { event_.Await(); }

    // Once. It may be gone afterwards.
    void Happen() { Tell(this); }

   private:
    friend class Session;

    OneTimeEvent event_;
    bool comes_back_ = false;  // who waits for it is expected to, soon
  };

  // Performs one operation for a thread that has nothing else to do until it is
  // complete, and drives the session meanwhile, or sleeps. Client only.
  //
  // Where the callers of a session share a core they take turns: to wake one
  // costs as much as a call does, so whose operations are complete sleep on
  // until the one that drives has made calls for a while, if it makes one after
  // the other. And between two of its operations nobody is woken for what
  // arrives.
  class Caller {
   public:
    // Drives, if nobody else does, from before the operation if that has the
    // peer answer.
    Caller(std::shared_ptr<Session> session, bool sends);
    ~Caller();
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;

    // Happens when the operation is complete.
    Completion* complete() { return &complete_; }

    // Until then. `is_open` says whether its call is still open.
    void Await(absl::FunctionRef<bool()> is_open);

   private:
    bool TryDrive();

    const std::shared_ptr<Session> session_;
    Completion complete_;
    bool driving_ = false;
  };

  // Reads what is there, if nobody drives: on behalf of a thread that has other
  // things to do than to wait, and that comes back before it waits for
  // anything. While it has them, nobody is woken for what arrives. If nothing
  // is there, and it has nothing else to do but to wait (`waits`), it does so
  // here for a while, awake.
  void Poll(bool waits);

  // Whether large messages should be received with the value of their largest
  // field apart (ReceivedMessage::body): as the latest receiver of one can use.
  void WantBodies(bool wanted) {
    wants_bodies_.store(wanted, std::memory_order_relaxed);
  }

  // Has a thread of this layer be woken for what arrives, should nobody be, or
  // a caller: for who waits otherwise than by a Caller, a Driver or Poll.
  void EndLingering();

  // Has a reactor thread run `job`: the one that calls this from a handler, as
  // soon as it has nothing to read, or another one.
  void Submit(std::shared_ptr<Job> job);

 private:
  friend class Call;
  struct Notifications;
  enum class WriteResult { kWritten, kNothing, kFull };

  Session(std::unique_ptr<Link> link, SessionOptions options,
          std::weak_ptr<SessionHandler> handler);

  bool is_server() const {
    return options_.role == SessionOptions::Role::kServer;
  }

  void OnControl(uint32_t epoll_events);
  void CloseIfIdle();

  // Driving.
  void OnDoorbell();
  bool IsWokenForNothing();
  void Work(bool driving = false);
  void WorkLater();
  bool RunJob(bool* driving);
  bool RunQuickly(Job* job);
  bool TakeFromQuickJob();
  void WatchQuickJobs();
  void OnExpired() override;
  bool TryDrive();
  bool StopDriving(armed_flag::Sleep where = armed_flag::kAtDoorbell);
  bool Advance();
  bool AwaitRole(absl::FunctionRef<bool()> done);
  bool HandOver();
  void LetOthersDrive();
  bool Read();
  void HaveTold();
  void TellClosed(const absl::Status& status);
  bool IsInTheMiddle() const;
  absl::Duration TimeToDigest() const;
  bool Spin(bool gives_way);
  bool HasWork();
  bool IsUnattended() const;
  bool HasUnread() ABSL_EXCLUSIVE_LOCKS_REQUIRED(read_mu_);
  bool HasNewSpace() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(read_mu_);
  int PeersCore();

  // Callers.
  struct Lookout : Expirable {
    explicit Lookout(Session* session) : session(session) {}
    void OnExpired() override { session->OnLookout(); }
    Session* const session;
  };
  static void Tell(Completion* complete);
  bool TakesTurns() const;
  void BeginTurn();
  bool AdvanceAndTell();
  bool HasHadTurn() const;
  bool PassTurn();
  void Leave(bool open);
  bool LingerWhile(absl::FunctionRef<bool()> allowed, int64_t lookout_nanos);
  bool Linger(int spare);
  bool MaySleepAtFlag();
  bool SleepAtFlag(Completion* complete);
  bool LeaveToCaller();
  bool LeaveToApplication();
  bool IsApplicationBusy() const;
  int Untaken() const;
  bool OnlyCallersWait(int spare);
  void WatchOut();
  void OnLookout();
  void WakeTold(size_t most);
  bool IsTellingOverdue() const;

  // Counting lost wake-ups.
  struct Backstop : Expirable {
    explicit Backstop(Session* session) : session(session) {}
    void OnExpired() override;
    Session* const session;
  };
  void ArmBackstop() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnBackstop();
  bool WasAsleepTwice() ABSL_EXCLUSIVE_LOCKS_REQUIRED(read_mu_);

  // Reading.
  int ReadBatch(Notifications* notifications)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(read_mu_);
  absl::Status HandleFrame(const RecordHeader& header, const std::byte* payload,
                           Notifications* notifications)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(read_mu_);
  absl::Status HandleCall(const RecordHeader& header, const std::byte* payload,
                          Notifications* notifications)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(read_mu_);
  absl::Status HandleAccept(const RecordHeader& header,
                            Notifications* notifications)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(read_mu_);
  absl::Status HandleMessage(const RecordHeader& header,
                             const std::byte* payload,
                             Notifications* notifications)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(read_mu_);
  absl::Status HandleCredit(const RecordHeader& header,
                            const std::byte* payload)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(read_mu_);
  template <typename Message>
  absl::StatusOr<Message> Parse(const RecordHeader& header,
                                const std::byte* payload,
                                absl::Status* too_large) const;
  void Refuse(const std::shared_ptr<Call>& call, const absl::Status& status,
              Notifications* notifications) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<std::shared_ptr<Call>> Find(uint64_t id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Update(uint64_t id,
                      absl::FunctionRef<absl::Status(Call*)> update)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(read_mu_);
  void Deliver(Call* call, Received item, uint32_t owed,
               Notifications* notifications) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Writing.
  void WriteScheduled(Notifications* notifications)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  WriteResult WriteOne(Call* call, Notifications* notifications)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  WriteResult WriteMessage(Call* call, Notifications* notifications)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  WriteResult WriteFrame(FrameType type, uint64_t call_id, const void* payload,
                         size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::byte* Reserve(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Publish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RingIfDue(bool now);
  void Wake(armed_flag::Sleep sleep) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Schedule(Call* call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ForgetSilentCalls() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void QueueFrame(Call* call, FrameType type, std::string payload)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddCredit(Call* call, uint32_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::shared_ptr<Call> AddOffered(uint64_t number)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void End(Call* call, Notifications* notifications)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const SessionOptions options_;
  const std::weak_ptr<SessionHandler> handler_;
  const PeerCredentials peer_;
  const uint32_t window_;
  const size_t max_payload_;  // of one frame

  // Where a caller may sleep for what comes. May be gone: only to sleep at.
  const std::atomic<uint32_t>* const flag_;

  Spinner spinner_;

  bool broken_ ABSL_GUARDED_BY(read_mu_) =
      false;  // by the peer; about to close
  // By some thread. Set without a lock, cleared under read_mu_ together with
  // arming the doorbell, or left to those who await the role.
  std::atomic<bool> driven_{false};
  // Threads that look all the time whether somebody drives: as long as there
  // are any, a driver may leave without arming the doorbell. Sequentially
  // consistent, with driven_: the last one sees that nobody drives, or is seen
  // to have gone.
  std::atomic<int> awaiting_role_{0};
  // Nobody drives, and nobody is woken for what there is to read: whoever has
  // left it so, or has a job to run first, has Work() called.
  std::atomic<bool> unread_{false};
  // The number of the quick job during which the driver keeps its role; 0:
  // none. Whoever sets it to 0 has the role. Sequentially consistent, with
  // watched_: who begins such a job sees that nobody watches, or is seen by who
  // stops to.
  std::atomic<uint64_t> keeping_{0};
  std::atomic<bool> watched_{false};
  std::atomic<uint64_t> quick_jobs_{0};  // so far; changed by the driver
  uint64_t watched_job_ = 0;             // of who watches
  // The ring was too full for what is queued, when the peer had freed it up to
  // full_at_. Sequentially consistent, with driven_: who finds it full sees
  // that nobody drives, and has the peer ring; or who stops driving sees it.
  std::atomic<bool> full_{false};
  std::atomic<uint64_t> full_at_{0};
  // What was read last, or written, is not the end of a message; and the last
  // wait for more of one was in vain. Relaxed: they steer who waits.
  std::atomic<bool> mid_message_{false};
  std::atomic<bool> mid_send_{false};
  std::atomic<bool> late_in_the_middle_{false};
  // Bytes written since something was read last. Relaxed, for the same reason.
  std::atomic<uint64_t> sent_since_read_{0};
  // Bytes of the message whose end was written last. Relaxed, likewise.
  std::atomic<uint64_t> last_sent_{0};
  // How much was read, in turns; what had come and gone when the doorbell rang
  // last, and how often it has rung since with nothing new. Relaxed: a number
  // more or less does not matter.
  std::atomic<uint64_t> turns_read_{0};
  std::atomic<uint64_t> progress_at_ring_{0};
  std::atomic<int> idle_rings_{0};
  // When the peer is to be woken, by whoever answers many calls in a row and
  // wakes it once for all of them; MonotonicNanos. 0: not at all. Relaxed:
  // changed under mu_; the driver looks.
  std::atomic<int64_t> ring_at_{0};
  // Callers under way, with those who are told and still asleep.
  std::atomic<int> callers_{0};
  std::atomic<uint64_t> caller_waits_{0};  // that have begun, all in all
  // Callers whose operations are complete, and that are still asleep.
  std::atomic<size_t> told_count_{0};
  // Whose turn it is, until when (MonotonicNanos), and whether it has passed to
  // another one that was woken for it and has not come yet. Relaxed: changed by
  // who drives.
  std::atomic<const void*> turn_of_{nullptr};
  std::atomic<int64_t> turn_ends_{0};
  std::atomic<bool> turn_passed_{false};
  // Since when the one who drives waits for its own operation.
  std::atomic<int64_t> waits_since_{0};
  // When a reactor thread has told a caller last. Of who drives.
  int64_t told_at_ = 0;
  // Nobody drives, and nobody is woken for what there is to read: the
  // application's thread comes back soon. Sequentially consistent, with the
  // lock of calls_: who opens a call sees that, or is seen by who leaves it so.
  std::atomic<bool> lingering_{false};
  // Nobody drives, and the peer wakes a caller for what there is to read.
  // Sequentially consistent, likewise.
  std::atomic<bool> asleep_at_flag_{false};
  // The lookout is set; how often somebody has begun to drive.
  std::atomic<bool> looking_out_{false};
  std::atomic<int64_t> lookout_nanos_{0};  // for who lingered last; relaxed
  std::atomic<uint64_t> drives_{0};
  // Of the lookout: what it saw the last time. The first is atomic, since one
  // that has begun to drive still changes it when the next one may look.
  std::atomic<uint64_t> seen_drives_{0};
  int seen_untaken_ = 0;
  // The asynchronous application has taken nothing from its queues from one
  // lookout to the next, and not polled since.
  std::atomic<bool> application_stalled_{false};
  std::atomic<bool> wants_bodies_{false};
  Lookout lookout_{this};
  // Calls that anybody has, and what max_buffered_bytes counts. Relaxed: each
  // is a sum, of which a limit is checked some time.
  std::atomic<size_t> living_calls_{0};
  std::atomic<uint64_t> buffered_{0};
  // Somebody wants the lock that a thread holds while it waits awake.
  // Relaxed: a hint, the lock orders everything.
  std::atomic<bool> closing_{false};
  // Threads that are about to tell the handler of acceptances that they have
  // read, and what it is to hear after those, if the link was closed meanwhile.
  int telling_ ABSL_GUARDED_BY(read_mu_) = 0;
  absl::optional<absl::Status> closed_ ABSL_GUARDED_BY(read_mu_);
  // What the backstop has seen; a driver clears the first.
  bool seen_unread_ ABSL_GUARDED_BY(read_mu_) = false;
  bool seen_space_ ABSL_GUARDED_BY(read_mu_) = false;
  uint64_t seen_full_at_ ABSL_GUARDED_BY(read_mu_) = 0;

  // Order: read_mu_ before mu_. Neither is held while a handler runs.
  Mutex read_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  mutable Mutex mu_;

  // Changed under both locks, so that either suffices to use it; null once
  // closed. The ring's consumer belongs to read_mu_, its producer to mu_.
  std::unique_ptr<Link> link_;
  Reactor::SourceId doorbell_source_ = 0;  // under both locks, as link_
  Reactor::SourceId control_source_ = 0;

  absl::flat_hash_map<uint64_t, std::shared_ptr<Call>> calls_
      ABSL_GUARDED_BY(mu_);
  uint64_t last_call_id_ ABSL_GUARDED_BY(mu_) = 0;
  std::deque<std::shared_ptr<Call>> scheduled_ ABSL_GUARDED_BY(mu_);
  // When there are so many, those with nothing to write any more are removed.
  size_t forget_at_ ABSL_GUARDED_BY(mu_) = 64;
  size_t unpublished_ ABSL_GUARDED_BY(mu_) =
      0;  // bytes committed since the last publication
  std::string go_away_
      ABSL_GUARDED_BY(mu_);  // a kGoAway frame to write; empty: none
  bool refusing_ ABSL_GUARDED_BY(mu_) = false;  // GoAway was sent or received
  std::atomic<bool> close_when_idle_{false};    // set under mu_
  bool backstop_armed_ ABSL_GUARDED_BY(mu_) = false;
  Backstop backstop_{this};

  // The session whose quick job this thread runs: it looks itself, soon, after
  // whether the peer is to be woken.
  static thread_local const Session* deferring_;
  static thread_local uint64_t quick_job_;  // its number

  // Where those sleep who are told, in the order of telling.
  Mutex told_mu_;
  struct Told {
    OneTimeEvent::Sleeper sleeper;
    bool comes_back;
  };
  std::deque<Told> told_ ABSL_GUARDED_BY(told_mu_);

  Mutex jobs_mu_;
  std::deque<std::shared_ptr<Job>> jobs_ ABSL_GUARDED_BY(jobs_mu_);
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_CALL_SESSION_H_
