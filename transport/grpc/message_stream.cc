// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/message_stream.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/async_stream.h>

#include <utility>

namespace grpc_shm {
namespace {

class CallerStream final : public MessageStream {
 public:
  CallerStream(std::shared_ptr<Handler> handler,
               const std::shared_ptr<grpc::ChannelInterface>& channel,
               bool wait_for_ready, grpc::CompletionQueue* queue)
      : MessageStream(std::move(handler), /*is_caller=*/true),
        stub_(v1::Inbox::NewStub(channel)) {
    context_.set_wait_for_ready(wait_for_ready);
    stream_ = stub_->PrepareAsyncSend(&context_, queue);
  }

 private:
  void StartCall(Operation* done) override { stream_->StartCall(done); }
  void StartRead(v1::Packet* packet, Operation* done) override {
    stream_->Read(packet, done);
  }
  void StartWrite(const v1::Packet& packet, Operation* done) override {
    stream_->Write(packet, done);
  }
  void HalfClose(Operation* done) override { stream_->WritesDone(done); }
  void Finish(const absl::Status&, Operation* done) override {
    stream_->Finish(&status_, done);
  }
  absl::Status FinalStatus() const override {
    return absl::Status(static_cast<absl::StatusCode>(status_.error_code()),
                        status_.error_message());
  }
  void TryCancel() override { context_.TryCancel(); }

  grpc::ClientContext context_;
  const std::unique_ptr<v1::Inbox::Stub> stub_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::Packet, v1::Packet>>
      stream_;
  grpc::Status status_;
};

class CalleeStream final : public MessageStream, private CompletionThread::Tag {
 public:
  CalleeStream(std::shared_ptr<Handler> handler, Called called)
      : MessageStream(std::move(handler), /*is_caller=*/false),
        called_(std::move(called)) {}

  void AwaitCall(v1::Inbox::AsyncService* service,
                 grpc::ServerCompletionQueue* queue) {
    awaiting_ = shared_from_this();
    service->RequestSend(&context_, &stream_, queue, queue,
                         static_cast<CompletionThread::Tag*>(this));
  }

 private:
  // There is a call, or never will be.
  void Run(bool ok) override {
    const std::shared_ptr<MessageStream> keep = std::move(awaiting_);
    if (ok) called_(keep, context_);
    called_ = nullptr;
  }

  void StartCall(Operation*) override {}
  void StartRead(v1::Packet* packet, Operation* done) override {
    stream_.Read(packet, done);
  }
  void StartWrite(const v1::Packet& packet, Operation* done) override {
    stream_.Write(packet, done);
  }
  void HalfClose(Operation*) override {}
  void Finish(const absl::Status& status, Operation* done) override {
    stream_.Finish(grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                                std::string(status.message())),
                   done);
  }
  absl::Status FinalStatus() const override { return absl::OkStatus(); }
  void TryCancel() override { context_.TryCancel(); }

  Called called_;
  std::shared_ptr<MessageStream> awaiting_;  // until there is a call
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<v1::Packet, v1::Packet> stream_{&context_};
};

}  // namespace

std::shared_ptr<MessageStream> MessageStream::Call(
    std::shared_ptr<Handler> handler,
    const std::shared_ptr<grpc::ChannelInterface>& channel, bool wait_for_ready,
    grpc::CompletionQueue* queue) {
  return std::make_shared<CallerStream>(std::move(handler), channel,
                                        wait_for_ready, queue);
}

void MessageStream::AwaitCall(std::shared_ptr<Handler> handler,
                              v1::Inbox::AsyncService* service,
                              grpc::ServerCompletionQueue* queue,
                              Called called) {
  std::make_shared<CalleeStream>(std::move(handler), std::move(called))
      ->AwaitCall(service, queue);
}

