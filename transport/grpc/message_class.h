// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_MESSAGE_CLASS_H_
#define GRPC_SHM_TRANSPORT_GRPC_MESSAGE_CLASS_H_

#include <typeinfo>

#include "absl/strings/string_view.h"

namespace grpc_shm {

// Whether the only argument of a template is a class of protobuf messages, so
// that an untyped pointer to it is one to a google::protobuf::MessageLite.
//
// `instance` is an instance of the template, and `before` what its name (of the
// Itanium C++ ABI) has before the argument. The argument is MessageLite itself,
// or a class that protoc generated and that is linked into this program: its
// descriptor leads to an object of it, whose type has the same name, so by the
// one-definition rule it is the same class. No for all others: lite and nested
// messages, those whose name is abbreviated since the template's begins alike,
// and whatever is no message of protobuf's.
//
// Any thread. The latest answers are kept for each.
bool IsOfProtobuf(const std::type_info& instance, absl::string_view before);

// Whether a method handler of gRPC's is one for requests that are of such a
// class, so that what it makes of a request is a google::protobuf::Message, and
// makes one of nothing: none of its fields is required. It goes by the names of
// types, as above, which it has demangled.
bool HandlesProtobuf(const std::type_info& handler);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_MESSAGE_CLASS_H_
