// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/mailbox/mailbox_segment.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "transport/mailbox/process_identity.h"
#include "transport/mailbox/wake_everybody.h"
#include "transport/mailbox/words.h"

namespace grpc_shm {
namespace {

absl::Status NotDone(int error, absl::string_view what,
                     const MailboxDirectory& directory,
                     absl::string_view name) {
  return absl::ErrnoToStatus(error,
                             absl::StrCat(what, " ", directory.Path(name)));
}

// Without reserved pages the first touch of one, much later and in any process,
// could fail, and a page fault has no way to fail but SIGBUS.
int Reserve(int fd, size_t bytes) {
  int error;
  do {
    error = posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  } while (error == EINTR);
  return error;
}

// All blocks are free, in their order. Nobody else sees the segment yet.
void FillQueue(MailboxControl& control, const MailboxGeometry& g,
               std::atomic<uint64_t>* cells, BlockEntry* entries) {
  const BlockKind kind = g.unbounded() ? BlockKind::kBare : BlockKind::kFree;
  constexpr auto kRelaxed = std::memory_order_relaxed;
  for (uint32_t i = 0; i < g.blocks; ++i) {
    cells[i].store(Cell{0, i + 1}.Pack(), kRelaxed);
    entries[i].state.store(BlockState{kind, {}, i}.Pack(), kRelaxed);
  }
  (g.unbounded() ? control.bare_blocks : control.free_blocks)
      .tail.store(g.blocks, kRelaxed);
}

bool IsDestroyed(const MailboxControl& control) {
  return control.state.destroyed.load(std::memory_order_acquire) != 0;
}

// The header of what may be a mailbox, if it is long enough.
absl::StatusOr<Mapping> MapControl(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) return absl::ErrnoToStatus(errno, "fstat");
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t bytes = (sizeof(MailboxControl) + page - 1) / page * page;
  if (!S_ISREG(info.st_mode) || info.st_size < static_cast<off_t>(bytes)) {
    return absl::FailedPreconditionError(
        "not a mailbox: the segment is something else, or damaged");
  }
  return Mapping::MapShared(fd, 0, bytes);
}

bool HoldsMailbox(const MailboxControl& control) {
  return control.header.magic.load(std::memory_order_acquire) ==
             kMailboxMagic &&
         control.header.version.load(std::memory_order_relaxed) ==
             kMailboxLayoutVersion;
}

UniqueFd OpenFile(const MailboxDirectory& directory, absl::string_view name) {
  return UniqueFd(openat(directory.fd(), std::string(name).c_str(),
                         O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
}

// A name whose owner was killed while destroying it.
bool IsLeftOver(const MailboxDirectory& directory, absl::string_view name) {
  UniqueFd fd = OpenFile(directory, name);
  if (!fd.valid()) return false;
  absl::StatusOr<Mapping> mapping = MapControl(fd.get());
  if (!mapping.ok()) return false;
  const auto& control = *reinterpret_cast<MailboxControl*>(mapping->data());
  return HoldsMailbox(control) && IsDestroyed(control);
}

absl::Status GiveName(int fd, const MailboxDirectory& directory,
                      absl::string_view name) {
  const std::string file(name);
  const std::string self = absl::StrCat("/proc/self/fd/", fd);
  const auto link = [&] {
    return linkat(AT_FDCWD, self.c_str(), directory.fd(), file.c_str(),
                  AT_SYMLINK_FOLLOW) == 0;
  };
  MailboxDirectory::Lock lock(directory);
  if (link()) return absl::OkStatus();
  if (errno == EEXIST && IsLeftOver(directory, name)) {
    unlinkat(directory.fd(), file.c_str(), 0);
    if (link()) return absl::OkStatus();
  }
  if (errno == EEXIST) {
    return absl::AlreadyExistsError(
        absl::StrCat("mailbox:", name, " exists already"));
  }
  return NotDone(errno, "giving its name to", directory, name);
}

}  // namespace

absl::StatusOr<MailboxSegment> MailboxSegment::Create(
    const MailboxDirectory& directory, absl::string_view name,
    const MailboxGeometry& g, mode_t mode) {
  absl::StatusOr<ProcessNamespaces> namespaces =
      ProcessNamespaces::OfThisProcess();
  if (!namespaces.ok()) return namespaces.status();
  // Without a name: gone with this process until it is complete.
  UniqueFd fd(openat(directory.fd(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC,
                     static_cast<mode_t>(0600)));
  if (!fd.valid()) return NotDone(errno, "making", directory, name);
  if (directory.group() != kNoGroup &&
      fchown(fd.get(), static_cast<uid_t>(-1), directory.group()) != 0) {
    return NotDone(errno, "giving the group access to", directory, name);
  }
  // The process's umask does not matter to an explicit mode.
  if (fchmod(fd.get(), mode) != 0) {
    return NotDone(errno, "setting the mode of", directory, name);
  }
  if (ftruncate(fd.get(), static_cast<off_t>(g.segment_bytes)) != 0) {
    if (errno == EFBIG) errno = ENOSPC;
    return NotDone(errno, absl::StrCat("sizing to ", g.segment_bytes, " bytes"),
                   directory, name);
  }
  const size_t reserved = g.unbounded() ? g.data : g.segment_bytes;
  if (const int error = Reserve(fd.get(), reserved); error != 0) {
    return NotDone(error == EFBIG ? ENOSPC : error,
                   absl::StrCat("reserving ", reserved, " bytes for"),
                   directory, name);
  }
  absl::StatusOr<Mapping> mapping =
      Mapping::MapShared(fd.get(), 0, g.segment_bytes);
  if (!mapping.ok()) return mapping.status();
  MailboxSegment segment(std::move(fd), *std::move(mapping), g);

  auto& control = *new (segment.control()) MailboxControl{};
  FillQueue(control, g,
            g.unbounded() ? segment.bare_cells() : segment.free_cells(),
            segment.entries());
  MailboxHeader& header = control.header;
  // Relaxed: the release store below publishes them.
  constexpr auto kRelaxed = std::memory_order_relaxed;
  header.version.store(kMailboxLayoutVersion, kRelaxed);
  header.capacity_kind.store(static_cast<uint32_t>(g.capacity.kind), kRelaxed);
  header.capacity.store(g.capacity.messages, kRelaxed);
  header.blocks.store(g.blocks, kRelaxed);
  header.page_bytes.store(kMailboxPageBytes, kRelaxed);
  header.max_message_bytes.store(g.max_message_bytes, kRelaxed);
  header.max_memory_bytes.store(g.max_memory_bytes, kRelaxed);
  header.segment_bytes.store(g.segment_bytes, kRelaxed);
  header.pid_namespace.store(namespaces->pid, kRelaxed);
  header.time_namespace.store(namespaces->time, kRelaxed);
  // Paired with the acquire load in MailboxGeometry::Of.
  header.magic.store(kMailboxMagic, std::memory_order_release);

  absl::Status status = GiveName(segment.fd(), directory, name);
  if (!status.ok()) return status;
  return segment;
}

absl::StatusOr<MailboxSegment> MailboxSegment::Open(
    const MailboxDirectory& directory, absl::string_view name) {
  UniqueFd fd = OpenFile(directory, name);
  if (!fd.valid()) {
    if (errno == ENOENT) {
      return absl::NotFoundError(absl::StrCat("there is no mailbox:", name));
    }
    if (errno == ELOOP || errno == EISDIR || errno == ENXIO) {
      return absl::FailedPreconditionError(
          absl::StrCat(directory.Path(name), " is not a mailbox"));
    }
    return NotDone(errno, "opening", directory, name);
  }
  struct stat info;
  if (fstat(fd.get(), &info) != 0) {
    return NotDone(errno, "fstat of", directory, name);
  }
  const mode_t forbidden = directory.group() == kNoGroup ? 077 : 007;
  if (info.st_uid != directory.owner() || (info.st_mode & forbidden) != 0) {
    return absl::PermissionDeniedError(absl::StrFormat(
        "not using %s: it belongs to uid %d and has mode %04o",
        directory.Path(name), info.st_uid, info.st_mode & 07777));
  }
  const auto named = [&](const absl::Status& status) {
    return absl::Status(status.code(),
                        absl::StrCat("mailbox:", name, ": ", status.message()));
  };
  absl::StatusOr<Mapping> mapping = MapControl(fd.get());
  if (!mapping.ok()) return named(mapping.status());
  const auto& control = *reinterpret_cast<MailboxControl*>(mapping->data());
  absl::StatusOr<MailboxGeometry> g =
      MailboxGeometry::Of(control.header, static_cast<uint64_t>(info.st_size));
  if (!g.ok()) return named(g.status());
  if (IsDestroyed(control)) {
    return absl::NotFoundError(absl::StrCat("there is no mailbox:", name));
  }
  absl::StatusOr<ProcessNamespaces> namespaces =
      ProcessNamespaces::OfThisProcess();
  if (!namespaces.ok()) return namespaces.status();
  // Relaxed: constant since the store of magic.
  if (control.header.pid_namespace.load(std::memory_order_relaxed) !=
          namespaces->pid ||
      control.header.time_namespace.load(std::memory_order_relaxed) !=
          namespaces->time) {
    return named(absl::FailedPreconditionError(
        "its processes live in another pid or time namespace, where this one "
        "can't see whether they are alive"));
  }
  mapping = Mapping::MapShared(fd.get(), 0, g->segment_bytes);
  if (!mapping.ok()) return named(mapping.status());
  return MailboxSegment(std::move(fd), *std::move(mapping), *g);
}

absl::Status MailboxSegment::Destroy(const MailboxDirectory& directory,
                                     absl::string_view name) {
  // Two who destroy, and one who creates in between: the new one stays.
  MailboxDirectory::Lock lock(directory);
  UniqueFd fd = OpenFile(directory, name);
  if (!fd.valid() && errno == ENOENT) {
    return absl::NotFoundError(absl::StrCat("there is no mailbox:", name));
  }
  Mapping mapping;
  if (fd.valid()) {
    absl::StatusOr<Mapping> mapped = MapControl(fd.get());
    if (mapped.ok()) mapping = *std::move(mapped);
  }
  auto* const control = reinterpret_cast<MailboxControl*>(mapping.data());
  const bool mailbox = control != nullptr && HoldsMailbox(*control);
  // Before the name goes: killed in between, it can be done again.
  if (mailbox && directory.owner() == geteuid()) {
    control->state.destroyed.store(1, std::memory_order_seq_cst);
  }
  if (unlinkat(directory.fd(), std::string(name).c_str(), 0) != 0) {
    if (errno == EACCES) errno = EPERM;
    return NotDone(errno, "removing", directory, name);
  }
  if (mailbox) WakeEverybody(*control);
  return absl::OkStatus();
}

}  // namespace grpc_shm
