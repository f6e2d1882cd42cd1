// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// What the service's options restrict, and its end. Service and client are in
// one process.

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/mailbox_client.h"
#include "tests/integration/process_resources.h"
#include "tests/integration/transport_test.h"
#include "tests/unit/mailbox/temporary_mailboxes.h"
#include "transport/channel.h"
#include "transport/mailbox.h"
#include "transport/mailbox_service.h"
#include "transport/server.h"

namespace grpc_shm {
namespace testing {
namespace {

using ::testing::ElementsAre;

class MailboxServiceOptionsTest : public ::testing::Test {
 protected:
  ~MailboxServiceOptionsTest() override {
    if (service_ != nullptr) service_->Shutdown();
  }

  void Serve(const MailboxServiceOptions& options = MailboxServiceOptions()) {
    service_ = std::make_unique<MailboxService>(options);
    const std::string address = NewAddress(Transport::kShm);
    ServerBuilder builder;
    server_ = builder.Listen(address)
                  .RegisterService(service_->service())
                  .BuildAndStart();
    ASSERT_NE(server_, nullptr);
    client_ = std::make_unique<MailboxClient>(CreateChannel(address));
  }

  // Without the service.
  static void MakeMailbox(const std::string& name, uint32_t capacity = 4) {
    MailboxOptions options;
    options.capacity = MailboxCapacity::Bounded(capacity);
    options.max_message_bytes = 100;
    const auto mailbox = Mailbox::Create("mailbox:" + name, options);
    EXPECT_TRUE(mailbox.ok()) << mailbox.status();
  }

  static uint32_t Participants(const std::string& name) {
    const auto mailbox = Mailbox::Open("mailbox:" + name);
    return mailbox.ok() ? (*mailbox)->Describe().participants - 1 : 0;
  }

  // Receives at two mailboxes at once, and waits until one of the calls, which
  // comes second, has been refused. The other one waits until it is cancelled.
  class TwoReceivers {
   public:
    TwoReceivers(MailboxClient* client, const std::string (&names)[2]) {
      for (int i = 0; i < 2; ++i) {
        threads_.emplace_back([this, client, i, name = names[i]] {
          v1::ReceivedMessage message;
          statuses_[i] = client->Receive(name, &message, contexts_[i].get());
          int none = -1;
          refused_.compare_exchange_strong(none, i);
        });
      }
      EXPECT_TRUE(Eventually([this] { return refused_ != -1; }));
    }

    int refused() const { return refused_; }

    void Cancel() {
      for (const auto& context : contexts_) context->TryCancel();
      for (std::thread& thread : threads_) thread.join();
      EXPECT_THAT(statuses_[refused_],
                  HasCode(grpc::StatusCode::RESOURCE_EXHAUSTED));
      EXPECT_THAT(statuses_[1 - refused_],
                  HasCode(grpc::StatusCode::CANCELLED));
    }

   private:
    const std::unique_ptr<grpc::ClientContext> contexts_[2] = {NewContext(),
                                                               NewContext()};
    grpc::Status statuses_[2];
    std::atomic<int> refused_{-1};
    std::vector<std::thread> threads_;
  };

