// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_CLIENT_REACTOR_H_
#define GRPC_SHM_TESTS_INTEGRATION_CLIENT_REACTOR_H_

#include "tests/integration/client_call.h"
#include "tests/integration/worker_pool.h"

namespace grpc_shm {
namespace testing {

// A client reactor whose operations can be waited for. `Base` is one of gRPC's
// client reactors; the reactions below override those that it has.
template <class Base>
class WaitingReactor : public Base {
 public:
  void OnReadInitialMetadataDone(bool ok) override {
    initial_metadata_.Complete(ok);
  }
  void OnReadDone(bool ok) { read_.Complete(ok); }
  void OnWriteDone(bool ok) { write_.Complete(ok); }
  void OnWritesDoneDone(bool ok) { writes_done_.Complete(ok); }
  void OnDone(const grpc::Status& status) override {
    status_ = status;
    done_.Complete(true);
  }

  bool WaitForInitialMetadata() { return initial_metadata_.Wait(); }
  bool WaitForRead() { return read_.Wait(); }
  bool WaitForWrite() { return write_.Wait(); }
  bool WaitForWritesDone() { return writes_done_.Wait(); }
  grpc::Status WaitForEnd() {
    done_.Wait();
    return status_;
  }

 private:
  PendingOp initial_metadata_;
  PendingOp read_;
  PendingOp write_;
  PendingOp writes_done_;
  PendingOp done_;
  grpc::Status status_;
};

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_CLIENT_REACTOR_H_
