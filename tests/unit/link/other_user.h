// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_UNIT_LINK_OTHER_USER_H_
#define GRPC_SHM_TESTS_UNIT_LINK_OTHER_USER_H_

#include <grp.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

namespace grpc_shm::testing {

// Users whom no system has; each has a group of the same number.
inline constexpr uid_t kAlice = 61001;
inline constexpr uid_t kBob = 61002;

// For good, and with these supplementary groups alone. Whether it worked.
inline bool Become(uid_t user, const std::vector<gid_t>& groups = {}) {
  return setgroups(groups.size(), groups.data()) == 0 && setgid(user) == 0 &&
         setuid(user) == 0 &&
         // The kernel takes who was root for a keeper of secrets, and shields
         // it even from its own user. These are to be ordinary processes.
         prctl(PR_SET_DUMPABLE, 1) == 0;
}

// Root can, where it has all users; a container's root may not.
inline bool CanBecomeOthers() {
  if (geteuid() != 0) return false;
  const pid_t child = fork();
  if (child == 0) _exit(Become(kBob) ? 0 : 1);
  int status;
  return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

}  // namespace grpc_shm::testing

#endif  // GRPC_SHM_TESTS_UNIT_LINK_OTHER_USER_H_
