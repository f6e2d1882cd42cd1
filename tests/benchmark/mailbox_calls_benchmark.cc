// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Measures calls through a mailbox beside direct ones and gRPC's own over unix
// sockets, in one run:
//
//   unary          one server, one empty call after the other: what the mailbox
//                  costs
//   unary_servers  the same with four servers, any of which may take the call
//                  (over shm, there is one)
//   balance        four servers that work on one call at a time, 90 % of the
//                  calls for 1 ms and 10 % for 20 ms, asleep. Calls come at
//                  random times (open loop) at 70 % of what the servers can do.
//                  Shown are the 1 ms calls, from when they were due to their
//                  answers: what taking the next call when one is free is
//                  worth, against gRPC's round robin.

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "tests/benchmark/rpc/echo.grpc.pb.h"
#include "tests/benchmark/rpc/environment.h"
#include "tests/benchmark/rpc/figures.h"
#include "tests/benchmark/rpc/report.h"
#include "tests/benchmark/rpc/statistics.h"
#include "tests/benchmark/rpc/temporary_directory.h"
#include "tests/benchmark/rpc/whole_run.h"
#include "transport/base/unique_fd.h"
#include "transport/channel.h"
#include "transport/mailbox.h"
#include "transport/server.h"

ABSL_FLAG(std::string, json, "", "File to write the figures to.");
ABSL_FLAG(int, runs, 5, "How often everything is measured, for the medians.");
ABSL_FLAG(bool, quick, false, "Measure briefly, to see that it works.");
ABSL_FLAG(std::vector<std::string>, scenarios, {},
          "Only these (comma-separated): unary, unary_servers, balance.");
ABSL_FLAG(std::string, serve, "", "For the benchmark itself: be a server.");

extern char** environ;

namespace grpc_shm::bench {
namespace {

constexpr int kServers = 4;
constexpr int kReadyFd = 3;
constexpr absl::Duration kShortWork = absl::Milliseconds(1);
constexpr absl::Duration kLongWork = absl::Milliseconds(20);
constexpr double kLongShare = 0.1;
constexpr double kLoad = 0.7;

struct Timing {
  absl::Duration warm_up = absl::Milliseconds(200);
  absl::Duration unary = absl::Seconds(1);
  absl::Duration balance = absl::Seconds(4);
};

// ---- Servers

// Works, asleep, for as many microseconds as the request says; on one call at a
// time, however many gRPC hands to it.
class WorkService : public Echo::Service {
 public:
  grpc::Status Unary(grpc::ServerContext*, const Payload* request,
                     Payload* reply) override {
    uint32_t micros = 0;
    if (request->data().size() == sizeof(micros)) {
      std::memcpy(&micros, request->data().data(), sizeof(micros));
      const timespec work{micros / 1'000'000, micros % 1'000'000 * 1000};
      absl::MutexLock lock(&mu_);
      nanosleep(&work, nullptr);
    }
    reply->set_data(request->data());
    return grpc::Status::OK;
  }

 private:
  absl::Mutex mu_;
};

int Serve(const std::string& address) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  WorkService service;
  ServerBuilder builder;
  if (absl::StartsWith(address, "mailbox:")) {
    builder.Listen(address);
  } else if (absl::StartsWith(address, "shm:")) {
    builder.Listen(address);
  } else {
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  }
  builder.RegisterService(&service);
  absl::Status error;
  const std::unique_ptr<Server> server = builder.BuildAndStart(&error);
  if (server == nullptr) {
    std::cerr << error << "\n";
    return 1;
  }
  if (write(kReadyFd, "r", 1) != 1) return 1;
  server->Wait();
  return 0;
}

// This program once more, as a server. Killed by the destructor.
class ServerProcess {
 public:
  explicit ServerProcess(const std::string& address) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return;
    const UniqueFd ours(ends[0]);
    UniqueFd theirs(ends[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (theirs.get() == kReadyFd) {
      theirs.reset(fcntl(kReadyFd, F_DUPFD_CLOEXEC, kReadyFd + 1));
    }
    posix_spawn_file_actions_adddup2(&actions, theirs.get(), kReadyFd);
    const std::string flag = "--serve=" + address;
    std::string program = "/proc/self/exe";
    std::array<char*, 3> arguments = {&program[0],
                                      const_cast<char*>(flag.c_str()), nullptr};
    if (posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments.data(),
                    environ) != 0)
      pid_ = -1;
    posix_spawn_file_actions_destroy(&actions);
    theirs.reset();
    char byte;
    ready_ = pid_ > 0 && read(ours.get(), &byte, 1) == 1;
  }
  ~ServerProcess() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  bool ready() const { return ready_; }

