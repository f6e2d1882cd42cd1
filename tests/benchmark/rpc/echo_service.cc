// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/echo_service.h"

#include <cstdint>

#include "tests/benchmark/rpc/payload.h"

namespace grpc_shm::bench {

grpc::Status EchoService::Unary(grpc::ServerContext* /*context*/,
                                const Payload* request, Payload* reply) {
  reply->set_data(request->data());
  return grpc::Status::OK;
}

grpc::Status EchoService::PingPong(
    grpc::ServerContext* /*context*/,
    grpc::ServerReaderWriter<Payload, Payload>* stream) {
  Payload message;
  while (stream->Read(&message)) {
    if (!stream->Write(message)) break;
  }
  return grpc::Status::OK;
}

grpc::Status EchoService::Download(grpc::ServerContext* /*context*/,
                                   const DownloadRequest* request,
                                   grpc::ServerWriter<Payload>* writer) {
  const PayloadPattern pattern(request->bytes());
  Payload message;
  for (uint64_t sequence = 0; sequence < request->count(); ++sequence) {
    pattern.Write(sequence, message.mutable_data());
    if (!writer->Write(message))
      return grpc::Status(grpc::StatusCode::CANCELLED, "the client went away");
  }
  return grpc::Status::OK;
}

}  // namespace grpc_shm::bench
