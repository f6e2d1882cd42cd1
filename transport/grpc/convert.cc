// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/convert.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>

#include <utility>

#include "absl/strings/match.h"
#include "transport/call/message_block.h"

namespace grpc_shm {
namespace {

// Messages up to this size are copied into a slice of gRPC's own, which is
// cheaper than one around a block.
constexpr size_t kCopiedBytes = 128;

// A compression wish of the application: for the compressing layers of a
// network transport, which strip it.
constexpr absl::string_view kCompressionRequest =
    "grpc-internal-encoding-request";

bool StaysHere(absl::string_view key) {
  return absl::StartsWith(key, kReservedKeyPrefix) ||
         key == kCompressionRequest;
}

// With the value that is apart between what is before and behind it.
grpc_byte_buffer* InParts(ReceivedMessage message) {
  const WireBody body = message.body();
  const size_t beside = message.size() - body.size;
  auto* const value = new std::string(message.ReleaseBody());
  grpc_slice block =
      grpc_slice_new(message.Release(), beside, &MessageBlock::Free);
  grpc_slice slices[] = {
      grpc_slice_sub(block, 0, body.value),
      grpc_slice_new_with_user_data(
          &(*value)[0], value->size(),
          [](void* user_data) { delete static_cast<std::string*>(user_data); },
          value),
      grpc_slice_sub(block, body.value, beside)};
  grpc_byte_buffer* const buffer = grpc_raw_byte_buffer_create(slices, 3);
  for (grpc_slice& slice : slices) grpc_slice_unref(slice);
  grpc_slice_unref(block);
  return buffer;
}

}  // namespace

absl::Duration TimeLeft(gpr_timespec deadline) {
  if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0)
    return absl::InfiniteDuration();
  const gpr_timespec left =
      gpr_time_sub(gpr_convert_clock_type(deadline, GPR_CLOCK_MONOTONIC),
                   gpr_now(GPR_CLOCK_MONOTONIC));
  return absl::Seconds(left.tv_sec) + absl::Nanoseconds(left.tv_nsec);
}

SpinPolicy ToSpinPolicy(int64_t wait_policy) {
  if (wait_policy <= 0) return SpinPolicy::kNever;
  return wait_policy == 1 ? SpinPolicy::kAdaptive : SpinPolicy::kBusy;
}

OutgoingMessage ToOutgoing(grpc_byte_buffer* buffer) {
  absl::InlinedVector<OutgoingMessage::Piece, 2> pieces;
  grpc_byte_buffer_reader reader;
  grpc_byte_buffer_reader_init(&reader, buffer);
  grpc_slice* slice;
  while (grpc_byte_buffer_reader_peek(&reader, &slice) != 0) {
    if (GRPC_SLICE_LENGTH(*slice) == 0) continue;
    pieces.emplace_back(
        reinterpret_cast<const std::byte*>(GRPC_SLICE_START_PTR(*slice)),
        GRPC_SLICE_LENGTH(*slice));
  }
  grpc_byte_buffer_reader_destroy(&reader);
  return OutgoingMessage(
      std::move(pieces), OutgoingMessage::Owner(buffer, [](void* owner) {
        grpc_byte_buffer_destroy(static_cast<grpc_byte_buffer*>(owner));
      }));
}

grpc_byte_buffer* ToByteBuffer(ReceivedMessage message) {
  if (message.has_body()) return InParts(std::move(message));
  const size_t bytes = message.size();
  grpc_slice slice;
  if (bytes <= kCopiedBytes) {
    slice = grpc_slice_from_copied_buffer(
        reinterpret_cast<const char*>(message.data()), bytes);
  } else {
    std::byte* const block = message.Release();
    slice = grpc_slice_new(block, bytes, &MessageBlock::Free);
  }
  grpc_byte_buffer* const buffer = grpc_raw_byte_buffer_create(&slice, 1);
  grpc_slice_unref(slice);
  return buffer;
}

void ToWire(const grpc_metadata_array& from,
            google::protobuf::RepeatedPtrField<wire::Metadatum>* to) {
  to->Reserve(to->size() + static_cast<int>(from.count));
  for (size_t i = 0; i < from.count; ++i) {
    const absl::string_view key = View(from.metadata[i].key);
    if (StaysHere(key)) continue;
    const absl::string_view value = View(from.metadata[i].value);
    wire::Metadatum* const field = to->Add();
    field->set_key(key.data(), key.size());
    field->set_value(value.data(), value.size());
  }
}

void ToWire(const std::multimap<std::string, std::string>& from,
            google::protobuf::RepeatedPtrField<wire::Metadatum>* to) {
  for (const auto& [key, value] : from) {
    if (StaysHere(key)) continue;
    wire::Metadatum* const field = to->Add();
    field->set_key(key);
    field->set_value(value);
  }
}

bool IsUserMetadata(const std::string& key, const std::string& value) {
  if (StaysHere(key)) return false;
  const grpc_slice key_slice =
      grpc_slice_from_static_buffer(key.data(), key.size());
  const grpc_slice value_slice =
      grpc_slice_from_static_buffer(value.data(), value.size());
  return grpc_header_key_is_legal(key_slice) != 0 &&
         (grpc_is_binary_header(key_slice) != 0 ||
          grpc_header_nonbin_value_is_legal(value_slice) != 0);
}

void MetadataSlices::Assign(
    const google::protobuf::RepeatedPtrField<wire::Metadatum>& from) {
  Clear();
  entries_.reserve(static_cast<size_t>(from.size()));
  for (const wire::Metadatum& field : from) {
    if (!StaysHere(field.key())) Append(field.key(), field.value());
  }
}

void MetadataSlices::Append(absl::string_view key, absl::string_view value) {
  grpc_metadata entry{};
  entry.key = ToSlice(key);
  entry.value = ToSlice(value);
  if (grpc_header_key_is_legal(entry.key) == 0 ||
      (grpc_is_binary_header(entry.key) == 0 &&
       grpc_header_nonbin_value_is_legal(entry.value) == 0)) {
    grpc_slice_unref(entry.key);
    grpc_slice_unref(entry.value);
    return;
  }
  entries_.push_back(entry);
}

void MetadataSlices::Clear() {
  for (grpc_metadata& entry : entries_) {
    grpc_slice_unref(entry.key);
    grpc_slice_unref(entry.value);
  }
  entries_.clear();
}

absl::Status MoreThanOneAnswer() {
  return absl::UnimplementedError(
      "the server sent more than the one answer that the method has");
}

grpc_status_code ToStatusCode(int code) {
  return code >= GRPC_STATUS_OK && code <= GRPC_STATUS_UNAUTHENTICATED
             ? static_cast<grpc_status_code>(code)
             : GRPC_STATUS_UNKNOWN;
}

}  // namespace grpc_shm
