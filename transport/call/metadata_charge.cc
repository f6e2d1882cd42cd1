// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/call/metadata_charge.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <cstdint>

namespace grpc_shm {
namespace {

using google::protobuf::io::CodedInputStream;

// Of protobuf's encoding: the lower three bits of a field's tag.
enum WireType : uint32_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,
  kGroupBegin = 3,
  kGroupEnd = 4,
  kFixed32 = 5,
};

constexpr uint32_t BytesTag(int number) {
  return static_cast<uint32_t>(number) << 3 | kBytes;
}

// What a message of wire.proto has besides numbers. Tags; 0: nothing.
struct Shape {
  uint32_t strings[2];
  uint32_t metadata;
};

Shape ShapeOf(const wire::CallStart*) {
  return {{BytesTag(wire::CallStart::kMethodFieldNumber),
           BytesTag(wire::CallStart::kAuthorityFieldNumber)},
          BytesTag(wire::CallStart::kMetadataFieldNumber)};
}
Shape ShapeOf(const wire::InitialMetadata*) {
  return {{0, 0}, BytesTag(wire::InitialMetadata::kMetadataFieldNumber)};
}
Shape ShapeOf(const wire::Trailers*) {
  return {{BytesTag(wire::Trailers::kMessageFieldNumber), 0},
          BytesTag(wire::Trailers::kMetadataFieldNumber)};
}
Shape ShapeOf(const wire::GoAway*) {
  return {{BytesTag(wire::GoAway::kMessageFieldNumber), 0}, 0};
}
Shape ShapeOf(const wire::Metadatum*) {
  return {{BytesTag(wire::Metadatum::kKeyFieldNumber),
           BytesTag(wire::Metadatum::kValueFieldNumber)},
          0};
}

// `counts_strings`: in metadata, where they are what is counted.
size_t Charge(CodedInputStream* input, const Shape& shape, size_t enough,
              bool counts_strings) {
  size_t charge = 0;
  while (charge < enough) {
    const uint32_t tag = input->ReadTag();
    if (tag == 0) break;
    uint64_t number;
    uint32_t bytes;
    bool ok = true;
    switch (tag & 7) {
      case kVarint:
        ok = input->ReadVarint64(&number);
        break;
      case kFixed64:
        ok = input->Skip(8);
        break;
      case kFixed32:
        ok = input->Skip(4);
        break;
      case kBytes:
        if (!input->ReadVarint32(&bytes)) return charge;
        if (tag == shape.metadata) {
          charge += kMetadatumCharge;
          const CodedInputStream::Limit limit =
              input->PushLimit(static_cast<int>(bytes));
          charge +=
              Charge(input, ShapeOf(static_cast<wire::Metadatum*>(nullptr)),
                     enough - std::min(charge, enough),
                     /*counts_strings=*/true);
          ok = input->BytesUntilLimit() == 0;
          input->PopLimit(limit);
          break;
        }
        ok = input->Skip(static_cast<int>(bytes));
        if (!ok) break;
        if (tag != shape.strings[0] && tag != shape.strings[1]) {
          charge += kMetadatumCharge + bytes;
        } else if (counts_strings) {
          charge += bytes;
        }
        break;
      case kGroupBegin:
        charge += kMetadatumCharge;
        break;
      case kGroupEnd:
        break;
      default:
        ok = false;
    }
    if (!ok) break;
  }
  return charge;
}

}  // namespace

template <typename Message>
size_t MetadataCharge(absl::string_view payload, size_t enough) {
  CodedInputStream input(reinterpret_cast<const uint8_t*>(payload.data()),
                         static_cast<int>(payload.size()));
  return Charge(&input, ShapeOf(static_cast<Message*>(nullptr)), enough,
                /*counts_strings=*/false);
}

template size_t MetadataCharge<wire::CallStart>(absl::string_view, size_t);
template size_t MetadataCharge<wire::InitialMetadata>(absl::string_view,
                                                      size_t);
template size_t MetadataCharge<wire::Trailers>(absl::string_view, size_t);
template size_t MetadataCharge<wire::GoAway>(absl::string_view, size_t);

}  // namespace grpc_shm
