// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_SCRIPT_REACTOR_H_
#define GRPC_SHM_TESTS_INTEGRATION_SCRIPT_REACTOR_H_

#include "absl/synchronization/notification.h"
#include "tests/integration/script_runner.h"
#include "tests/integration/worker_pool.h"

namespace grpc_shm {
namespace testing {

// What the reactors of callback services share. `Base` is one of gRPC's server
// reactors; the reactions below override those that it has. A worker thread
// runs the script and waits for reactions, which themselves never block.
// Deletes itself when gRPC is done with it.
template <class Base>
class ScriptReactor : public Base {
 public:
  ScriptReactor(CallKind kind, grpc::CallbackServerContext* context,
                Observer* observer)
      : context_(context), observer_(observer) {
    call_.kind = kind;
    call_.context = context;
    call_.wait_for_cancellation = [this] { cancelled_.WaitForNotification(); };
    call_.send_initial_metadata = [this] {
      this->StartSendInitialMetadata();
      return initial_metadata_.Wait();
    };
  }

  void OnSendInitialMetadataDone(bool ok) override {
    initial_metadata_.Complete(ok);
  }
  void OnReadDone(bool ok) { read_.Complete(ok); }
  void OnWriteDone(bool ok) { write_.Complete(ok); }
  void OnCancel() override {
    observer_->Note(ScriptKey(*context_), "cancelled");
    cancelled_.Notify();
  }
  void OnDone() override { delete this; }

 protected:
  // Runs the script; finishes the call. Not to be touched afterwards.
  void RunAndFinish() { this->Finish(RunScript(call_, *observer_)); }

  ServerCall call_;
  PendingOp initial_metadata_;
  PendingOp read_;
  PendingOp write_;

 private:
  grpc::CallbackServerContext* const context_;
  Observer* const observer_;
  absl::Notification cancelled_;
};

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_SCRIPT_REACTOR_H_
