// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/doorbell.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>

#include "gtest/gtest.h"
#include "tests/unit/link/child_process.h"

namespace grpc_shm {
namespace {

// Watches one doorbell the way its owner does.
class Watch {
 public:
  explicit Watch(int fd) : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    epoll_event event = {};
    event.events = EPOLLIN | EPOLLET;
    EXPECT_EQ(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event), 0);
  }

  // Whether it has rung since the last time.
  bool HasRung() {
    epoll_event event;
    return epoll_wait(epoll_.get(), &event, 1, /*timeout=*/0) == 1;
  }

 private:
  UniqueFd epoll_;
};

TEST(Doorbell, EachRingIsAnEventAlthoughNobodyReads) {
  absl::StatusOr<UniqueFd> doorbell = CreateDoorbell();
  ASSERT_TRUE(doorbell.ok()) << doorbell.status();
  Watch watch(doorbell->get());
  EXPECT_TRUE(watch.HasRung());  // of adding it
  for (int i = 0; i < 1000; ++i) {
    ASSERT_FALSE(watch.HasRung());
    RingDoorbell(doorbell->get());
    ASSERT_TRUE(watch.HasRung());
  }
}

TEST(Doorbell, TwoRingsAreOneEventOrTwoButNeverNone) {
  absl::StatusOr<UniqueFd> doorbell = CreateDoorbell();
  ASSERT_TRUE(doorbell.ok()) << doorbell.status();
  Watch watch(doorbell->get());
  EXPECT_TRUE(watch.HasRung());
  RingDoorbell(doorbell->get());
  RingDoorbell(doorbell->get());
  EXPECT_TRUE(watch.HasRung());
}

TEST(Doorbell, ARingWakesASleeperInAnotherProcess) {
  absl::StatusOr<UniqueFd> doorbell = CreateDoorbell();
  ASSERT_TRUE(doorbell.ok()) << doorbell.status();
  const int fd = doorbell->get();
  testing::ChildProcess sleeper([fd](testing::Conversation& parent) {
    UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
    epoll_event event = {};
    event.events = EPOLLIN | EPOLLET;
    epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event);
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(epoll_wait(epoll.get(), &event, 1, /*timeout=*/10000), 1);
      parent.Say("awake");
    }
  });
  for (int i = 0; i < 100; ++i) {
    if (i > 0) RingDoorbell(fd);
    ASSERT_EQ(sleeper.conversation().Hear(), "awake");
  }
  EXPECT_EQ(sleeper.Wait(), 0);
}

TEST(Doorbell, APeerThatFillsTheCounterCannotMakeARingWait) {
  // In a child, which an alarm ends if the ring does wait.
  testing::ChildProcess ringer([](testing::Conversation&) {
    alarm(10);
    absl::StatusOr<UniqueFd> doorbell = CreateDoorbell();
    ASSERT_TRUE(doorbell.ok()) << doorbell.status();
    const int fd = doorbell->get();
    const uint64_t rest = UINT64_MAX - 1 - 1;
    ASSERT_EQ(write(fd, &rest, sizeof(rest)), ssize_t{sizeof(rest)});
    ASSERT_EQ(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK), 0);
    Watch watch(fd);
    EXPECT_TRUE(watch.HasRung());
    RingDoorbell(fd);
    EXPECT_TRUE(watch.HasRung());
  });
  EXPECT_EQ(ringer.Wait(), 0);
}

TEST(Doorbell, AReceivedDoorbellIsAccepted) {
  absl::StatusOr<UniqueFd> doorbell = CreateDoorbell();
  ASSERT_TRUE(doorbell.ok()) << doorbell.status();
  EXPECT_TRUE(VerifyDoorbell(doorbell->get()).ok());
}

TEST(Doorbell, ABlockingEventfdIsMadeNonBlocking) {
  UniqueFd blocking(eventfd(0, EFD_CLOEXEC));
  EXPECT_TRUE(VerifyDoorbell(blocking.get()).ok());
  EXPECT_NE(fcntl(blocking.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(Doorbell, WhateverElseIsADescriptorIsRefused) {
  int pipe_ends[2];
  ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
  int socket_ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socket_ends), 0);
  sigset_t signals;
  sigemptyset(&signals);
  const struct {
    const char* what;
    UniqueFd fd;
  } others[] = {
      {"pipe, reading end", UniqueFd(pipe_ends[0])},
      {"pipe, writing end", UniqueFd(pipe_ends[1])},
      {"socket", UniqueFd(socket_ends[0])},
      {"socket", UniqueFd(socket_ends[1])},
      {"memfd", UniqueFd(memfd_create("doorbell-test", MFD_CLOEXEC))},
      {"epoll", UniqueFd(epoll_create1(EPOLL_CLOEXEC))},
      {"timerfd", UniqueFd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC))},
      {"signalfd", UniqueFd(signalfd(-1, &signals, SFD_CLOEXEC))},
      {"device", UniqueFd(open("/dev/null", O_RDWR | O_CLOEXEC))},
      {"directory", UniqueFd(open("/", O_RDONLY | O_CLOEXEC))},
      {"path", UniqueFd(open("/dev/null", O_PATH | O_CLOEXEC))},
  };
  for (const auto& other : others) {
    ASSERT_TRUE(other.fd.valid()) << other.what;
    EXPECT_EQ(VerifyDoorbell(other.fd.get()).code(),
              absl::StatusCode::kInvalidArgument)
        << other.what;
  }
}

}  // namespace
}  // namespace grpc_shm
