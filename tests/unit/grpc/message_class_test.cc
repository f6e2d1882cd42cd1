// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/message_class.h"

#include <string>
#include <typeinfo>

#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/message_lite.h"
#include "gtest/gtest.h"
#include "proto/wire.pb.h"

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
