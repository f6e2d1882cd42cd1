# Copyright 2026 The grpc-shm Authors.
# SPDX-License-Identifier: Apache-2.0
"""Everything that grpc-shm takes from elsewhere: all of it installed on the system, nothing from a network."""

load("//bazel:abseil.bzl", "ABSEIL_LIBRARIES")
load("//bazel:system_repository.bzl", "system_repository")

# The protos that come with protobuf, and what each imports of the others.
_WELL_KNOWN_PROTOS = {
    "any": [],
    "api": ["source_context", "type"],
    "descriptor": [],
    "duration": [],
    "empty": [],
    "field_mask": [],
    "source_context": [],
    "struct": [],
    "timestamp": [],
    "type": ["any", "source_context"],
    "wrappers": [],
}

def _protobuf_rules():
    """The toolchain that the native cc_proto_library uses, and upstream's targets for the well-known protos."""
    rules = ""
    for proto, imports in _WELL_KNOWN_PROTOS.items():
        rules += """
proto_library(
    name = "{proto}_proto",
    srcs = ["src/google/protobuf/{proto}.proto"],
    strip_import_prefix = "src",
    deps = {deps},
)
""".format(proto = proto, deps = [":{}_proto".format(name) for name in imports])
    rules += """
filegroup(
    name = "well_known_type_protos",
    srcs = {files},
)

# The C++ code of the well-known protos is in the library already.
proto_lang_toolchain(
    name = "cc_toolchain",
    blacklisted_protos = {protos},
    command_line = "--cpp_out=$(OUT)",
    runtime = ":protobuf",
)
""".format(
        files = ["src/google/protobuf/{}.proto".format(name) for name in _WELL_KNOWN_PROTOS],
        protos = [":{}_proto".format(name) for name in _WELL_KNOWN_PROTOS],
    )
    return rules

def _bazel_dependencies():
    """What Bazel 4 itself would fetch from the network for any C++ target, reduced to what it uses of it."""
    if not native.existing_rule("rules_cc"):
        system_repository(
            name = "rules_cc",
            files = {
                "cc/BUILD": "",
                "cc/defs.bzl": "\n".join([
                    "{0} = native.{0}".format(rule)
                    for rule in ["cc_binary", "cc_import", "cc_library", "cc_proto_library", "cc_test", "cc_toolchain", "cc_toolchain_suite"]
                ]) + "\n",
            },
        )
    if not native.existing_rule("rules_java"):
        native.local_repository(name = "rules_java", path = "/usr/share/bazel/rules/java")
    if not native.existing_rule("remote_coverage_tools"):
        system_repository(
            name = "remote_coverage_tools",
            rules = {"": "filegroup(name = \"coverage_report_generator\")\n"},
        )

def grpc_shm_dependencies():
    """Defines each repository that grpc-shm needs, unless the workspace has defined it already."""
    _bazel_dependencies()
    if not native.existing_rule("com_google_absl"):
        system_repository(name = "com_google_absl", libraries = ABSEIL_LIBRARIES)
    if not native.existing_rule("com_google_protobuf"):
        system_repository(
            name = "com_google_protobuf",
            libraries = {":protobuf": ["protobuf"], ":protobuf_lite": ["protobuf-lite"]},
            links = {
                "src/google/protobuf/{}.proto".format(name): "/usr/include/google/protobuf/{}.proto".format(name)
                for name in _WELL_KNOWN_PROTOS
            },
            programs = {":protoc": "protoc"},
            rules = {"": _protobuf_rules()},
        )
    if not native.existing_rule("com_github_grpc_grpc"):
        system_repository(
            name = "com_github_grpc_grpc",
            aliases = {
                ":grpc++_codegen_proto": "//:grpc++",
                "src/compiler:grpc_cpp_plugin": "//:grpc_cpp_plugin",
            },
            libraries = {
                ":grpc": ["grpc"],
                ":grpc++": ["grpc++"],
                # It registers itself when it is loaded, so it must be loaded even if the program names nothing of it.
                ":grpc++_reflection": [
                    "grpc++",
                    "-Wl,--push-state,--no-as-needed",
                    "-lgrpc++_reflection",
                    "-Wl,--pop-state",
                ],
            },
            programs = {":grpc_cpp_plugin": "grpc_cpp_plugin"},
        )
    if not native.existing_rule("com_google_googletest"):
        system_repository(
            name = "com_google_googletest",
            libraries = {":gtest": ["gmock"], ":gtest_main": ["gmock_main"]},
        )
    if not native.existing_rule("com_github_google_benchmark"):
        system_repository(
            name = "com_github_google_benchmark",
            libraries = {":benchmark": ["benchmark"], ":benchmark_main": ["-lbenchmark_main", "-lbenchmark"]},
        )
    if not native.existing_rule("boost"):
        system_repository(name = "boost", header_libraries = {":boost": "boost/version.hpp"})
    if not native.existing_rule("relacy"):
        system_repository(name = "relacy", header_libraries = {":relacy": "relacy/relacy.hpp"})
