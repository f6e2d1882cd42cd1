# Copyright 2026 The grpc-shm Authors.
# SPDX-License-Identifier: Apache-2.0
"""C++ stubs and services from .proto files: cc_grpc_library with the name and arguments of gRPC's own rule.

Generated headers are included by their path from the repository root ("proto/wire.pb.h"), and imports in .proto files are
written the same way. Messages alone are the native proto_library and cc_proto_library.
"""

def _generated(path, suffix):
    """Returns the name of the file that the plug-in generates from the .proto at `path`."""
    if not path.endswith(".proto"):
        fail("\"{}\" does not end with .proto".format(path))
    return path[:-len(".proto")] + suffix

def _path_in_package(ctx, file):
    """Returns where `file` lies below the package of the rule, which generates beside it."""
    path = file.short_path
    prefix = ctx.label.package + "/" if ctx.label.package else ""
    if not path.startswith(prefix):
        fail("{} does not lie in the package //{} of the rule that generates code from it".format(path, ctx.label.package))
    return path[len(prefix):]

def _grpc_codegen_impl(ctx):
    suffixes = [".grpc.pb.h", ".grpc.pb.cc"]
    if ctx.attr.generate_mocks:
        suffixes.append("_mock.grpc.pb.h")
    info = ctx.attr.src[ProtoInfo]
    sources = info.direct_sources
    outputs = [
        ctx.actions.declare_file(_generated(_path_in_package(ctx, source), suffix))
        for source in sources
        for suffix in suffixes
    ]

    arguments = ctx.actions.args()
    arguments.add(ctx.executable._plugin, format = "--plugin=protoc-gen-grpc=%s")
    arguments.add("--grpc_out={}{}".format(
        "generate_mock_code=true:" if ctx.attr.generate_mocks else "",
        ctx.bin_dir.path,
    ))
    arguments.add_all(info.transitive_proto_path, format_each = "--proto_path=%s")
    arguments.add_all([source.short_path for source in sources])
    ctx.actions.run(
        executable = ctx.executable._protoc,
        arguments = [arguments],
        inputs = info.transitive_sources,
        tools = [ctx.executable._plugin],
        outputs = outputs,
        mnemonic = "GrpcCodegen",
        progress_message = "Generating gRPC code %{label}",
    )
    headers = [file for file in outputs if file.extension == "h"]
    code = [file for file in outputs if file.extension == "cc"]
    return [
        DefaultInfo(files = depset(outputs)),
        OutputGroupInfo(headers = depset(headers), sources = depset(code)),
    ]

_grpc_codegen = rule(
    implementation = _grpc_codegen_impl,
    attrs = {
        "generate_mocks": attr.bool(),
        "src": attr.label(mandatory = True, providers = [ProtoInfo]),
        "_plugin": attr.label(
            default = "@com_github_grpc_grpc//src/compiler:grpc_cpp_plugin",
            allow_single_file = True,
            cfg = "host",
            executable = True,
        ),
        "_protoc": attr.label(
            default = "@com_google_protobuf//:protoc",
            allow_single_file = True,
            cfg = "host",
            executable = True,
        ),
    },
)

_WELL_KNOWN_PROTOS = [
    "any",
    "api",
    "descriptor",
    "duration",
    "empty",
    "field_mask",
    "source_context",
    "struct",
    "timestamp",
    "type",
    "wrappers",
]

def _proto_label(dep):
    """Returns the proto_library that cc_grpc_library(name = dep) makes beside its C++ target."""
    if ":" in dep:
        package, name = dep.split(":")
        return "{}:_{}_only".format(package, name)
    return "_{}_only".format(dep)

def cc_grpc_library(
        name,
        srcs,
        deps = [],
        proto_only = False,
        well_known_protos = False,
        generate_mocks = False,
        use_external = False,
        grpc_only = False,
        **kwargs):
    """A C++ library of the stubs and services of one .proto file.

    Args:
      name: the library.
      srcs: one .proto file; with grpc_only one proto_library.
      deps: other cc_grpc_library targets whose protos this one imports; with grpc_only the cc_proto_library with the messages.
      proto_only: only the messages, no stubs and services.
      well_known_protos: the proto imports some of those that come with protobuf.
      generate_mocks: adds stubs that are Google Mock classes (NAME_mock.grpc.pb.h).
      use_external: ignored, as upstream.
      grpc_only: only the stubs and services. The way to prefer: it goes with the native proto_library and cc_proto_library.
      **kwargs: given to each target, for instance visibility and testonly.
    """
    if len(srcs) != 1:
        fail("srcs must be exactly one .proto file or proto_library", "srcs")
    if grpc_only and proto_only:
        fail("grpc_only and proto_only exclude each other")

    libraries = list(deps)
    if grpc_only:
        proto = srcs[0]
    else:
        proto = "_{}_only".format(name)
        messages = name if proto_only else "_{}_cc_proto".format(name)
        imports = [_proto_label(dep) for dep in deps]
        if well_known_protos:
            imports += ["@com_google_protobuf//:{}_proto".format(known) for known in _WELL_KNOWN_PROTOS]
        native.proto_library(name = proto, srcs = srcs, deps = imports, **kwargs)
        native.cc_proto_library(name = messages, deps = [proto], **kwargs)
        libraries.append(messages)
    if proto_only:
        return

    codegen = "_{}_grpc_codegen".format(name)
    _grpc_codegen(name = codegen, src = proto, generate_mocks = generate_mocks, **kwargs)
    native.filegroup(name = codegen + "_headers", srcs = [codegen], output_group = "headers", **kwargs)
    native.filegroup(name = codegen + "_sources", srcs = [codegen], output_group = "sources", **kwargs)
    native.cc_library(
        name = name,
        srcs = [codegen + "_sources"],
        hdrs = [codegen + "_headers"],
        deps = libraries + ["@com_github_grpc_grpc//:grpc++_codegen_proto"],
        **kwargs
    )
