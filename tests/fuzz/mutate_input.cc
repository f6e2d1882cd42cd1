// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Structure-aware mutation by reflection: a field is set, cleared, filled with
// an interesting value; an element of a list is added, repeated, removed or
// moved. What is bytes is left to libFuzzer.

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/text_format.h"
#include "tests/fuzz/fuzz_target.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace grpc_shm {
namespace fuzz {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr size_t kMaxBytes = 4096;  // of a field

class Mutator {
 public:
  explicit Mutator(uint32_t seed) : random_(seed) {}

  void Mutate(Message* root) {
    std::vector<std::pair<Message*, const FieldDescriptor*>> places;
    Collect(root, &places);
    const auto [message, field] = places[Below(places.size())];
    if (field->is_repeated()) {
      MutateList(message, field);
    } else {
      MutateField(message, field);
    }
  }

 private:
  uint64_t Below(uint64_t bound) { return random_() % bound; }

  // Every field there is or could be, in this message and those in it.
  void Collect(
      Message* message,
      std::vector<std::pair<Message*, const FieldDescriptor*>>* places) {
    const Reflection* const reflection = message->GetReflection();
    const auto* const descriptor = message->GetDescriptor();
    for (int i = 0; i < descriptor->field_count(); ++i) {
      const FieldDescriptor* const field = descriptor->field(i);
      places->emplace_back(message, field);
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
      if (field->is_repeated()) {
        // Lists are where things happen: more often than all else.
        for (int n = 0; n < 4; ++n) places->emplace_back(message, field);
        const int size = reflection->FieldSize(*message, field);
        for (int j = 0; j < size; ++j) {
          Collect(reflection->MutableRepeatedMessage(message, field, j),
                  places);
        }
      } else if (reflection->HasField(*message, field)) {
        Collect(reflection->MutableMessage(message, field), places);
      }
    }
  }

  void MutateList(Message* message, const FieldDescriptor* field) {
    const Reflection* const reflection = message->GetReflection();
    const int size = reflection->FieldSize(*message, field);
    switch (size == 0 ? 0 : Below(5)) {
      case 0: {  // a new one
        Fill(reflection->AddMessage(message, field));
        Move(message, field, size);
        break;
      }
      case 1:
      case 2: {  // the same again
        const Message& old = reflection->GetRepeatedMessage(
            *message, field, static_cast<int>(Below(size)));
        std::unique_ptr<Message> copy(old.New());
        copy->CopyFrom(old);
        reflection->AddMessage(message, field)->CopyFrom(*copy);
        Move(message, field, size);
        break;
      }
      case 3: {
        Move(message, field, static_cast<int>(Below(size)));
        reflection->RemoveLast(message, field);
        break;
      }
      default:
        reflection->SwapElements(message, field, static_cast<int>(Below(size)),
                                 static_cast<int>(Below(size)));
    }
  }

  // Lets the element that is last have any place.
  void Move(Message* message, const FieldDescriptor* field, int from) {
    const Reflection* const reflection = message->GetReflection();
    const int last = reflection->FieldSize(*message, field) - 1;
    if (from != last) {
      reflection->SwapElements(message, field, from, last);
      return;
    }
    const int to = static_cast<int>(Below(last + 1));
    for (int i = last; i > to; --i)
      reflection->SwapElements(message, field, i, i - 1);
  }

  // Sets a field or two of a message that is new.
  void Fill(Message* message) {
    const auto* const descriptor = message->GetDescriptor();
    if (descriptor->field_count() == 0) return;
    const FieldDescriptor* const field =
        descriptor->field(static_cast<int>(Below(descriptor->field_count())));
    if (!field->is_repeated()) MutateField(message, field);
  }

  void MutateField(Message* message, const FieldDescriptor* field) {
    const Reflection* const reflection = message->GetReflection();
    if (Below(8) == 0) {
      reflection->ClearField(message, field);
      return;
    }
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_BOOL:
        reflection->SetBool(message, field,
                            !reflection->GetBool(*message, field));
        break;
      case FieldDescriptor::CPPTYPE_ENUM:
        reflection->SetEnum(message, field,
                            field->enum_type()->value(static_cast<int>(
                                Below(field->enum_type()->value_count()))));
        break;
      case FieldDescriptor::CPPTYPE_INT32:
        reflection->SetInt32(message, field,
                             static_cast<int32_t>(Number(static_cast<uint64_t>(
                                 reflection->GetInt32(*message, field)))));
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        reflection->SetInt64(message, field,
                             static_cast<int64_t>(Number(static_cast<uint64_t>(
                                 reflection->GetInt64(*message, field)))));
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        reflection->SetUInt32(message, field,
                              static_cast<uint32_t>(Number(
                                  reflection->GetUInt32(*message, field))));
        break;
      case FieldDescriptor::CPPTYPE_UINT64:
        reflection->SetUInt64(message, field,
                              Number(reflection->GetUInt64(*message, field)));
        break;
      case FieldDescriptor::CPPTYPE_STRING: {
        std::string bytes = reflection->GetString(*message, field);
        size_t size = std::min(bytes.size(), kMaxBytes);
        bytes.resize(kMaxBytes);
        size = LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(&bytes[0]), size,
                                kMaxBytes);
        bytes.resize(size);
        reflection->SetString(message, field, bytes);
        break;
      }
      case FieldDescriptor::CPPTYPE_MESSAGE:
        Fill(reflection->MutableMessage(message, field));
        break;
      default:
        break;  // there are no others in our inputs
    }
  }

  uint64_t Number(uint64_t old) {
    switch (Below(6)) {
      case 0:
        return Below(16);
      case 1:
        return old + Below(33) - 16;
      case 2:  // about a power of two
        return (uint64_t{1} << Below(64)) + Below(3) - 1;
      case 3:
        return old ^ (uint64_t{1} << Below(64));
      case 4:
        return Below(size_t{64} << 10);
      default:
        return random_();
    }
  }

  std::mt19937_64 random_;
};

}  // namespace

}  // namespace fuzz
}  // namespace grpc_shm

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size,
                                          size_t max_size, unsigned int seed) {
  const std::unique_ptr<google::protobuf::Message> input =
      grpc_shm::fuzz::NewInput();
  if (!grpc_shm::fuzz::ParseInput(data, size, input.get())) input->Clear();
  grpc_shm::fuzz::Mutator mutator(seed);
  const int changes = 1 + static_cast<int>(seed % 3);
  for (int i = 0; i < changes; ++i) mutator.Mutate(input.get());
  std::string text;
  google::protobuf::TextFormat::PrintToString(*input, &text);
  if (text.size() > max_size) return size;
  std::memcpy(data, text.data(), text.size());
  return text.size();
}
