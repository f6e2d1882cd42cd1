// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/message_class.h"

#include <string>
#include <typeinfo>

#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/message_lite.h"
#include "gtest/gtest.h"
#include "proto/wire.pb.h"
#include "tests/unit/grpc/bodies.pb.h"

namespace operations {

template <typename Message>
struct Operation {
  template <typename Other>
  struct Of {};
};

}  // namespace operations

// What protoc might have named so, but has not.
namespace grpc_shm::wire {

struct Impostor {};

template <typename>
struct CallStartOf {};

}  // namespace grpc_shm::wire

// The names of gRPC's.
namespace grpc::internal {

template <typename Service, typename Request, typename Reply, typename Base>
class RpcMethodHandler {};

template <typename Service, typename Request, typename Reply>
class ServerStreamingHandler {};

template <typename Service, typename Request, typename Reply>
class ClientStreamingHandler {};

}  // namespace grpc::internal

namespace grpc_shm {
namespace {

using operations::Operation;

template <typename Message>
struct Near {};

template <typename Message>
bool Is() {
  return IsOfProtobuf(typeid(Operation<Message>), "9OperationI");
}

TEST(MessageClass, GeneratedOnesAreKnown) {
  ASSERT_EQ(wire::Trailers().ByteSizeLong(), 0u);  // has them linked
  EXPECT_TRUE(Is<google::protobuf::MessageLite>());
  EXPECT_TRUE(Is<google::protobuf::FileDescriptorProto>());
  EXPECT_TRUE(Is<wire::Trailers>());
  EXPECT_TRUE(Is<wire::CallStart>());
}

TEST(MessageClass, WhatCannotBeProvenIsNone) {
  EXPECT_FALSE(Is<int>());
  EXPECT_FALSE(Is<std::string>());
  EXPECT_FALSE(Is<wire::Impostor>());
  EXPECT_FALSE(Is<wire::CallStart*>());
  EXPECT_FALSE(Is<const wire::CallStart>());
  EXPECT_FALSE(Is<wire::CallStartOf<int>>());
  EXPECT_FALSE(Is<Operation<wire::CallStart>::Of<int>>());
  EXPECT_FALSE(IsOfProtobuf(typeid(Operation<wire::CallStart>), "8Another"));
  // The name is abbreviated, since the template is in the same namespace.
  EXPECT_FALSE(IsOfProtobuf(typeid(Near<wire::CallStart>), "4NearI"));
  EXPECT_FALSE(IsOfProtobuf(typeid(int), "9OperationI"));
}

template <typename Service, typename Request>
bool Handles() {
  using google::protobuf::MessageLite;
  using grpc::internal::RpcMethodHandler;
  using grpc::internal::ServerStreamingHandler;
  const bool handles = HandlesProtobuf(
      typeid(RpcMethodHandler<Service, Request, wire::Trailers, MessageLite>));
  EXPECT_EQ(HandlesProtobuf(
                typeid(ServerStreamingHandler<Service, Request, wire::GoAway>)),
            handles);
  return handles;
}

TEST(MessageClass, HandlersOfGeneratedOnesAreKnown) {
  struct Service {};
  EXPECT_TRUE((Handles<int, wire::CallStart>()));
  EXPECT_TRUE((Handles<Service, google::protobuf::FileDescriptorProto>()));
  using Several = void(Operation<int>, wire::Impostor);
  EXPECT_TRUE((Handles<Several, wire::CallStart>()));
}

TEST(MessageClass, OtherHandlersAreNot) {
  EXPECT_FALSE((Handles<wire::CallStart, int>()));
  EXPECT_FALSE((Handles<wire::CallStart, wire::Impostor>()));
  EXPECT_FALSE((Handles<int, wire::CallStartOf<wire::CallStart>>()));
  EXPECT_FALSE((Handles<int, google::protobuf::MessageLite>()));
  using Several = void(int, wire::CallStart, int);
  EXPECT_FALSE((Handles<Several, int>()));
  using grpc::internal::ClientStreamingHandler;
  EXPECT_FALSE(HandlesProtobuf(
      typeid(ClientStreamingHandler<int, wire::CallStart, wire::Trailers>)));
  EXPECT_FALSE(HandlesProtobuf(typeid(Operation<wire::CallStart>)));
}

TEST(MessageClass, HandlersThatRequireFieldsAreNot) {
  ASSERT_TRUE(testing::Bodies().IsInitialized());
  ASSERT_FALSE(testing::Needy().IsInitialized());
  EXPECT_TRUE((Handles<int, testing::Bodies>()));
  EXPECT_FALSE((Handles<int, testing::Needy>()));
}

TEST(MessageClass, AnswersAreTheSameAgain) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(Is<wire::Trailers>());
    EXPECT_FALSE(Is<wire::Impostor>());
    EXPECT_TRUE(Is<wire::CallStart>());
    EXPECT_TRUE(Is<wire::InitialMetadata>());
    EXPECT_TRUE(Is<wire::GoAway>());
    EXPECT_FALSE(Is<int>());
  }
}

}  // namespace
}  // namespace grpc_shm
