// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/core_table.h"

#include <grpcpp/impl/codegen/core_codegen_interface.h>
#include <grpcpp/impl/grpc_library.h>

#include "transport/base/fork.h"
#include "transport/grpc/core_calls.h"

namespace grpc_shm {
namespace {

// What this thread plucks next, if that is known to be complete.
thread_local const void* complete = nullptr;

// The operations that this thread is about to end, and where they are to come
// out of.
thread_local const void* ending = nullptr;
thread_local grpc_completion_queue* ending_in = nullptr;

class Table final : public grpc::CoreCodegenInterface {
 public:
  explicit Table(grpc::CoreCodegenInterface* core) : core_(*core) {}

  grpc_event grpc_completion_queue_pluck(grpc_completion_queue* cq, void* tag,
                                         gpr_timespec deadline,
                                         void* reserved) override {
    if (complete == nullptr || tag != complete)
      return core_.grpc_completion_queue_pluck(cq, tag, deadline, reserved);
    complete = nullptr;
    return {GRPC_OP_COMPLETE, /*success=*/1, tag};
  }

  grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops,
                                        size_t nops, void* tag,
                                        void* reserved) override {
    if (nops == 0 && ending != nullptr && ending == tag &&
        CoreCalls::IsOne(call)) {
      ending = nullptr;
      return CoreCalls::Get().End(ending_in, tag);
    }
    return core_.grpc_call_start_batch(call, ops, nops, tag, reserved);
  }
  void* grpc_call_arena_alloc(grpc_call* call, size_t length) override {
    // A forked child has its own copy of the core's memory.
    if (!IsForkedChild() && CoreCalls::IsOne(call))
      return CoreCalls::Get().Allocate(call, length);
    return core_.grpc_call_arena_alloc(call, length);
  }

