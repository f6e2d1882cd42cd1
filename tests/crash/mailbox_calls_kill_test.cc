// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Calls through a mailbox while one of its servers after the other is killed:
// each is answered or fails with UNAVAILABLE, none runs twice, none hangs, and
// nothing is left. $GRPC_SHM_KILL_CALLS: how many; 10,000 if it is not set.

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "tests/integration/transport_test.h"
#include "transport/mailbox.h"

extern char** environ;

namespace grpc_shm {
namespace testing {
namespace {

constexpr int kServers = 3;
constexpr int kCallers = 8;
constexpr absl::Duration kBetweenKills = absl::Milliseconds(200);

uint64_t Calls() {
  const char* const calls = std::getenv("GRPC_SHM_KILL_CALLS");
  return calls == nullptr ? 10'000 : std::strtoull(calls, nullptr, 10);
}

// A mailbox_worker.
class WorkerProcess {
 public:
  void Start(const std::string& address, const std::string& log) {
    const std::string program =
        std::filesystem::path(std::getenv("GRPC_SHM_TEST_WORKER")).string();
    std::array<char*, 4> arguments = {const_cast<char*>(program.c_str()),
                                      const_cast<char*>(address.c_str()),
                                      const_cast<char*>(log.c_str()), nullptr};
    ASSERT_EQ(posix_spawn(&pid_, program.c_str(), nullptr, nullptr,
                          arguments.data(), environ),
              0);
  }
  void Kill() {
    kill(pid_, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(pid_, &status, 0), pid_);
    // It has not ended before by itself.
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  }

 private:
  pid_t pid_ = -1;
};

std::vector<std::string> FilesIn(const std::string& directory) {
  std::vector<std::string> files;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(directory))
    files.push_back(entry.path().filename().string());
  return files;
}

// The numbers of all calls that ran.
std::vector<uint64_t> ReadLog(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)),
                          std::istreambuf_iterator<char>());
  EXPECT_EQ(bytes.size() % sizeof(uint64_t), 0u);
  std::vector<uint64_t> numbers(bytes.size() / sizeof(uint64_t));
  std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(uint64_t));
  return numbers;
}

TEST(MailboxKillTest, EachCallRunsOnceAtMostAndEnds) {
  const std::string address = NewAddress(Transport::kMailbox);
  const std::string log = TestDirectory() + "/log";
  ASSERT_GE(open(log.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600), 0);
  ASSERT_TRUE(Mailbox::Create(address).ok());
  std::array<WorkerProcess, kServers> workers;
  for (WorkerProcess& worker : workers) worker.Start(address, log);

  const uint64_t calls = Calls();
  std::vector<grpc::Status> results(calls);
  std::atomic<uint64_t> next{0};
  {
    const ChannelPtr channel = MakeChannel(address);
    std::vector<std::thread> callers;
    for (int i = 0; i < kCallers; ++i) {
      callers.emplace_back([&] {
        for (uint64_t number; (number = next++) < calls;) {
          EchoRequest request;
          request.set_payload(&number, sizeof(number));
          EchoReply reply;
          results[number] =
              CallUnary(channel, NewContext().get(), request, &reply);
          if (results[number].ok()) {
            EXPECT_EQ(reply.payload(), request.payload());
          }
        }
      });
    }
    absl::Notification done;
    int kills = 0;
    std::thread killer([&] {
      while (!done.WaitForNotificationWithTimeout(kBetweenKills)) {
        WorkerProcess& worker = workers[kills++ % kServers];
        worker.Kill();
        worker.Start(address, log);
      }
    });
    for (std::thread& caller : callers) caller.join();
    done.Notify();
    killer.join();
    EXPECT_GE(kills, 2);
    RecordProperty("kills", kills);
  }
  for (WorkerProcess& worker : workers) worker.Kill();

  std::map<uint64_t, int> runs;
  for (const uint64_t number : ReadLog(log)) ++runs[number];
  for (const auto& [number, count] : runs)
    EXPECT_EQ(count, 1) << "call " << number << " ran more than once";
  uint64_t answered = 0;
  for (uint64_t number = 0; number < calls; ++number) {
    const grpc::Status& status = results[number];
    if (status.ok()) {
      ++answered;
      EXPECT_EQ(runs[number], 1) << "call " << number;
    } else {
      EXPECT_THAT(status, HasCode(grpc::StatusCode::UNAVAILABLE))
          << "call " << number;
    }
  }
  // What a killed server has taken is one call at most.
  EXPECT_GE(answered, calls - calls / 10);
  RecordProperty("answered", static_cast<int>(answered));

  ASSERT_TRUE(Mailbox::Destroy(address).ok());
  EXPECT_THAT(FilesIn(std::getenv("GRPC_SHM_MAILBOX_DIR")),
              ::testing::IsEmpty());
  EXPECT_THAT(FilesIn(RendezvousDirectory()), ::testing::IsEmpty());
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
