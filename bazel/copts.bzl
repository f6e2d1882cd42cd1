# Copyright 2026 The grpc-shm Authors.
# SPDX-License-Identifier: Apache-2.0
"""The compiler flags of our own code, for the copts of each of our cc targets.

Third-party headers are found in the compiler's own include directories, where no warning is reported, so these
flags judge our code alone. Generated code does not take them.
"""

GRPC_SHM_COPTS = [
    "-std=c++17",
    "-Wall",
    "-Wextra",
    "-Werror",
]
