# Copyright 2026 The grpc-shm Authors.
# SPDX-License-Identifier: Apache-2.0
"""The libraries that a compilation mode makes of targets, whatever the build at hand is."""

def _mode_impl(_settings, attr):
    return {"//command_line_option:compilation_mode": attr.mode}

_mode = transition(
    implementation = _mode_impl,
    inputs = [],
    outputs = ["//command_line_option:compilation_mode"],
)

def _built_in_mode_impl(ctx):
    # Links, since two modes' files have the same path among a test's.
    links = []
    for target in ctx.attr.targets:
        for file in target[DefaultInfo].files.to_list():
            if file.extension == "a":
                link = ctx.actions.declare_file(ctx.attr.mode + "/" + file.basename)
                ctx.actions.symlink(output = link, target_file = file)
                links.append(link)
    return [DefaultInfo(files = depset(links), runfiles = ctx.runfiles(files = links))]

built_in_mode = rule(
    implementation = _built_in_mode_impl,
    attrs = {
        "mode": attr.string(values = ["fastbuild", "opt"]),
        "targets": attr.label_list(cfg = _mode),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
)
