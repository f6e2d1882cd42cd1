// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// What a client notices of an attack on its server: the latency of its calls
// alone, during each kind of attack, and, to compare, beside a process that is
// merely busy and has no link at all, and beside honest clients that ask for as
// much as some attackers do.
//
//   ./bazelw run -c opt //tests/malformed:attack_benchmark
//
// --quick: not for figures, but to see that it works. Fails if any call does.

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/integration/echo.grpc.pb.h"
#include "tests/integration/test_server.h"
#include "tests/malformed/raw_link.h"
#include "transport/channel.h"

namespace grpc_shm {
namespace testing {
namespace {

struct Schedule {
  absl::Duration each = absl::Seconds(2);
  absl::Duration settle = absl::Milliseconds(200);
};

UniqueFd Hello(const std::string& path) {
  UniqueFd socket = ConnectRaw(path);
  SendRaw(socket.get(), GoodHello().SerializeAsString());
  return socket;
}

RawLink NewLink(const std::string& path) {
  absl::optional<RawLink> link = RawLink::ReceiveWelcome(Hello(path));
  if (!link.has_value()) abort();
  return *std::move(link);
}

std::string CallStart() {
  wire::CallStart start;
  start.set_method("/grpc_shm.testing.EchoService/Unary");
  return start.SerializeAsString();
}

// Each goes on until the process is killed.

void NoAttack(const std::string&) { pause(); }

void Busy(const std::string&) {
  for (;;) {
  }
}

// As many threads as the attackers that are never quiet keep busy: their own,
// and the server's that hears them.
void TwiceBusy(const std::string& path) {
  if (fork() == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
  Busy(path);
}

void SilentConnections(const std::string& path) {
  std::vector<UniqueFd> silent;
  for (;;) {
    if (silent.size() == 1000) silent.erase(silent.begin());
    silent.push_back(ConnectRaw(path));
  }
}

void BrokenHandshakes(const std::string& path) {
  for (;;) {
    const UniqueFd socket = ConnectRaw(path);
    SendRaw(socket.get(), "not a hello");
    ReceiveRaw(socket.get());
  }
}

void LinksMadeAndDropped(const std::string& path) {
  for (;;) NewLink(path);
}

void BrokenRecords(const std::string& path) {
  for (;;) {
    RawLink link = NewLink(path);
    link.Put({~uint32_t{0}, 1, 0, 0, 1}, "");
    link.Publish();
    AwaitHangUp(link.socket());
  }
}

void DoorbellStorm(const std::string& path) {
  RawLink link = NewLink(path);
  for (;;) link.RingDoorbell();
}

void DoorbellStormOnManyLinks(const std::string& path) {
  std::vector<RawLink> links;
  for (int i = 0; i < 12; ++i) links.push_back(NewLink(path));
  for (;;) {
    for (RawLink& link : links) link.RingDoorbell();
  }
}

void MeaninglessFrames(const std::string& path) {
  std::vector<RawLink> links;
  for (int i = 0; i < 12; ++i) {
    links.push_back(NewLink(path));
    links.back().Write(FrameType::kCall, 1, CallStart());
    links.back().Write(FrameType::kCancel, 1);
  }
  for (;;) {
    for (RawLink& link : links) {
      while (link.HasSpace(0))
        link.Put({0, static_cast<uint8_t>(FrameType::kCancel), 0, 0, 1}, "");
      link.Publish();
    }
  }
}

void CallsCancelledAtOnce(const std::string& path) {
  RawLink link = NewLink(path);
  const std::string start = CallStart();
  for (uint64_t id = 1;; ++id) {
    link.Write(FrameType::kCall, id, start);
    link.Write(FrameType::kMessage, id, "", kMessageBegin | kMessageEnd);
    link.Write(FrameType::kCancel, id);
    while (link.Read().has_value()) {
    }
  }
}

void MetadataBombs(const std::string& path) {
  RawLink link = NewLink(path);
  wire::CallStart bomb;
  for (size_t i = 0; i < MaxRecordPayload(link.ring_bytes()) / 2; ++i)
    bomb.add_metadata();
  const std::string start = bomb.SerializeAsString();
  for (uint64_t id = 1;; ++id) {
    link.Write(FrameType::kCall, id, start);
    while (link.Read().has_value()) {
    }
  }
}

// What honest clients do, to compare: no pause either, but what they ask for
// they take.

constexpr int kCallsAtOnce = 64;

void HonestCalls(const std::string& path) {
  RawLink link = NewLink(path);
  const std::string start = CallStart();
  int open = 0;
  for (uint64_t id = 1;; ++id) {
    link.Write(FrameType::kCall, id, start);
    link.Write(FrameType::kMessage, id, "", kMessageBegin | kMessageEnd);
    link.Write(FrameType::kHalfClose, id);
    ++open;
    while (const auto frame =
               open < kCallsAtOnce ? link.Read() : link.AwaitFrame()) {
      if (frame->header.type == static_cast<uint8_t>(FrameType::kTrailers))
        --open;
    }
  }
}

std::shared_ptr<grpc::ChannelInterface> NewChannel(const std::string& path) {
  const std::string file = path.substr(path.rfind('/') + 1);
  return CreateChannel(
      absl::StrCat("shm:", file.substr(0, file.rfind(".sock"))));
}

void HonestStreams(const std::string& path) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i) {
    threads.emplace_back([&path] {
      const auto stub = EchoService::NewStub(NewChannel(path));
      grpc::ClientContext context;
      EchoReply reply;
      const auto stream = stub->ClientStream(&context, &reply);
      while (stream->Write(EchoRequest())) {
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

void HonestLargeCalls(const std::string& path) {
  const auto stub = EchoService::NewStub(NewChannel(path));
  EchoRequest request;
  request.set_payload(std::string(size_t{128} << 10, 'x'));
  grpc::Status status;
  while (status.ok()) {
    grpc::ClientContext context;
    EchoReply reply;
    status = stub->Unary(&context, request, &reply);
  }
}

struct Attack {
  const char* name;
  void (*run)(const std::string& path);
};

constexpr Attack kAttacks[] = {
    {"alone", NoAttack},
    {"beside a busy process", Busy},
    {"beside two busy processes", TwiceBusy},
    {"silent connections", SilentConnections},
    {"broken hand-shakes", BrokenHandshakes},
    {"links made and dropped", LinksMadeAndDropped},
    {"broken records", BrokenRecords},
    {"doorbell storm, 1 link", DoorbellStorm},
    {"doorbell storm, 12 links", DoorbellStormOnManyLinks},
    {"meaningless frames, 12 links", MeaninglessFrames},
    {"  honest streams, 12 links", HonestStreams},
    {"calls cancelled at once", CallsCancelledAtOnce},
    {"  honest calls, 64 at a time", HonestCalls},
    {"metadata bombs", MetadataBombs},
    {"  honest calls of 128 KiB", HonestLargeCalls},
    {"alone again", NoAttack},
};

// A process that waits to be told where to attack; made while this one has a
// single thread.
class Attacker {
 public:
  explicit Attacker(const Attack& attack) {
    int ends[2];
    if (pipe(ends) != 0) abort();
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      close(ends[1]);
      char path[200] = {};
      if (read(ends[0], path, sizeof(path) - 1) > 0) attack.run(path);
      _exit(0);
    }
    close(ends[0]);
    pipe_ = UniqueFd(ends[1]);
  }
  Attacker(Attacker&&) = default;

  void Start(const std::string& path) {
    if (write(pipe_.get(), path.data(), path.size()) < 0) abort();
  }
  void Stop() { kill(pid_, SIGKILL); }

 private:
  pid_t pid_;
  UniqueFd pipe_;
};

double Microseconds(const std::vector<absl::Duration>& sorted, double at) {
  return absl::ToDoubleMicroseconds(
      sorted[static_cast<size_t>(at * static_cast<double>(sorted.size() - 1))]);
}

int Main(bool quick) {
  Schedule schedule;
  if (quick) {
    schedule.each = absl::Milliseconds(50);
    schedule.settle = absl::Milliseconds(20);
  } else {
#ifndef NDEBUG
    std::fprintf(stderr, "a debug build's figures mean nothing: -c opt\n");
    return 1;
#endif
  }
  TestDirectory();  // which all processes inherit
  std::vector<Attacker> attackers;
  for (const Attack& attack : kAttacks) attackers.emplace_back(attack);

  const std::string address = NewAddress(Transport::kShm);
  ServerConfig config;
  config.add_addresses(address);
  auto server = TestServer::Start(Transport::kShm, config);
  if (!server.ok()) {
    std::fprintf(stderr, "%s\n", server.status().ToString().c_str());
    return 1;
  }
  const std::string path =
      absl::StrCat(RendezvousDirectory(), "/",
                   address.substr(address.find(':') + 1), ".sock");
  const auto stub = EchoService::NewStub((*server)->NewChannel({}));
  std::printf("%-30s %9s %9s %9s %9s %9s  (us)\n", "", "p50", "p90", "p99",
              "to alone", "calls/s");
  double alone = 0;
  bool ok = true;
  for (size_t i = 0; i < attackers.size(); ++i) {
    attackers[i].Start(path);
    std::vector<absl::Duration> latencies;
    const absl::Time begin = absl::Now() + schedule.settle;
    int failed = 0;
    for (absl::Time now = absl::Now();
         now < begin + schedule.each || latencies.empty();) {
      grpc::ClientContext context;
      EchoReply reply;
      const absl::Time before = now;
      const grpc::Status status = stub->Unary(&context, EchoRequest(), &reply);
      if (!status.ok() && failed++ == 0)
        std::fprintf(stderr, "%s\n", status.error_message().c_str());
      now = absl::Now();
      if (before >= begin) latencies.push_back(now - before);
    }
    attackers[i].Stop();
    absl::SleepFor(schedule.settle);
    std::sort(latencies.begin(), latencies.end());
    const double p99 = Microseconds(latencies, 0.99);
    if (i == 0) alone = p99;
    std::printf("%-30s %9.1f %9.1f %9.1f %8.1fx %9.0f  %s\n", kAttacks[i].name,
                Microseconds(latencies, 0.5), Microseconds(latencies, 0.9), p99,
                p99 / alone,
                static_cast<double>(latencies.size()) /
                    absl::ToDoubleSeconds(schedule.each),
                failed > 0 ? absl::StrCat(failed, " failed").c_str() : "");
    std::fflush(stdout);
    if (failed > 0) ok = false;
  }
  return ok ? 0 : 1;
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm

int main(int argc, char** argv) {
  return grpc_shm::testing::Main(argc > 1 && std::string(argv[1]) == "--quick");
}
