// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Calls on their way into the mailbox. What servers do with them is in
// mailbox_channel_servers.cc.

#include "transport/grpc/mailbox_channel.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/base/monotonic_clock.h"
#include "transport/grpc/offer_message.h"
#include "transport/link/address.h"
#include "transport/mailbox/mailbox_directory.h"

namespace grpc_shm {
namespace {

// The first look for a mailbox that was not there: nearly a formality while its
// name is watched, all there is otherwise.
constexpr absl::Duration kWatchedLook = absl::Seconds(1);
constexpr absl::Duration kUnwatchedLook = absl::Milliseconds(50);

// Links that one who waits for an answer reads, at most: to look at each takes
// some 20 ns, to begin and to end it 100. The others wake a thread.
constexpr size_t kMaxDriven = 16;

// The largest request that travels with an offer, in bytes: a larger one goes
// over the link, where both sides copy at the same time.
constexpr size_t kMaxOfferedRequest = 32 * 1024;

absl::Status NoMailbox(const std::string& target, const absl::Status& why) {
  if (!absl::IsNotFound(why)) return why;
  return absl::UnavailableError(absl::StrCat(target, ": ", why.message()));
}

// Destroyed, or closed by this channel meanwhile.
bool IsGone(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsCancelled(status);
}

ClientChannel::Options ForOneUser(ClientChannel::Options options) {
  options.link.peers = PeerPolicy();  // as mailboxes are
  return options;
}

// For looking whether it still has a name.
UniqueFd OpenFile(const std::string& name) {
  absl::StatusOr<MailboxDirectory> directory =
      MailboxDirectory::Open(geteuid(), kNoGroup);
  if (!directory.ok()) return UniqueFd();
  return UniqueFd(
      openat(directory->fd(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
}

bool HasName(const UniqueFd& file) {
  struct stat info;
  return fstat(file.get(), &info) == 0 && info.st_nlink > 0;
}

}  // namespace

struct MailboxChannel::Draft {
  std::shared_ptr<OutboundCall> call;
  absl::optional<OutgoingMessage> request;
  wire::Offer offer = NewOffer();
  const wire::CallStart* start = nullptr;
  size_t bytes = 0;

  void Write(const Mailbox::Loan& loan) {
    WriteOffer(offer, *start, request.has_value() ? &*request : nullptr,
               loan.data());
  }
};

std::shared_ptr<MailboxChannel> MailboxChannel::Create(
    const std::string& target, const Options& options) {
  return std::shared_ptr<MailboxChannel>(new MailboxChannel(target, options));
}

MailboxChannel::MailboxChannel(const std::string& target,
                               const Options& options)
    : ClientChannel(target, ParseMailboxAddress(target), ForOneUser(options)) {}

MailboxChannel::~MailboxChannel() {
  MutexLock lock(&mu_);
  StopListening();
  if (retry_timer_ != 0) Reactor::Get().CancelTimer(retry_timer_);
}

// ---- Calls

void MailboxChannel::DoStartCall(const std::shared_ptr<OutboundCall>& call) {
  Effects effects;
  std::shared_ptr<Mailbox> mailbox;
  {
    MutexLock lock(&mu_);
    if (mailbox_ == nullptr) Connect(&effects);
    if (mailbox_ != nullptr &&
        (options().fails_when_full || (waiting_.empty() && !is_rendezvous_))) {
      mailbox = mailbox_;
    } else if (mailbox_ != nullptr) {
      waiting_.push_back({call, absl::nullopt});
      SendWaiting();
    } else if (call->waits_for_ready()) {
      waiting_.push_back({call, absl::nullopt});
      RetryLater();
    } else {
      effects.failed.push_back(call);
    }
  }
  Perform(std::move(effects));
  if (mailbox != nullptr) Offer(mailbox, call);
}

void MailboxChannel::ForgetCall(const OutboundCall* call) {
  Effects effects;
  Waiting forgotten;  // destroyed without the lock
  std::shared_ptr<OutboundCall> outbound;
  std::shared_ptr<Call> adopted;
  {
    MutexLock lock(&mu_);
    auto it = std::find_if(
        waiting_.begin(), waiting_.end(),
        [call](const auto& each) { return each.call.get() == call; });
    if (it != waiting_.end()) {
      forgotten = std::move(*it);
      waiting_.erase(it);
    }
    auto offered = std::find_if(
        offered_.begin(), offered_.end(),
        [call](const auto& each) { return each.second.call.get() == call; });
    if (offered != offered_.end()) {
      const uint64_t number = offered->first;
      const uint32_t slot = offered->second.slot;
      bool done = board_->Withdraw(slot, number);
      if (!done) {
        // A server has it already, and is told; unless its link is closed.
        const uint16_t claimant = board_->Claimant(slot, number);
        bool is_linked = false;
        for (const auto& [session, server] : servers_) {
          if (server.link != claimant) continue;
          is_linked = true;
          adopted = session->AdoptCall(number);
        }
        done = is_linked ? adopted != nullptr
                         : board_->Revoke(slot, number, claimant) ||
                               board_->Withdraw(slot, number);
      }
      if (done) {
        outbound = std::move(offered->second.call);
        free_slots_.push_back(slot);
        offered_.erase(offered);
        SendWaiting();
      }
    }
    StopIfUnused(&effects);
  }
  if (adopted != nullptr) {
    adopted->Attach(outbound->handler());
    outbound->OnStarted(adopted);  // which cancels it
  }
  Perform(std::move(effects));
}

std::shared_ptr<Session> MailboxChannel::session(
    std::vector<std::shared_ptr<Session>>* others) {
  MutexLock lock(&mu_);
  if (servers_.empty()) return nullptr;
  std::shared_ptr<Session> session = last_session_ != nullptr
                                         ? last_session_
                                         : servers_.begin()->second.session;
  if (others == nullptr) return session;
  for (const auto& [key, server] : servers_) {
    if (others->size() == kMaxDriven - 1) break;
    if (key != session.get()) others->push_back(server.session);
  }
  return session;
}

void MailboxChannel::Release() {
  Effects effects;
  {
    MutexLock lock(&mu_);
    released_ = true;
    StopIfUnused(&effects);
  }
  Perform(std::move(effects));
}

// Nobody will ever offer a call any more, and none waits.
void MailboxChannel::StopIfUnused(Effects* effects) {
  if (!released_ || !waiting_.empty() || !offered_.empty()) return;
  StopListening();
  for (const auto& [session, server] : servers_)
    effects->to_close.push_back(server.session);
  last_session_ = nullptr;
  if (mailbox_ != nullptr) effects->mailboxes.push_back(std::move(mailbox_));
  mailbox_ = nullptr;
  mailbox_watch_ = TouchWatch();
  mailbox_file_.reset();
  name_watch_.Stop();
  if (retry_timer_ != 0)
    Reactor::Get().CancelTimer(std::exchange(retry_timer_, 0));
}

// ---- The mailbox

grpc_connectivity_state MailboxChannel::GetState(bool try_to_connect) {
  Effects effects;
  grpc_connectivity_state state;
  {
    MutexLock lock(&mu_);
    state = connectivity().state();
    if (try_to_connect && state == GRPC_CHANNEL_IDLE) Connect(&effects);
  }
  Perform(std::move(effects));
  return state;
}

// Opens the mailbox, unless it is open, for the calls that wait.
void MailboxChannel::Connect(Effects* effects) {
  if (mailbox_ == nullptr) {
    absl::Status opened = Open();
    // It may have appeared between the attempt and the watch.
    if (absl::IsNotFound(opened) && !name_watch_.active() && StartNameWatch())
      opened = Open();
    if (!opened.ok()) {
      connectivity().Set(GRPC_CHANNEL_TRANSIENT_FAILURE, &effects->tellers);
      effects->failure = NoMailbox(target(), opened);
      waiting_.remove_if([effects](const Waiting& each) {
        if (each.call->waits_for_ready()) return false;
        effects->failed.push_back(each.call);
        return true;
      });
      RetryLater();
      StopIfUnused(effects);
      return;
    }
    connectivity().Set(GRPC_CHANNEL_READY, &effects->tellers);
    name_watch_.Stop();
    backoff_ = absl::ZeroDuration();
    if (retry_timer_ != 0)
      Reactor::Get().CancelTimer(std::exchange(retry_timer_, 0));
  }
  SendWaiting();
}

absl::Status MailboxChannel::Open() {
  if (reply_ == nullptr) {
    const absl::Status status = ListenForServers();
    if (!status.ok()) return status;
  }
  OpenMailboxOptions open;
  open.wait_policy = static_cast<WaitPolicy>(options().wait_policy);
  absl::StatusOr<std::unique_ptr<Mailbox>> mailbox =
      Mailbox::Open(target(), open);
  if (!mailbox.ok()) return mailbox.status();
  UniqueFd file = OpenFile(name());
  if (!file.valid() || !HasName(file)) {
    return absl::NotFoundError(
        absl::StrCat(target(), ": no mailbox has that name"));
  }
  absl::StatusOr<TouchWatch> watch =
      TouchWatch::Start(file.get(), [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->OnTouched();
      });
  if (!watch.ok()) return watch.status();
  mailbox_ = *std::move(mailbox);
  is_rendezvous_ =
      mailbox_->Describe().capacity.kind == MailboxCapacity::Kind::kRendezvous;
  mailbox_file_ = std::move(file);
  mailbox_watch_ = *std::move(watch);
  return absl::OkStatus();
}

bool MailboxChannel::StartNameWatch() {
  absl::StatusOr<MailboxNameWatch> watch =
      MailboxNameWatch::Start(name(), [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->Retry();
      });
  if (!watch.ok()) return false;
  name_watch_ = *std::move(watch);
  return true;
}

// Without a watch soon if calls wait for it. Else less and less often: somebody
// may want to know whether there is one.
void MailboxChannel::RetryLater() {
  const bool watched = name_watch_.active();
  if (retry_timer_ != 0) {
    if (watched) return;
    Reactor::Get().CancelTimer(retry_timer_);
  }
  const absl::Duration first = watched ? kWatchedLook : kUnwatchedLook;
  backoff_ = !watched && !waiting_.empty()
                 ? first
                 : std::min(std::max(2 * backoff_, first),
                            options().max_reconnect_backoff);
  retry_timer_ = Reactor::Get().After(backoff_, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Retry();
  });
}

// The time has come, or a name has appeared. If it is still not there it is
// watched for anew.
void MailboxChannel::Retry() {
  Effects effects;
  {
    MutexLock lock(&mu_);
    if (retry_timer_ != 0)
      Reactor::Get().CancelTimer(std::exchange(retry_timer_, 0));
    name_watch_.Stop();
    const bool is_over = released_ && waiting_.empty();
    if (mailbox_ == nullptr && !is_over) Connect(&effects);
  }
  Perform(std::move(effects));
}

// The mailbox's file has changed: it may have lost its name.
void MailboxChannel::OnTouched() {
  std::shared_ptr<Mailbox> mailbox;
  {
    MutexLock lock(&mu_);
    if (mailbox_ != nullptr && !HasName(mailbox_file_)) mailbox = mailbox_;
  }
  if (mailbox != nullptr) {
    OnMailboxFailed(mailbox, absl::UnavailableError(absl::StrCat(
                                 target(), ": the mailbox was destroyed")));
  }
}

// The offers in it are lost, unless somebody has them already. Calls that were
// never offered may have another one.
void MailboxChannel::OnMailboxFailed(const std::shared_ptr<Mailbox>& mailbox,
                                     const absl::Status& why) {
  Effects effects;
  Effects lost;
  {
    MutexLock lock(&mu_);
    if (mailbox_ != mailbox) return;
    effects.mailboxes.push_back(std::move(mailbox_));
    mailbox_ = nullptr;
    mailbox_watch_ = TouchWatch();
    mailbox_file_.reset();
    lost.failure = why;
    for (auto it = offered_.begin(); it != offered_.end();) {
      const auto current = it++;
      if (!board_->Withdraw(current->second.slot, current->first)) continue;
      free_slots_.push_back(current->second.slot);
      lost.failed.push_back(std::move(current->second.call));
      offered_.erase(current);
    }
    connectivity().Set(GRPC_CHANNEL_IDLE, &effects.tellers);
    if (!waiting_.empty()) Connect(&effects);
    StopIfUnused(&effects);
  }
  Perform(std::move(lost));
  Perform(std::move(effects));
}

void MailboxChannel::Perform(Effects effects) {
  Connectivity::Tell(effects.tellers);
  for (const auto& mailbox : effects.mailboxes) mailbox->Close();
  for (const auto& call : effects.failed) call->Fail(effects.failure);
  for (const auto& session : effects.to_close) session->CloseWhenIdle();
}

// ---- Offers

// Offers the call at once, or lets it wait for a place, or fails it.
void MailboxChannel::Offer(const std::shared_ptr<Mailbox>& mailbox,
                           const std::shared_ptr<OutboundCall>& call) {
  Draft draft;
  draft.call = call;
  bool begun;
  {
    MutexLock lock(&mu_);
    begun = BeginOffer(&draft);
  }
  if (!begun) {
    WaitForPlace(std::move(draft));
    return;
  }
  absl::Status status = MakeDraft(*mailbox, &draft);
  if (!status.ok()) {
    FailOffer(draft, status);
    return;
  }
  absl::StatusOr<Mailbox::Loan> loan = mailbox->TryLoanFor(draft.bytes);
  status = loan.status();
  bool gone = false;  // what the draft says is
  if (loan.ok()) {
    draft.Write(*loan);
    gone = true;
    status = mailbox->TrySend(*std::move(loan));
    if (status.ok()) return;
  }
  if (absl::IsUnavailable(status) && !gone) {
    {
      MutexLock lock(&mu_);
      if (!EndOffer(draft)) return;
    }
    WaitForPlace(std::move(draft));
  } else if (absl::IsUnavailable(status)) {
    FailOffer(draft, Full());
  } else if (IsGone(status)) {
    OfferElsewhere(mailbox, std::move(draft));
  } else {
    FailOffer(draft, status);
  }
}

// The mailbox was destroyed before the call was in it; another one may have
// taken its place.
void MailboxChannel::OfferElsewhere(const std::shared_ptr<Mailbox>& mailbox,
                                    Draft draft) {
  {
    MutexLock lock(&mu_);
    if (!EndOffer(draft)) return;
  }
  OnMailboxFailed(mailbox, absl::UnavailableError(absl::StrCat(
                               target(), ": the mailbox was destroyed")));
  WaitForPlace(std::move(draft));
}

// Gives the call a number and a slot, so that it can be claimed and withdrawn.
// False: there is no slot.
bool MailboxChannel::BeginOffer(Draft* draft) {
  if (free_slots_.empty() || reply_ == nullptr) return false;
  const uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  const uint64_t number = ++last_number_;
  draft->offer.set_reply_address(reply_->path());
  draft->offer.set_slot(slot);
  draft->offer.set_number(number);
  board_->Offer(slot, number);
  offered_.emplace(number, Offered{draft->call, slot});
  return true;
}

// The offer was not sent. False: the call has been given up meanwhile.
bool MailboxChannel::EndOffer(const Draft& draft) {
  auto it = offered_.find(draft.offer.number());
  if (it == offered_.end()) return false;
  board_->Withdraw(it->second.slot, it->first);
  free_slots_.push_back(it->second.slot);
  offered_.erase(it);
  return true;
}

absl::Status MailboxChannel::MakeDraft(const Mailbox& mailbox, Draft* draft) {
  draft->start = &draft->call->Start();
  if (draft->start->has_timeout_ns()) {
    draft->offer.set_deadline_ns(MonotonicNanos() + draft->start->timeout_ns());
  }
  // Whether there is a request or not, the offer has room for saying so.
  draft->offer.set_has_request(true);
  const size_t bytes = OfferBytes(draft->offer, *draft->start, 0);
  const size_t most = mailbox.max_message_bytes();
  if (bytes > most) {
    return absl::ResourceExhaustedError(
        absl::StrCat("metadata of ", bytes, " bytes exceeds what a message in ",
                     target(), " can hold, ", most,
                     " bytes; send less, or use a mailbox with a larger "
                     "max_message_bytes"));
  }
  if (!draft->request.has_value()) {
    draft->request =
        draft->call->TakeRequest(std::min(most - bytes, kMaxOfferedRequest));
  }
  draft->offer.set_has_request(draft->request.has_value());
  draft->bytes =
      OfferBytes(draft->offer, *draft->start,
                 draft->request.has_value() ? draft->request->size() : 0);
  if (draft->bytes > most) {
    // The request was taken for a mailbox with larger messages.
    return absl::ResourceExhaustedError(absl::StrCat(
        target(), ": a request of ", draft->request->size(),
        " bytes does not fit the mailbox that has taken the place of the one "
        "that it was meant for"));
  }
  return absl::OkStatus();
}

bool MailboxChannel::IsOffered(const Draft& draft) {
  MutexLock lock(&mu_);
  return offered_.contains(draft.offer.number());
}

void MailboxChannel::FailOffer(const Draft& draft, const absl::Status& status) {
  Effects effects;
  {
    MutexLock lock(&mu_);
    if (!EndOffer(draft)) return;
    effects.failed.push_back(draft.call);
    effects.failure = status;
    StopIfUnused(&effects);
  }
  Perform(std::move(effects));
}

absl::Status MailboxChannel::Full() const {
  return absl::ResourceExhaustedError(absl::StrCat(
      target(), ": as many calls wait in the mailbox as it holds"));
}

// The mailbox is full, or this channel has as many calls in it as it can have.
void MailboxChannel::WaitForPlace(Draft draft) {
  Effects effects;
  {
    MutexLock lock(&mu_);
    if (options().fails_when_full && mailbox_ != nullptr) {
      effects.failed.push_back(draft.call);
      effects.failure = Full();
      StopIfUnused(&effects);
    } else {
      waiting_.push_back({std::move(draft.call), std::move(draft.request)});
      Connect(&effects);
    }
  }
  Perform(std::move(effects));
}

// Has a thread offer the calls that wait, one after the other.
void MailboxChannel::SendWaiting() {
  if (sending_ || waiting_.empty() || mailbox_ == nullptr) return;
  sending_ = true;
  Reactor::Get().Post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->RunSendWaiting();
  });
}

void MailboxChannel::RunSendWaiting() {
  Reactor::BlockingScope scope;
  for (;;) {
    Draft draft;
    std::shared_ptr<Mailbox> mailbox;
    {
      MutexLock lock(&mu_);
      // Without a slot: the next call that is accepted goes on with this.
      if (waiting_.empty() || mailbox_ == nullptr || free_slots_.empty()) {
        sending_ = false;
        return;
      }
      mailbox = mailbox_;
      draft.call = std::move(waiting_.front().call);
      draft.request = std::move(waiting_.front().request);
      waiting_.pop_front();
      // From here on it can be withdrawn.
      BeginOffer(&draft);
    }
    absl::Status status = MakeDraft(*mailbox, &draft);
    if (status.ok()) {
      absl::StatusOr<Mailbox::Loan> loan =
          options().fails_when_full ? mailbox->TryLoanFor(draft.bytes)
                                    : mailbox->LoanFor(draft.bytes);
      status = loan.status();
      if (loan.ok()) {
        if (!IsOffered(draft)) continue;  // nor does it take a place
        draft.Write(*loan);
        status = options().fails_when_full ? mailbox->TrySend(*std::move(loan))
                                           : mailbox->Send(*std::move(loan));
      }
      if (absl::IsUnavailable(status)) status = Full();
    }
    if (status.ok()) continue;
    if (IsGone(status)) {
      OfferElsewhere(mailbox, std::move(draft));
    } else {
      FailOffer(draft, status);
    }
  }
}

}  // namespace grpc_shm
