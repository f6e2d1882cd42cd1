// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_MAILBOX_CLIENT_H_
#define GRPC_SHM_TESTS_INTEGRATION_MAILBOX_CLIENT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "proto/mailbox.grpc.pb.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {

// Calls of grpc_shm.v1.Mailboxes, in a line each. Those that block give up
// after kPatience.
class MailboxClient {
 public:
  explicit MailboxClient(const ChannelPtr& channel)
      : stub_(v1::Mailboxes::NewStub(channel)) {}

  grpc::Status Create(const std::string& name, const v1::Capacity& capacity,
                      uint64_t max_message_bytes = 0,
                      uint64_t max_memory_bytes = 0) {
    v1::CreateRequest request;
    request.set_name(name);
    *request.mutable_capacity() = capacity;
    request.set_max_message_bytes(max_message_bytes);
    request.set_max_memory_bytes(max_memory_bytes);
    v1::CreateResponse response;
    return stub_->Create(NewContext().get(), request, &response);
  }

  grpc::Status Destroy(const std::string& name) {
    v1::DestroyRequest request;
    request.set_name(name);
    v1::DestroyResponse response;
    return stub_->Destroy(NewContext().get(), request, &response);
  }

  std::vector<std::string> List() {
    v1::ListResponse response;
    EXPECT_THAT(stub_->List(NewContext().get(), v1::ListRequest(), &response),
                IsOk());
    std::vector<std::string> names;
    for (const auto& mailbox : response.mailboxes()) {
      names.push_back(mailbox.name());
    }
    return names;
  }

  grpc::Status Describe(const std::string& name,
                        v1::MailboxDescription* description = nullptr) {
    v1::DescribeRequest request;
    request.set_name(name);
    v1::DescribeResponse response;
    const grpc::Status status =
        stub_->Describe(NewContext().get(), request, &response);
    if (description != nullptr) *description = response.mailbox();
    return status;
  }

  grpc::Status Send(const std::string& name, const std::string& data,
                    grpc::ClientContext* context) {
    v1::SendRequest request;
    request.set_name(name);
    request.set_data(data);
    v1::SendResponse response;
    const grpc::Status status = stub_->Send(context, request, &response);
    EXPECT_FALSE(response.full());
    return status;
  }
  grpc::Status Send(const std::string& name, const std::string& data,
                    absl::Duration timeout = kPatience) {
    return Send(name, data, NewContext(timeout).get());
  }

  // Without waiting; whether it was sent.
  bool TrySend(const std::string& name, const std::string& data) {
    v1::SendRequest request;
    request.set_name(name);
    request.set_data(data);
    request.set_no_wait(true);
    v1::SendResponse response;
    EXPECT_THAT(stub_->Send(NewContext().get(), request, &response), IsOk());
    return !response.full();
  }

  grpc::Status Receive(const std::string& name, v1::ReceivedMessage* message,
                       grpc::ClientContext* context) {
    v1::ReceiveRequest request;
    request.set_name(name);
    v1::ReceiveResponse response;
    const grpc::Status status = stub_->Receive(context, request, &response);
    EXPECT_EQ(response.has_message(), status.ok());
    *message = response.message();
    return status;
  }
  grpc::Status Receive(const std::string& name, v1::ReceivedMessage* message,
                       absl::Duration timeout = kPatience) {
    return Receive(name, message, NewContext(timeout).get());
  }
  // The data, "" if there is none.
  std::string Receive(const std::string& name) {
    v1::ReceivedMessage message;
    EXPECT_THAT(Receive(name, &message), IsOk());
    return message.data();
  }

  // Without waiting; has no message if there is none.
  v1::ReceiveResponse TryReceive(const std::string& name) {
    v1::ReceiveRequest request;
    request.set_name(name);
    request.set_no_wait(true);
    v1::ReceiveResponse response;
    EXPECT_THAT(stub_->Receive(NewContext().get(), request, &response), IsOk());
    return response;
  }

  v1::Mailboxes::Stub& stub() { return *stub_; }

 private:
  const std::unique_ptr<v1::Mailboxes::Stub> stub_;
};

// A subscription.
class MailboxSubscriber {
 public:
  MailboxSubscriber(MailboxClient& client, const std::string& name,
                    uint32_t max_unacknowledged = 0)
      : context_(NewContext()),
        stream_(client.stub().Subscribe(context_.get())) {
    v1::SubscribeRequest request;
    request.set_name(name);
    request.set_max_unacknowledged(max_unacknowledged);
    stream_->Write(request);
  }
  MailboxSubscriber(const MailboxSubscriber&) = delete;
  MailboxSubscriber& operator=(const MailboxSubscriber&) = delete;
  ~MailboxSubscriber() {
    if (finished_) return;
    Cancel();
    Finish();
  }

  bool Read(v1::SubscribeResponse* response) { return stream_->Read(response); }
  // The next message's data.
  std::string Read() {
    v1::SubscribeResponse response;
    if (!stream_->Read(&response)) return "no message";
    EXPECT_EQ(response.id(), ++last_id_);
    return response.message().data();
  }
  bool Acknowledge(const std::vector<uint64_t>& ids) {
    v1::SubscribeRequest request;
    for (const uint64_t id : ids) request.add_acknowledge(id);
    return stream_->Write(request);
  }
  bool Write(const v1::SubscribeRequest& request) {
    return stream_->Write(request);
  }
  void Cancel() { context_->TryCancel(); }
  // Ends the requests.
  grpc::Status End() {
    stream_->WritesDone();
    return Finish();
  }
  // Reads on to the end.
  grpc::Status Finish() {
    v1::SubscribeResponse response;
    while (stream_->Read(&response)) {
    }
    finished_ = true;
    return stream_->Finish();
  }

 private:
  const std::unique_ptr<grpc::ClientContext> context_;
  const std::unique_ptr<
      grpc::ClientReaderWriter<v1::SubscribeRequest, v1::SubscribeResponse>>
      stream_;
  uint64_t last_id_ = 0;
  bool finished_ = false;
};

inline v1::Capacity Rendezvous() {
  v1::Capacity capacity;
  capacity.set_rendezvous(true);
  return capacity;
}
inline v1::Capacity Bounded(uint32_t messages) {
  v1::Capacity capacity;
  capacity.set_bounded(messages);
  return capacity;
}
inline v1::Capacity Unbounded() {
  v1::Capacity capacity;
  capacity.set_unbounded(true);
  return capacity;
}

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_MAILBOX_CLIENT_H_