 private:
  pid_t pid_ = -1;
  bool ready_ = false;
};

// ---- What is measured

// Servers of one kind and a channel to all of them.
class Target {
 public:
  static absl::StatusOr<std::unique_ptr<Target>> Make(
      const std::string& transport, int servers, const std::string& directory) {
    static int number = 0;
    std::unique_ptr<Target> target(new Target);
    const std::string name =
        absl::StrCat("mailbox_calls.", getpid(), ".", ++number);
    std::vector<std::string> paths;
    if (transport == "mailbox") {
      target->mailbox_ = "mailbox:" + name;
      const auto made = Mailbox::Create(target->mailbox_, {});
      if (!made.ok()) return made.status();
    }
    for (int i = 0; i < servers; ++i) {
      std::string address = target->mailbox_;
      if (transport == "shm") address = "shm:" + name;
      if (transport == "unix") {
        paths.push_back(absl::StrCat(directory, "/", number, ".", i));
        address = "unix:" + paths.back();
      }
      target->servers_.push_back(std::make_unique<ServerProcess>(address));
      if (!target->servers_.back()->ready())
        return absl::UnavailableError("no server at " + address);
    }
    if (transport == "unix") {
      grpc::ChannelArguments arguments;
      arguments.SetLoadBalancingPolicyName("round_robin");
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      const auto channel = grpc::CreateCustomChannel(
          "unix:" + absl::StrJoin(paths, ","),
          grpc::InsecureChannelCredentials(), arguments);
      if (!channel->WaitForConnected(std::chrono::system_clock::now() +
                                     std::chrono::seconds(5)))
        return absl::UnavailableError("gRPC does not connect");
      target->stub_ = Echo::NewStub(channel);
    } else {
      target->stub_ = Echo::NewStub(
          CreateChannel(transport == "shm" ? "shm:" + name : target->mailbox_));
    }
    return target;
  }
  ~Target() {
    stub_.reset();
    servers_.clear();
    if (!mailbox_.empty()) Mailbox::Destroy(mailbox_).IgnoreError();
  }

  Echo::Stub* stub() { return stub_.get(); }

 private:
  Target() = default;

  std::string mailbox_;
  std::vector<std::unique_ptr<ServerProcess>> servers_;
  std::unique_ptr<Echo::Stub> stub_;
};

void SetPercentiles(std::vector<double>* micros, Measurement* measurement) {
  measurement->set_samples(micros->size());
  measurement->set_p50_us(Percentile(0.5, micros));
  measurement->set_p99_us(Percentile(0.99, micros));
}

absl::StatusOr<Measurement> RunUnary(Target* target, const Timing& timing) {
  const absl::Time start = absl::Now() + timing.warm_up;
  const absl::Time end = start + timing.unary;
  std::vector<double> micros;
  const Payload request;
  Payload reply;
  for (absl::Time now = absl::Now(); now < end;) {
    grpc::ClientContext context;
    const grpc::Status status =
        target->stub()->Unary(&context, request, &reply);
    if (!status.ok()) return absl::UnavailableError(status.error_message());
    const absl::Time after = absl::Now();
    if (now >= start) micros.push_back(absl::ToDoubleMicroseconds(after - now));
    now = after;
  }
  Measurement measurement;
  SetPercentiles(&micros, &measurement);
  measurement.set_per_s(static_cast<double>(micros.size()) /
                        absl::ToDoubleSeconds(timing.unary));
  return measurement;
}

// The open loop's calls that have not been answered, and latencies.
class OpenLoop {
 public:
  explicit OpenLoop(Echo::Stub* stub) : stub_(stub) {}

  void Start(bool is_long, absl::Time due) {
    auto* const call = new OneCall;
    call->is_long = is_long;
    call->due = due;
    const auto micros = static_cast<uint32_t>(
        absl::ToInt64Microseconds(is_long ? kLongWork : kShortWork));
    call->request.set_data(&micros, sizeof(micros));
    {
      absl::MutexLock lock(&mu_);
      ++open_;
    }
    stub_->async()->Unary(
        &call->context, &call->request, &call->reply,
        [this, call](const grpc::Status& status) { OnAnswer(call, status); });
  }

  absl::StatusOr<std::vector<double>> AwaitShortOnes() {
    absl::MutexLock lock(&mu_);
    const auto none = [this] { return open_ == 0; };
    mu_.Await(absl::Condition(&none));
    if (!failure_.ok()) return absl::UnavailableError(failure_.error_message());
    return std::move(micros_);
  }

 private:
  struct OneCall {
    bool is_long;
    absl::Time due;
    grpc::ClientContext context;
    Payload request;
    Payload reply;
  };

  void OnAnswer(OneCall* call, const grpc::Status& status) {
    const absl::Time now = absl::Now();
    absl::MutexLock lock(&mu_);
    if (!status.ok()) failure_ = status;
    if (!call->is_long)
      micros_.push_back(absl::ToDoubleMicroseconds(now - call->due));
    delete call;
    --open_;
  }

