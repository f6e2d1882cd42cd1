// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/memory/mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/unit/memory/child_process.h"
#include "transport/base/unique_fd.h"
#include "transport/memory/sealed_memfd.h"

namespace grpc_shm {
namespace {

const size_t kPage = static_cast<size_t>(sysconf(_SC_PAGESIZE));

UniqueFd MemfdOf(size_t bytes) {
  absl::StatusOr<UniqueFd> fd = CreateSealedMemfd("mapping_test", bytes);
  EXPECT_TRUE(fd.ok()) << fd.status();
  return *std::move(fd);
}

int MappingsOfThisProcess() {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  int count = 0;
  while (std::getline(maps, line)) {
    if (line.find("memfd:mapping_test") != std::string::npos) ++count;
  }
  return count;
}

TEST(Mapping, SharesItsBytesWithEveryOtherMappingOfTheFile) {
  const UniqueFd fd = MemfdOf(2 * kPage);
  absl::StatusOr<Mapping> whole = Mapping::MapShared(fd.get(), 0, 2 * kPage);
  ASSERT_TRUE(whole.ok()) << whole.status();
  absl::StatusOr<Mapping> second = Mapping::MapShared(fd.get(), kPage, kPage);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(whole->size(), 2 * kPage);
  EXPECT_EQ(second->size(), kPage);

  second->data()[7] = std::byte{42};
  EXPECT_EQ(whole->data()[kPage + 7], std::byte{42});
  whole->data()[2 * kPage - 1] = std::byte{43};
  EXPECT_EQ(second->data()[kPage - 1], std::byte{43});
}

TEST(Mapping, OutlivesTheDescriptor) {
  UniqueFd fd = MemfdOf(kPage);
  absl::StatusOr<Mapping> mapping = Mapping::MapShared(fd.get(), 0, kPage);
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  fd.reset();
  mapping->data()[0] = std::byte{1};
  EXPECT_EQ(mapping->data()[0], std::byte{1});
}

TEST(Mapping, ShowsTheSameBytesTwiceInARowWhenMirrored) {
  const size_t bytes = 2 * kPage;
  const UniqueFd fd = MemfdOf(kPage + bytes);
  absl::StatusOr<Mapping> ring = Mapping::MapMirrored(fd.get(), kPage, bytes);
  ASSERT_TRUE(ring.ok()) << ring.status();
  EXPECT_EQ(ring->size(), 2 * bytes);

  for (size_t i = 0; i < bytes; ++i) {
    ring->data()[i] = static_cast<std::byte>(i * 31 >> 3);
  }
  EXPECT_EQ(std::memcmp(ring->data(), ring->data() + bytes, bytes), 0);

  const char text[] = "written over the end";
  std::memcpy(ring->data() + bytes - 8, text, sizeof(text));
  EXPECT_STREQ(reinterpret_cast<char*>(ring->data() + bytes - 8), text);
  EXPECT_EQ(std::memcmp(ring->data(), text + 8, sizeof(text) - 8), 0);

  // And the page before it in the file was left alone.
  absl::StatusOr<Mapping> head = Mapping::MapShared(fd.get(), 0, kPage);
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->data()[0], std::byte{0});
}

TEST(Mapping, UnmapsEverythingWhenDestroyed) {
  const UniqueFd fd = MemfdOf(kPage);
  ASSERT_EQ(MappingsOfThisProcess(), 0);
  {
    absl::StatusOr<Mapping> single = Mapping::MapShared(fd.get(), 0, kPage);
    absl::StatusOr<Mapping> mirrored = Mapping::MapMirrored(fd.get(), 0, kPage);
    ASSERT_TRUE(single.ok() && mirrored.ok());
    EXPECT_EQ(MappingsOfThisProcess(), 3);
  }
  EXPECT_EQ(MappingsOfThisProcess(), 0);
}

TEST(Mapping, MovesOwnership) {
  const UniqueFd fd = MemfdOf(kPage);
  absl::StatusOr<Mapping> mapped = Mapping::MapShared(fd.get(), 0, kPage);
  ASSERT_TRUE(mapped.ok()) << mapped.status();
  std::byte* const data = mapped->data();

  Mapping moved(*std::move(mapped));
  EXPECT_EQ(moved.data(), data);
  Mapping assigned;
  EXPECT_EQ(assigned.data(), nullptr);
  assigned = std::move(moved);
  EXPECT_EQ(assigned.data(), data);
  EXPECT_EQ(assigned.size(), kPage);
  EXPECT_EQ(moved.data(), nullptr);
  EXPECT_EQ(MappingsOfThisProcess(), 1);
  assigned = Mapping();
  EXPECT_EQ(MappingsOfThisProcess(), 0);
}

TEST(Mapping, RefusesWhatIsNotWholePages) {
  const UniqueFd fd = MemfdOf(2 * kPage);
  for (auto [offset, bytes] : {std::pair<size_t, size_t>{0, 0},
                               {0, kPage - 1},
                               {1, kPage},
                               {kPage / 2, kPage}}) {
    EXPECT_EQ(Mapping::MapShared(fd.get(), offset, bytes).status().code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(Mapping::MapMirrored(fd.get(), offset, bytes).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(Mapping, RefusesWhatLiesOutsideTheFile) {
  const UniqueFd fd = MemfdOf(2 * kPage);
  const size_t most = ~size_t{0} / kPage * kPage;
  for (auto [offset, bytes] : {std::pair<size_t, size_t>{0, 3 * kPage},
                               {kPage, 2 * kPage},
                               {2 * kPage, kPage},
                               {kPage, most},
                               {most, kPage}}) {
    EXPECT_EQ(Mapping::MapShared(fd.get(), offset, bytes).status().code(),
              absl::StatusCode::kInvalidArgument)
        << offset << " " << bytes;
    EXPECT_EQ(Mapping::MapMirrored(fd.get(), offset, bytes).status().code(),
              absl::StatusCode::kInvalidArgument)
        << offset << " " << bytes;
  }
}

TEST(Mapping, LeavesNothingBehindWhenTheSecondStepOfAMirrorFails) {
  const UniqueFd fd = MemfdOf(kPage);
  const UniqueFd read_only(open(
      absl::StrCat("/proc/self/fd/", fd.get()).c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(read_only.valid());
  // The range for both halves is reserved by then; all of it must be gone.
  const auto address_space = [] {
    std::ifstream statm("/proc/self/statm");
    size_t pages = 0;
    statm >> pages;
    return pages;
  };
  (void)Mapping::MapMirrored(read_only.get(), 0, kPage);  // Allocates its own.
  const size_t before = address_space();
  EXPECT_EQ(Mapping::MapMirrored(read_only.get(), 0, kPage).status().code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(address_space(), before);
}

TEST(Mapping, SaysThatTheAddressSpaceIsTooSmall) {
  UniqueFd fd(memfd_create("sparse", MFD_CLOEXEC));
  const size_t bytes = size_t{1} << 50;
  ASSERT_EQ(ftruncate(fd.get(), static_cast<off_t>(bytes)), 0);
  EXPECT_EQ(Mapping::MapShared(fd.get(), 0, bytes).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Mapping::MapMirrored(fd.get(), 0, bytes).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(Mapping, SaysThatTheProcessMayNotMapMore) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers need an address space without a limit";
#endif
  const size_t bytes = size_t{64} << 20;
  UniqueFd fd(memfd_create("sparse", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(fd.get(), static_cast<off_t>(bytes)), 0);
  const auto code = [&](auto map) {
    return CodeInChild([&]() -> absl::Status {
      size_t pages = 0;
      std::ifstream("/proc/self/statm") >> pages;
      // Enough for one mapping, not for two.
      absl::Status lowered =
          LowerLimit(RLIMIT_AS, pages * kPage + bytes + bytes / 2);
      if (!lowered.ok()) return lowered;
      return map().status();
    });
  };
  EXPECT_EQ(code([&] { return Mapping::MapShared(fd.get(), 0, bytes); }),
            absl::StatusCode::kOk);
  EXPECT_EQ(code([&] { return Mapping::MapMirrored(fd.get(), 0, bytes); }),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace grpc_shm