  // What only passes on.
  void assert_fail(const char* failed_assertion, const char* file,
                   int line) override {
    core_.assert_fail(failed_assertion, file, line);
  }
  const grpc_completion_queue_factory* grpc_completion_queue_factory_lookup(
      const grpc_completion_queue_attributes* attributes) override {
    return core_.grpc_completion_queue_factory_lookup(attributes);
  }
  grpc_completion_queue* grpc_completion_queue_create(
      const grpc_completion_queue_factory* factory,
      const grpc_completion_queue_attributes* attributes,
      void* reserved) override {
    return core_.grpc_completion_queue_create(factory, attributes, reserved);
  }
  grpc_completion_queue* grpc_completion_queue_create_for_next(
      void* reserved) override {
    return core_.grpc_completion_queue_create_for_next(reserved);
  }
  grpc_completion_queue* grpc_completion_queue_create_for_pluck(
      void* reserved) override {
    return core_.grpc_completion_queue_create_for_pluck(reserved);
  }
  void grpc_completion_queue_shutdown(grpc_completion_queue* cq) override {
    core_.grpc_completion_queue_shutdown(cq);
  }
  void grpc_completion_queue_destroy(grpc_completion_queue* cq) override {
    core_.grpc_completion_queue_destroy(cq);
  }
  void* gpr_malloc(size_t size) override { return core_.gpr_malloc(size); }
  void gpr_free(void* p) override { core_.gpr_free(p); }
  void grpc_init() override { core_.grpc_init(); }
  void grpc_shutdown() override { core_.grpc_shutdown(); }
  void gpr_mu_init(gpr_mu* mu) override { core_.gpr_mu_init(mu); }
  void gpr_mu_destroy(gpr_mu* mu) override { core_.gpr_mu_destroy(mu); }
  void gpr_mu_lock(gpr_mu* mu) override { core_.gpr_mu_lock(mu); }
  void gpr_mu_unlock(gpr_mu* mu) override { core_.gpr_mu_unlock(mu); }
  void gpr_cv_init(gpr_cv* cv) override { core_.gpr_cv_init(cv); }
  void gpr_cv_destroy(gpr_cv* cv) override { core_.gpr_cv_destroy(cv); }
  int gpr_cv_wait(gpr_cv* cv, gpr_mu* mu, gpr_timespec abs_deadline) override {
    return core_.gpr_cv_wait(cv, mu, abs_deadline);
  }
  void gpr_cv_signal(gpr_cv* cv) override { core_.gpr_cv_signal(cv); }
  void gpr_cv_broadcast(gpr_cv* cv) override { core_.gpr_cv_broadcast(cv); }
  grpc_byte_buffer* grpc_byte_buffer_copy(grpc_byte_buffer* bb) override {
    return core_.grpc_byte_buffer_copy(bb);
  }
  void grpc_byte_buffer_destroy(grpc_byte_buffer* bb) override {
    core_.grpc_byte_buffer_destroy(bb);
  }
  size_t grpc_byte_buffer_length(grpc_byte_buffer* bb) override {
    return core_.grpc_byte_buffer_length(bb);
  }
  int grpc_byte_buffer_reader_init(grpc_byte_buffer_reader* reader,
                                   grpc_byte_buffer* buffer) override {
    return core_.grpc_byte_buffer_reader_init(reader, buffer);
  }
  void grpc_byte_buffer_reader_destroy(
      grpc_byte_buffer_reader* reader) override {
    core_.grpc_byte_buffer_reader_destroy(reader);
  }
  int grpc_byte_buffer_reader_next(grpc_byte_buffer_reader* reader,
                                   grpc_slice* slice) override {
    return core_.grpc_byte_buffer_reader_next(reader, slice);
  }
  int grpc_byte_buffer_reader_peek(grpc_byte_buffer_reader* reader,
                                   grpc_slice** slice) override {
    return core_.grpc_byte_buffer_reader_peek(reader, slice);
  }
  grpc_byte_buffer* grpc_raw_byte_buffer_create(grpc_slice* slice,
                                                size_t nslices) override {
    return core_.grpc_raw_byte_buffer_create(slice, nslices);
  }
  grpc_slice grpc_slice_new_with_user_data(void* p, size_t len,
                                           void (*destroy)(void*),
                                           void* user_data) override {
    return core_.grpc_slice_new_with_user_data(p, len, destroy, user_data);
  }
  grpc_slice grpc_slice_new_with_len(void* p, size_t len,
                                     void (*destroy)(void*, size_t)) override {
    return core_.grpc_slice_new_with_len(p, len, destroy);
  }
  grpc_call_error grpc_call_cancel_with_status(grpc_call* call,
                                               grpc_status_code status,
                                               const char* description,
                                               void* reserved) override {
    return core_.grpc_call_cancel_with_status(call, status, description,
                                              reserved);
  }
  int grpc_call_failed_before_recv_message(const grpc_call* c) override {
    return core_.grpc_call_failed_before_recv_message(c);
  }
  void grpc_call_ref(grpc_call* call) override { core_.grpc_call_ref(call); }
  void grpc_call_unref(grpc_call* call) override {
    core_.grpc_call_unref(call);
  }
  const char* grpc_call_error_to_string(grpc_call_error error) override {
    return core_.grpc_call_error_to_string(error);
  }
  grpc_slice grpc_empty_slice() override { return core_.grpc_empty_slice(); }
  grpc_slice grpc_slice_malloc(size_t length) override {
    return core_.grpc_slice_malloc(length);
  }
  void grpc_slice_unref(grpc_slice slice) override {
    core_.grpc_slice_unref(slice);
  }
  grpc_slice grpc_slice_ref(grpc_slice slice) override {
    return core_.grpc_slice_ref(slice);
  }
  grpc_slice grpc_slice_split_tail(grpc_slice* s, size_t split) override {
    return core_.grpc_slice_split_tail(s, split);
  }
  grpc_slice grpc_slice_split_head(grpc_slice* s, size_t split) override {
    return core_.grpc_slice_split_head(s, split);
  }
  grpc_slice grpc_slice_sub(grpc_slice s, size_t begin, size_t end) override {
    return core_.grpc_slice_sub(s, begin, end);
  }
  void grpc_slice_buffer_add(grpc_slice_buffer* sb, grpc_slice slice) override {
    core_.grpc_slice_buffer_add(sb, slice);
  }
  void grpc_slice_buffer_add_indexed(grpc_slice_buffer* sb,
                                     grpc_slice slice) override {
    core_.grpc_slice_buffer_add_indexed(sb, slice);
  }
  void grpc_slice_buffer_pop(grpc_slice_buffer* sb) override {
    core_.grpc_slice_buffer_pop(sb);
  }
  grpc_slice grpc_slice_from_static_buffer(const void* buffer,
                                           size_t length) override {
    return core_.grpc_slice_from_static_buffer(buffer, length);
  }
  grpc_slice grpc_slice_from_copied_buffer(const void* buffer,
                                           size_t length) override {
    return core_.grpc_slice_from_copied_buffer(buffer, length);
  }
  void grpc_metadata_array_init(grpc_metadata_array* array) override {
    core_.grpc_metadata_array_init(array);
  }
  void grpc_metadata_array_destroy(grpc_metadata_array* array) override {
    core_.grpc_metadata_array_destroy(array);
  }
  const grpc::Status& ok() override { return core_.ok(); }
  const grpc::Status& cancelled() override { return core_.cancelled(); }
  gpr_timespec gpr_inf_future(gpr_clock_type type) override {
    return core_.gpr_inf_future(type);
  }
  gpr_timespec gpr_time_0(gpr_clock_type type) override {
    return core_.gpr_time_0(type);
  }

 private:
  grpc::CoreCodegenInterface& core_;
};

// Before main(), or when a library is loaded: gRPC makes its own table then,
// too, unless there is one. Other threads see the one or the other, and either
// will do.
const grpc::CoreCodegenInterface* const table = [] {
  grpc::internal::GrpcLibraryInitializer().summon();
  auto* const made = new Table(grpc::g_core_codegen_interface);
  __atomic_store_n(&grpc::g_core_codegen_interface, made, __ATOMIC_RELEASE);
  return made;
}();

}  // namespace

bool IsCoreTableInPlace() { return grpc::g_core_codegen_interface == table; }

bool CompleteForPluck(const void* tag) {
  if (complete != nullptr || !IsCoreTableInPlace()) return false;
  complete = tag;
  return true;
}

void BeginForPluck(const void* tag) {
  if (complete == tag) complete = nullptr;
}

EndingScope::EndingScope(const void* tag, grpc_completion_queue* queue) {
  ending = tag;
  ending_in = queue;
}

EndingScope::~EndingScope() { ending = nullptr; }

}  // namespace grpc_shm
