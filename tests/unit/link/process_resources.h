// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_UNIT_LINK_PROCESS_RESOURCES_H_
#define GRPC_SHM_TESTS_UNIT_LINK_PROCESS_RESOURCES_H_

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <string>

namespace grpc_shm::testing {

// What this process holds that a link could leak.
struct ProcessResources {
  size_t descriptors = 0;
  size_t segment_mappings = 0;

  static ProcessResources Now() {
    ProcessResources now;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator("/proc/self/fd")) {
      ++now.descriptors;
    }
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      if (line.find("grpc-shm-link") != std::string::npos) {
        ++now.segment_mappings;
      }
    }
    return now;
  }

  friend bool operator==(const ProcessResources& a, const ProcessResources& b) {
    return a.descriptors == b.descriptors &&
           a.segment_mappings == b.segment_mappings;
  }
  friend std::ostream& operator<<(std::ostream& out,
                                  const ProcessResources& resources) {
    return out << resources.descriptors << " descriptors, "
               << resources.segment_mappings << " mappings";
  }
};

}  // namespace grpc_shm::testing

#endif  // GRPC_SHM_TESTS_UNIT_LINK_PROCESS_RESOURCES_H_
