// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/received_body.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/stubs/common.h"
#include "google/protobuf/wire_format_lite.h"
#include "transport/call/message_block.h"
#include "transport/grpc/convert.h"

namespace grpc_shm {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

// A part of a message, at its beginning or end.
struct Part {
  const std::byte* data;
  size_t size;

  CodedInputStream Stream() const {
    return CodedInputStream(reinterpret_cast<const uint8_t*>(data),
                            static_cast<int>(size));
  }
};

bool Merge(const Part& part, Message* message) {
  CodedInputStream stream = part.Stream();
  return message->MergePartialFromCodedStream(&stream) &&
         stream.ConsumedEntireMessage();
}

// Whether a field takes that value as it is.
bool MayTake(const FieldDescriptor& field, const std::string& value) {
  switch (field.type()) {
    case FieldDescriptor::TYPE_BYTES:
      return true;
    case FieldDescriptor::TYPE_STRING:
      return google::protobuf::internal::IsStructurallyValidUTF8(
          value.data(), static_cast<int>(value.size()));
    default:
      return false;
  }
}

// Whether the part may say something about that field, too.
bool Mentions(const Part& part, int field) {
  CodedInputStream stream = part.Stream();
  while (const uint32_t tag = stream.ReadTag()) {
    if (WireFormatLite::GetTagFieldNumber(tag) == field ||
        !WireFormatLite::SkipField(&stream, tag))
      return true;
  }
  return !stream.ConsumedEntireMessage();
}

}  // namespace

bool TakeBody(ReceivedMessage* received, Message* message) {
  const WireBody body = received->body();
  const FieldDescriptor* const field =
      message->GetDescriptor()->FindFieldByNumber(static_cast<int>(body.field));
  if (field == nullptr || !MayTake(*field, received->body_value()))
    return false;
  const Part before{received->data(), body.tag};
  const Part behind{received->data() + body.value,
                    received->size() - body.value - body.size};
  // The last one counts. So it does of the fields of a oneof.
  if (!field->is_repeated() && behind.size > 0 &&
      (field->containing_oneof() != nullptr ||
       Mentions(behind, field->number())))
    return false;

  // Whatever may be wrong is found with an empty value in its place.
  const Reflection* const reflection = message->GetReflection();
  message->Clear();
  if (!Merge(before, message)) return false;
  int index = 0;
  if (field->is_repeated()) {
    index = reflection->FieldSize(*message, field);
    reflection->AddString(message, field, std::string());
  } else {
    reflection->SetString(message, field, std::string());
  }
  if (!Merge(behind, message) || !message->IsInitialized()) return false;
  std::string value = received->ReleaseBody();
  if (field->is_repeated()) {
    reflection->SetRepeatedString(message, field, index, std::move(value));
    return true;
  }
  // A message that is used again has a string from last time, which is large.
  std::string none;
  std::string& last = const_cast<std::string&>(
      reflection->GetStringReference(*message, field, &none));
  if (&last != &none && last.capacity() >= kMinWireBody) {
    last.swap(value);
    MessageBlock::KeepString(std::move(value));
  } else {
    reflection->SetString(message, field, std::move(value));
  }
  return true;
}

void GiveReceived(ReceivedMessage received, const TakenOperations& operations,
                  Session* session) {
  if (received.size() >= kMinWireBody) {
    Message* const message = operations.ReceivedProtobuf();
    session->WantBodies(message != nullptr);
    if (message != nullptr && received.has_body() &&
        TakeBody(&received, message))
      return;
  }
  operations.GiveMessage(ToByteBuffer(std::move(received)));
}

}  // namespace grpc_shm