  TemporaryMailboxes temporary_;
  std::unique_ptr<MailboxService> service_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<MailboxClient> client_;
};

TEST_F(MailboxServiceOptionsTest, OnlyNamesWithThePrefixAreServed) {
  MailboxServiceOptions options;
  options.name_prefix = "public-";
  Serve(options);
  const std::string hidden = "private-box";
  const std::string shown = "public-box";
  MakeMailbox(hidden);
  MakeMailbox(shown);
  const auto denied = HasCode(grpc::StatusCode::PERMISSION_DENIED);
  v1::ReceivedMessage message;
  EXPECT_THAT(client_->Create("another", Bounded(1)), denied);
  EXPECT_THAT(client_->Destroy(hidden), denied);
  EXPECT_THAT(client_->Describe(hidden), denied);
  EXPECT_THAT(client_->Send(hidden, "hello"), denied);
  EXPECT_THAT(client_->Receive(hidden, &message), denied);
  EXPECT_THAT(MailboxSubscriber(*client_, hidden).Finish(), denied);
  EXPECT_THAT(client_->List(), ElementsAre(shown));
  EXPECT_THAT(client_->Send(shown, "hello"), IsOk());
  EXPECT_EQ(client_->Receive(shown), "hello");
  EXPECT_THAT(client_->Destroy(shown), IsOk());
}

TEST_F(MailboxServiceOptionsTest,
       ClientsMayHaveToTakeTheMailboxesThatThereAre) {
  MailboxServiceOptions options;
  options.allow_create_and_destroy = false;
  Serve(options);
  const std::string name = "box";
  MakeMailbox(name);
  EXPECT_THAT(client_->Create("another", Bounded(1)),
              HasCode(grpc::StatusCode::PERMISSION_DENIED));
  EXPECT_THAT(client_->Destroy(name),
              HasCode(grpc::StatusCode::PERMISSION_DENIED));
  EXPECT_THAT(client_->Send(name, "hello"), IsOk());
  EXPECT_EQ(client_->Receive(name), "hello");
}

TEST_F(MailboxServiceOptionsTest, ClientsMailboxesAreNoLargerThanAllowed) {
  MailboxServiceOptions options;
  options.max_mailbox_bytes = 64 * 1000;
  Serve(options);
  const std::string name = "box";
  const auto refused = HasCode(grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(client_->Create(name, Bounded(65), 1000), refused);
  EXPECT_THAT(client_->Create(name, Bounded(1u << 20), uint64_t{1} << 60),
              refused);
  EXPECT_THAT(client_->Create(name, Rendezvous(), 1001), refused);
  EXPECT_THAT(client_->Create(name, Unbounded(), 1000, 64 * 1000 + 1), refused);
  EXPECT_THAT(client_->Create(name, Bounded(64), 1000), IsOk());
  EXPECT_THAT(client_->Destroy(name), IsOk());
  EXPECT_THAT(client_->Create(name, Unbounded(), 1000), IsOk());
  v1::MailboxDescription description;
  EXPECT_THAT(client_->Describe(name, &description), IsOk());
  EXPECT_LE(description.max_memory_bytes(), options.max_mailbox_bytes);
}

TEST_F(MailboxServiceOptionsTest, NoMoreCallsWaitThanAllowed) {
  MailboxServiceOptions options;
  options.max_waiting = 1;
  Serve(options);
  const std::string name = "box";
  MakeMailbox(name);
  TwoReceivers receivers(client_.get(), {name, name});
  // What need not wait, may.
  EXPECT_FALSE(client_->TryReceive(name).has_message());
  receivers.Cancel();
}

TEST_F(MailboxServiceOptionsTest, NoMoreThreadsWaitThanAllowed) {
  MailboxServiceOptions options;
  options.max_threads = 1;
  Serve(options);
  const std::string names[] = {"one", "another"};
  for (const std::string& name : names) MakeMailbox(name);
  TwoReceivers receivers(client_.get(), names);
  const std::string& refused = names[receivers.refused()];
  const std::string& waiting = names[1 - receivers.refused()];
  // At the same mailbox there may be more, and one that stands behind may go.
  v1::ReceivedMessage message;
  EXPECT_THAT(client_->Receive(waiting, &message, absl::Milliseconds(20)),
              HasCode(grpc::StatusCode::DEADLINE_EXCEEDED));
  receivers.Cancel();
  EXPECT_TRUE(Eventually([&] {
    return client_->Receive(refused, &message, absl::Milliseconds(20))
               .error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
  }));
}

TEST_F(MailboxServiceOptionsTest, NoMoreSubscriptionsAreMadeThanAllowed) {
  MailboxServiceOptions options;
  options.max_subscriptions = 1;
  Serve(options);
  const std::string name = "box";
  MakeMailbox(name);
  MailboxSubscriber first(*client_, name);
  ASSERT_THAT(client_->Send(name, "hello"), IsOk());
  EXPECT_EQ(first.Read(), "hello");
  EXPECT_THAT(MailboxSubscriber(*client_, name).Finish(),
              HasCode(grpc::StatusCode::RESOURCE_EXHAUSTED));
  EXPECT_THAT(first.End(), IsOk());
}

TEST_F(MailboxServiceOptionsTest,
       ASubscriptionTakesNoMoreThanTheServiceAllows) {
  MailboxServiceOptions options;
  options.max_unacknowledged = 1;
  Serve(options);
  const std::string name = "box";
  MakeMailbox(name);
  ASSERT_THAT(client_->Send(name, "1"), IsOk());
  ASSERT_THAT(client_->Send(name, "2"), IsOk());
  MailboxSubscriber subscriber(*client_, name, 100);
  EXPECT_EQ(subscriber.Read(), "1");
  EXPECT_EQ(client_->Receive(name), "2");
}

TEST_F(MailboxServiceOptionsTest, MailboxesAreClosedInFavourOfOthers) {
  MailboxServiceOptions options;
  options.max_open_mailboxes = 1;
  Serve(options);
  const std::string first = "first";
  const std::string second = "second";
  MakeMailbox(first);
  MakeMailbox(second);
  ASSERT_THAT(client_->Send(first, "hello"), IsOk());
  EXPECT_EQ(Participants(first), 1u);
  ASSERT_THAT(client_->Send(second, "hello"), IsOk());
  EXPECT_EQ(Participants(first), 0u);
  EXPECT_EQ(Participants(second), 1u);
  EXPECT_EQ(client_->Receive(first), "hello");
}

TEST_F(MailboxServiceOptionsTest, ShutdownEndsWhateverWaits) {
  Serve();
  const std::string empty = "empty";
  const std::string full = "full";
  MakeMailbox(empty);
  MakeMailbox(full, /*capacity=*/1);
  ASSERT_THAT(client_->Send(full, "fills it"), IsOk());
  const auto unavailable = HasCode(grpc::StatusCode::UNAVAILABLE);
  v1::ReceivedMessage message;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      v1::ReceivedMessage none;
      EXPECT_THAT(client_->Receive(empty, &none), unavailable);
    });
    threads.emplace_back(
        [&] { EXPECT_THAT(client_->Send(full, "waits"), unavailable); });
  }
  MailboxSubscriber waits(*client_, empty);
  const std::string taken = "taken";
  MakeMailbox(taken);
  ASSERT_THAT(client_->Send(taken, "hello"), IsOk());
  MailboxSubscriber has_enough(*client_, taken, 1);
  EXPECT_EQ(has_enough.Read(), "hello");
  service_->Shutdown();
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(waits.Finish(), unavailable);
  EXPECT_THAT(has_enough.Finish(), unavailable);
  EXPECT_THAT(client_->Receive(empty, &message), unavailable);
  EXPECT_THAT(MailboxSubscriber(*client_, empty).Finish(), unavailable);
  // So nothing holds up the server.
  server_->Shutdown();
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