  Echo::Stub* const stub_;
  absl::Mutex mu_;
  int open_ = 0;
  std::vector<double> micros_;
  grpc::Status failure_;
};

absl::StatusOr<Measurement> RunBalance(Target* target, const Timing& timing,
                                       uint32_t seed) {
  const absl::Duration mean =
      (1 - kLongShare) * kShortWork + kLongShare * kLongWork;
  const double per_s = kLoad * kServers / absl::ToDoubleSeconds(mean);
  std::mt19937 random(seed);
  std::exponential_distribution<double> gap(per_s);
  std::bernoulli_distribution is_long(kLongShare);
  OpenLoop loop(target->stub());
  const absl::Time end = absl::Now() + timing.balance;
  for (absl::Time due = absl::Now(); due < end;
       due += absl::Seconds(gap(random))) {
    absl::SleepFor(due - absl::Now());
    loop.Start(is_long(random), due);
  }
  absl::StatusOr<std::vector<double>> micros = loop.AwaitShortOnes();
  if (!micros.ok()) return micros.status();
  Measurement measurement;
  SetPercentiles(&*micros, &measurement);
  return measurement;
}

int Run() {
  Timing timing;
  int runs = std::max(1, absl::GetFlag(FLAGS_runs));
  if (absl::GetFlag(FLAGS_quick)) {
    timing = {absl::Milliseconds(20), absl::Milliseconds(50),
              absl::Milliseconds(200)};
    runs = 1;
  }
  const std::vector<std::string> wanted = absl::GetFlag(FLAGS_scenarios);
  const auto wants = [&wanted](const std::string& scenario) {
    return wanted.empty() ||
           std::find(wanted.begin(), wanted.end(), scenario) != wanted.end();
  };
  const TemporaryDirectory directory;
  setenv("GRPC_SHM_DIR", directory.path().c_str(), 1);

  Report report;
  report.environment = DescribeEnvironment();
  report.quick = absl::GetFlag(FLAGS_quick);
  report.rounds = runs;
  const WholeRun whole_run;
  std::map<std::pair<std::string, std::string>, Row> rows;
  bool failed = false;
  for (const std::string scenario : {"unary", "unary_servers", "balance"}) {
    if (!wants(scenario)) continue;
    const bool is_unary = scenario != "balance";
    std::vector<std::string> transports = {"mailbox", "unix"};
    if (is_unary) transports.insert(transports.begin(), "shm");
    for (int run = 0; run < runs; ++run) {
      for (const std::string& transport : transports) {
        const int servers =
            scenario == "unary" || transport == "shm" ? 1 : kServers;
        const auto target = Target::Make(transport, servers, directory.path());
        absl::StatusOr<Measurement> measured =
            absl::UnknownError("not measured");
        if (!target.ok()) {
          measured = target.status();
        } else if (is_unary) {
          measured = RunUnary(target->get(), timing);
        } else {
          // Both have the same calls to serve.
          measured = RunBalance(target->get(), timing, run + 1);
        }
        if (!measured.ok()) {
          report.notes.push_back(absl::StrCat(scenario, " over ", transport,
                                              ": ",
                                              measured.status().ToString()));
          failed = true;
          continue;
        }
        Row& row = rows[{scenario, transport}];
        row.scenario = scenario;
        row.transport = transport;
        row.api = is_unary ? "sync" : "callback";
        row.bytes = is_unary ? 0 : sizeof(uint32_t);
        row.rounds.push_back(*std::move(measured));
      }
    }
    for (const std::string& transport : transports) {
      auto it = rows.find({scenario, transport});
      if (it == rows.end()) continue;
      for (const Figure& figure : Figures())
        it->second.*figure.median = MedianOf(figure, it->second.rounds);
      report.rows.push_back(std::move(it->second));
    }
  }
  whole_run.Describe(&report);
  std::cout << ToTable(report);
  const std::string json = absl::GetFlag(FLAGS_json);
  if (!json.empty() && !(std::ofstream(json) << ToJson(report) << std::flush)) {
    std::cerr << "--json=" << json << " could not be written\n";
    return 1;
  }
  return failed ? 1 : 0;
}

int Main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "Measures calls through a mailbox beside direct ones.");
  absl::ParseCommandLine(argc, argv);
  const std::string serve = absl::GetFlag(FLAGS_serve);
  if (!serve.empty()) return Serve(serve);
  // A quick run shows that it works, in any build.
  const auto why = WhyBuildIsUnfit("//tests/benchmark:mailbox_calls_benchmark");
  if (why.has_value() && !absl::GetFlag(FLAGS_quick)) {
    std::cerr << *why << "\n";
    return 2;
  }
  return Run();
}

}  // namespace
}  // namespace grpc_shm::bench

int main(int argc, char** argv) { return grpc_shm::bench::Main(argc, argv); }
