// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/script_runner.h"

#include <chrono>
#include <cstdint>
#include <limits>

#include "tests/integration/payload.h"
#include "tests/integration/peer_report.h"

namespace grpc_shm {
namespace testing {
namespace {

constexpr char kScriptHeader[] = "script-bin";

bool FindScript(const grpc::ServerContextBase& context, Script* script) {
  const auto found = context.client_metadata().find(kScriptHeader);
  if (found == context.client_metadata().end()) return false;
  return script->ParseFromArray(found->second.data(), found->second.size());
}

std::string ValueOf(const Metadatum& metadatum) {
  return metadatum.pattern_bytes() == 0
             ? metadatum.value()
             : MakePayload(metadatum.pattern_bytes(), 1);
}

ContextReport ReportContext(const grpc::ServerContextBase& context) {
  ContextReport report;
  for (const auto& [key, value] : context.client_metadata()) {
    if (key == kScriptHeader) continue;
    Metadatum* metadatum = report.add_client_metadata();
    metadatum->set_key(key.data(), key.size());
    metadatum->set_value(value.data(), value.size());
  }
  const auto deadline = context.deadline();
  report.set_deadline_unix_ns(
      deadline == std::chrono::system_clock::time_point::max()
          ? std::numeric_limits<int64_t>::max()
          : std::chrono::duration_cast<std::chrono::nanoseconds>(
                deadline.time_since_epoch())
                .count());
  report.set_peer(context.peer());
  const grpc::string_ref authority = context.ExperimentalGetAuthority();
  report.set_authority(authority.data(), authority.size());
  ReportPeerIdentity(context, &report);
  return report;
}

// Runs the steps of one script.
class Runner {
 public:
  Runner(const ServerCall& call, Observer& observer, std::string key)
      : call_(call), observer_(observer), key_(std::move(key)) {}

  // False: the script ends here, with status().
  bool Run(const Step& step);
  void RunDefault();
  const grpc::Status& status() const { return status_; }

 private:
  bool Read(EchoRequest* request) {
    if (!call_.read(request)) return false;
    ++summary_messages_;
    summary_bytes_ += request->payload().size();
    observer_.Note(key_, "read");
    return true;
  }

  bool Write(const EchoReply& reply) {
    if (!call_.write(reply)) return false;
    observer_.Note(key_, "written");
    return true;
  }

  void EchoAll() {
    EchoRequest request;
    EchoReply reply;
    while (Read(&request)) {
      reply.set_payload(std::move(*request.mutable_payload()));
      if (!Write(reply)) return;
    }
  }

  void ReadAll() {
    EchoRequest request;
    while (Read(&request)) {
    }
  }

  bool WritePattern(uint64_t bytes, uint32_t seed) {
    EchoReply reply;
    reply.set_payload(MakePayload(bytes, seed));
    return Write(reply);
  }

  void Summarize() {
    EchoReply reply;
    reply.mutable_summary()->set_messages(summary_messages_);
    reply.mutable_summary()->set_bytes(summary_bytes_);
    Write(reply);
  }

  const ServerCall& call_;
  Observer& observer_;
  const std::string key_;
  uint64_t summary_messages_ = 0;
  uint64_t summary_bytes_ = 0;
  grpc::Status status_;
};

bool Runner::Run(const Step& step) {
  switch (step.action_case()) {
    case Step::kSendInitialMetadata:
      call_.send_initial_metadata();
      return true;
    case Step::kRead: {
      EchoRequest request;
      for (uint32_t i = 0; i < step.read(); ++i) {
        if (!Read(&request)) break;
      }
      return true;
    }
    case Step::kReadAll:
      ReadAll();
      return true;
    case Step::kWrite:
      WritePattern(step.write().bytes(), step.write().seed());
      return true;
    case Step::kEchoAll:
      EchoAll();
      return true;
    case Step::kSummarize:
      Summarize();
      return true;
    case Step::kReportContext: {
      EchoReply reply;
      *reply.mutable_context() = ReportContext(*call_.context);
      Write(reply);
      return true;
    }
    case Step::kWaitForGate:
      observer_.AwaitGate(step.wait_for_gate(),
                          [this] { return call_.context->IsCancelled(); });
      return true;
    case Step::kWaitForCancellation:
      call_.wait_for_cancellation();
      return true;
    case Step::kHoldAtGate:
      observer_.AwaitGate(step.hold_at_gate(), [] { return false; });
      return true;
    case Step::kCancel:
      observer_.Note(key_, "cancelling");
      call_.context->TryCancel();
      return true;
    case Step::kFinish:
      status_ =
          grpc::Status(static_cast<grpc::StatusCode>(step.finish().code()),
                       step.finish().message(), step.finish().details());
      return false;
    case Step::kWriteUntilFailure:
      for (uint32_t seed = 0;; ++seed) {
        if (!WritePattern(step.write_until_failure(), seed)) return true;
      }
    case Step::ACTION_NOT_SET:
      break;
  }
  status_ = grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                         "a script step without an action");
  return false;
}

void Runner::RunDefault() {
  switch (call_.kind) {
    case UNARY:
    case BIDI:
      EchoAll();
      return;
    case CLIENT_STREAM:
      ReadAll();
      Summarize();
      return;
    case SERVER_STREAM: {
      EchoRequest request;
      Read(&request);
      for (int i = 0; i < request.reply_bytes_size(); ++i) {
        if (!WritePattern(request.reply_bytes(i), i)) return;
      }
      return;
    }
    default:
      return;
  }
}

}  // namespace

std::string ScriptKey(const grpc::ServerContextBase& context) {
  Script script;
  return FindScript(context, &script) ? script.key() : "";
}

grpc::Status RunScript(const ServerCall& call, Observer& observer) {
  Script script;
  const bool scripted = FindScript(*call.context, &script);
  for (const Metadatum& metadatum : script.initial_metadata()) {
    call.context->AddInitialMetadata(metadatum.key(), ValueOf(metadatum));
  }
  for (const Metadatum& metadatum : script.trailing_metadata()) {
    call.context->AddTrailingMetadata(metadatum.key(), ValueOf(metadatum));
  }
  if (script.compression_level() != 0) {
    call.context->set_compression_level(
        static_cast<grpc_compression_level>(script.compression_level()));
  }
  observer.Note(script.key(), "started");
  Runner runner(call, observer, script.key());
  if (!scripted || script.steps().empty()) {
    runner.RunDefault();
  } else {
    for (const Step& step : script.steps()) {
      if (!runner.Run(step)) break;
    }
  }
  observer.Note(script.key(), "finished");
  return runner.status();
}

}  // namespace testing
}  // namespace grpc_shm
