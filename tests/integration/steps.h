// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_STEPS_H_
#define GRPC_SHM_TESTS_INTEGRATION_STEPS_H_

#include <initializer_list>
#include <string>

#include "grpcpp/support/status.h"
#include "tests/integration/echo.pb.h"

namespace grpc_shm {
namespace testing {

// What a test tells the server to do with a call: MakeScript("key", {ReadAll(),
// WaitForGate("gate"), Summarize()}). See echo.proto.

inline Step SendInitialMetadata() {
  Step step;
  step.set_send_initial_metadata(true);
  return step;
}

inline Step Read(uint32_t messages) {
  Step step;
  step.set_read(messages);
  return step;
}

inline Step ReadAll() {
  Step step;
  step.set_read_all(true);
  return step;
}

inline Step WritePattern(uint64_t bytes, uint32_t seed) {
  Step step;
  step.mutable_write()->set_bytes(bytes);
  step.mutable_write()->set_seed(seed);
  return step;
}

inline Step EchoAll() {
  Step step;
  step.set_echo_all(true);
  return step;
}

inline Step Summarize() {
  Step step;
  step.set_summarize(true);
  return step;
}

inline Step ReportContext() {
  Step step;
  step.set_report_context(true);
  return step;
}

inline Step WaitForGate(const std::string& gate) {
  Step step;
  step.set_wait_for_gate(gate);
  return step;
}

inline Step HoldAtGate(const std::string& gate) {
  Step step;
  step.set_hold_at_gate(gate);
  return step;
}

inline Step WaitForCancellation() {
  Step step;
  step.set_wait_for_cancellation(true);
  return step;
}

inline Step CancelCall() {
  Step step;
  step.set_cancel(true);
  return step;
}

inline Step FinishWith(grpc::StatusCode code, const std::string& message = "",
                       const std::string& details = "") {
  Step step;
  step.mutable_finish()->set_code(code);
  step.mutable_finish()->set_message(message);
  step.mutable_finish()->set_details(details);
  return step;
}

inline Step WriteUntilFailure(uint32_t bytes) {
  Step step;
  step.set_write_until_failure(bytes);
  return step;
}

inline Script MakeScript(const std::string& key,
                         std::initializer_list<Step> steps = {}) {
  Script script;
  script.set_key(key);
  for (const Step& step : steps) *script.add_steps() = step;
  return script;
}

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_STEPS_H_