void MessageStream::Begin() {
  const std::shared_ptr<MessageStream> keep = shared_from_this();
  self_ = keep;
  if (!is_caller_) {
    {
      absl::MutexLock lock(&mu_);
      started_ = true;
    }
    Proceed();
    return;
  }
  {
    absl::MutexLock lock(&mu_);
    ++starting_;
    ++outstanding_;
  }
  StartCall(&call_started_);
  {
    absl::MutexLock lock(&mu_);
    --starting_;
  }
  Proceed();
}

void MessageStream::Wake() { Proceed(); }

void MessageStream::End(const absl::Status& status) {
  {
    absl::MutexLock lock(&mu_);
    if (end_wanted_) return;
    end_wanted_ = true;
    end_status_ = status;
  }
  Proceed();
}

void MessageStream::Cancel() {
  {
    absl::MutexLock lock(&mu_);
    if (finishing_) return;
    ++starting_;
  }
  TryCancel();
  {
    absl::MutexLock lock(&mu_);
    --starting_;
  }
  Proceed();
}

void MessageStream::Proceed() {
  const std::shared_ptr<MessageStream> keep = shared_from_this();
  for (;;) {
    Step step;
    absl::Status status;
    {
      absl::MutexLock lock(&mu_);
      step = NextStep();
      if (step == Step::kNone) return;
      ++outstanding_;
      ++starting_;
      status = end_status_;
    }
    switch (step) {
      case Step::kNone:
        break;
      case Step::kRead:
        StartRead(&incoming_, &read_done_);
        break;
      case Step::kWrite:
        StartWrite(outgoing_, &write_done_);
        break;
      case Step::kHalfClose:
        HalfClose(&write_done_);
        break;
      case Step::kFinish:
        Finish(status, &finished_);
        break;
    }
    absl::MutexLock lock(&mu_);
    --starting_;
  }
}

MessageStream::Step MessageStream::NextStep() {
  if (!started_ || finishing_) return Step::kNone;
  if (!reading_ && !reads_ended_) {
    reading_ = true;
    return Step::kRead;
  }
  if (writing_) return Step::kNone;
  if (!reads_ended_ && !writes_ended_) {
    outgoing_.Clear();
    if (handler_->NextPacket(this, &outgoing_)) {
      writing_ = true;
      return Step::kWrite;
    }
    if (end_wanted_ && is_caller_) {
      writing_ = writes_ended_ = true;
      return Step::kHalfClose;
    }
  }
  // The callee ends the call; the caller awaits that.
  if (starting_ > 0 || !(reads_ended_ || (end_wanted_ && !is_caller_))) {
    return Step::kNone;
  }
  finishing_ = true;
  return Step::kFinish;
}

void MessageStream::Completed(void (MessageStream::*done)(bool), bool ok) {
  const std::shared_ptr<MessageStream> keep = self_;
  (this->*done)(ok);
  Proceed();
  bool reads_ended;
  {
    absl::MutexLock lock(&mu_);
    --outstanding_;
    if (!finishing_ || outstanding_ > 0) return;
    reads_ended = reads_ended_;
  }
  // Only this thread completes operations, and there is none left.
  self_ = nullptr;
  if (!reads_ended) handler_->OnReadsEnded(this);
  handler_->OnEnded(this, FinalStatus());
}

void MessageStream::CallStarted(bool ok) {
  {
    absl::MutexLock lock(&mu_);
    started_ = true;
    if (!ok) reads_ended_ = writes_ended_ = true;
  }
  if (!ok) handler_->OnReadsEnded(this);
}

void MessageStream::ReadDone(bool ok) {
  if (ok) {
    handler_->OnPacket(this, std::move(incoming_));
    incoming_.Clear();
  }
  {
    absl::MutexLock lock(&mu_);
    reading_ = false;
    if (!ok) reads_ended_ = true;
  }
  if (!ok) handler_->OnReadsEnded(this);
}

void MessageStream::WriteDone(bool ok) {
  absl::MutexLock lock(&mu_);
  writing_ = false;
  if (!ok) writes_ended_ = true;  // the call has ended: reads will tell
}

}  // namespace grpc_shm
