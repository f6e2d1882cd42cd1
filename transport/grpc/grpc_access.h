// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_GRPC_ACCESS_H_
#define GRPC_SHM_TRANSPORT_GRPC_GRPC_ACCESS_H_

// The one place that reaches below gRPC's documented C++ API, but for
// core_table.h. Each trick says what it relies on and with which versions
// of gRPC it was checked. Everything here but the names of some classes is
// checked by the compiler: no copied declarations, no layout assumptions,
// nothing of gRPC's core but its public C headers.

#include <grpc/grpc.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/impl/call_op_set.h>
#include <grpcpp/impl/channel_interface.h>
#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_interceptor.h>
#include <grpcpp/support/sync_stream.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/message.h"
#include "google/protobuf/message_lite.h"

namespace grpc_shm {

// Names the specialization below.
struct GrpcAccessTag {};

}  // namespace grpc_shm

// ChannelInterface and ClientContext name grpc::ClientReader<> as a friend, so
// a specialization of it for a type of ours may call what they keep private. It
// lets a channel of ours wrap another one. Checked with 1.51.1.
template <>
class grpc::ClientReader<grpc_shm::GrpcAccessTag> {
 public:
  static uint32_t InitialMetadataFlags(const ClientContext& context) {
    return context.initial_metadata_flags();
  }
  static const std::string& Authority(const ClientContext& context) {
    return context.authority_;
  }
  // Whether something of gRPC's core acts upon the call besides what its
  // operations say: the call that it was made for, or credentials of its own.
  static bool HasParentOrCredentials(const ClientContext& context) {
    return context.propagate_from_call_ != nullptr || context.creds_ != nullptr;
  }
  static internal::Call CreateCall(ChannelInterface* channel,
                                   const internal::RpcMethod& method,
                                   ClientContext* context,
                                   CompletionQueue* queue) {
    return channel->CreateCall(method, context, queue);
  }
  // The same as a Channel does, but for the call of the core, whose reference
  // is taken over.
  using Interceptors = std::vector<
      std::unique_ptr<experimental::ClientInterceptorFactoryInterface>>;
  static internal::Call CreateCall(const std::shared_ptr<Channel>& channel,
                                   const internal::RpcMethod& method,
                                   ClientContext* context,
                                   CompletionQueue* queue, grpc_call* call,
                                   const Interceptors& interceptors) {
    experimental::ClientRpcInfo* const info = context->set_client_rpc_info(
        method.name(), method.suffix_for_stats(), method.method_type(),
        channel.get(), interceptors, 0);
    context->set_call(call, channel);
    return internal::Call(call, channel.get(), queue, info);
  }
  static void* RegisterMethod(ChannelInterface* channel, const char* method) {
    return channel->RegisterMethod(method);
  }
  static CompletionQueue* CallbackCQ(ChannelInterface* channel) {
    return channel->CallbackCQ();
  }
};

// The same for ServerContextBase and grpc::ServerReader<>: makes a context for
// a call that gRPC's server does not know. Checked with 1.51.1.
template <>
class grpc::ServerReader<grpc_shm::GrpcAccessTag> {
 public:
  using Interceptors = std::vector<
      std::unique_ptr<experimental::ServerInterceptorFactoryInterface>>;

  // Takes a reference to `call`. `metadata` is taken over; what its entries
  // refer to must outlive the context. `method` must, too.
  static experimental::ServerRpcInfo* Bind(
      ServerContextBase* context, grpc_call* call, gpr_timespec deadline,
      grpc_metadata_array* metadata, const char* method,
      internal::RpcMethod::RpcType type, const Interceptors& interceptors) {
    grpc_call_ref(call);
    context->set_call(call);
    context->BindDeadlineAndMetadata(deadline, metadata);
    return context->set_server_rpc_info(method, type, interceptors);
  }
  // IsCancelled() is true from now on. Any thread.
  static void MarkCancelled(ServerContextBase* context) {
    context->marked_cancelled_.store(true, std::memory_order_release);
  }
};

// The same for ByteBuffer and CallOpRecvMessage<>. Checked with 1.51.1.
template <>
class grpc::internal::CallOpRecvMessage<grpc_shm::GrpcAccessTag> {
 public:
  // Gives up the buffer; null if there is none.
  static grpc_byte_buffer* Release(ByteBuffer* buffer) {
    grpc_byte_buffer* const raw = buffer->c_buffer();
    buffer->Release();
    return raw;
  }
  static void Assign(grpc_byte_buffer* raw, ByteBuffer* buffer) {
    buffer->set_buffer(raw);
  }
};

namespace grpc_shm {

using GrpcAccess = grpc::ClientReader<GrpcAccessTag>;
using ServerContextAccess = grpc::ServerReader<GrpcAccessTag>;
using ByteBufferAccess = grpc::internal::CallOpRecvMessage<GrpcAccessTag>;

// Private members that have no such friend. They are named in explicit
// instantiations, which access checks do not apply to (C++17, 17.7.2/12).
// Checked with 1.51.1.

// The service's methods, in the order of its definition; null: marked as
// generic.
const std::vector<std::unique_ptr<grpc::internal::RpcServiceMethod>>& MethodsOf(
    const grpc::Service& service);

// Whether the application has interceptors in the server.
bool HasInterceptors(const grpc::Server& server);

// What is to be called around each synchronous handler.
grpc::Server::GlobalCallbacks* GlobalCallbacksOf(const grpc::Server& server);

// Bytes; -1: no limit.
int MaxReceiveMessageBytes(const grpc::Server& server);

// Whether an interceptor is shown operations again when they are complete, and
// the application takes them from its queue. That costs a turn through the core
// (an empty batch, a completion: half of what gRPC does for an operation). If
// not, the queue must be one of a thread that waits for each operation, as
// those of synchronous calls are: it is never shut down before it is destroyed.
enum class ShownAgain { kYes, kNo };

// Taking operations over: an interceptor that was shown a set of operations
// performs them in the core's place, whenever that may be, and then has them
// complete. It is what Hijack() and Proceed() come to, without a second run of
// the interceptor, and for servers as well.
class TakenOperations {
 public:
  TakenOperations() = default;
  // `methods` as shown to Intercept(), on the way to the core.
  TakenOperations(grpc::experimental::InterceptorBatchMethods* methods,
                  ShownAgain shown_again);

  // Valid until Complete().
  grpc::experimental::InterceptorBatchMethods* methods() const {
    return methods_;
  }
  ShownAgain shown_again() const { return shown_again_; }

  // Has the operation that sends a message fail.
  void FailSend() const;

  // Gives `message` to the operation that receives one, as the core would: gRPC
  // makes of it what the application asked for, whatever its type. Takes it.
  void GiveMessage(grpc_byte_buffer* message) const;

  // Where the application takes them from, and whether that is a callback's.
  // Valid until Complete().
  grpc::CompletionQueue* queue() const;
  bool is_callback() const;

  // Where the operation that receives a message wants it, if that is one of
  // protobuf's; null otherwise, or if that is not known (see SentProtobuf: here
  // the name is that of the set of operations). Who fills it need not give a
  // message. Valid until Complete().
  google::protobuf::Message* ReceivedProtobuf() const;

  // The operations are gone after this. Any thread.
  void Complete() const;

  // The same for operations that would be shown again, but are not after all.
  // Not for those of a thread that waits.
  void CompleteUnshown() const;

  // The same for operations that are shown once, on the thread that they were
  // taken over on, before it returns from that: it finds them complete when it
  // waits for them, and gRPC's core has nothing to do with them.
  void CompleteHere() const;

 private:
  void ForgetInterceptors() const;

  grpc::experimental::InterceptorBatchMethods* methods_ = nullptr;
  grpc::internal::CallOpSetInterface* operations_ = nullptr;
  ShownAgain shown_again_ = ShownAgain::kYes;
};

// The message to be sent, if it is one of protobuf's that nobody has serialized
// yet; null otherwise, or if that is not known. An operation knows its message
// as an untyped pointer, and as what serializes it, a closure of a template of
// gRPC's whose name tells the message's class (IsOfProtobuf). No compiler
// checks that name: were it another one, all would be null, and slower. Checked
// with 1.51.1.
const google::protobuf::MessageLite* SentProtobuf(
    grpc::experimental::InterceptorBatchMethods* methods);

// Lets operations go on to the application that an interceptor is shown again.
void LetGo(grpc::experimental::InterceptorBatchMethods* methods);

// Whether an interceptor is shown operations that are complete.
bool AreComplete(grpc::experimental::InterceptorBatchMethods* methods);

// Whether the application waits for the channel to become ready. The flag is a
// constant of gRPC's C API.
inline bool WaitsForReady(const grpc::ClientContext& context) {
  return (GrpcAccess::InitialMetadataFlags(context) &
          GRPC_INITIAL_METADATA_WAIT_FOR_READY) != 0;
}

// Registers a completion queue of our own with the server being built:
// grpc::ServerBuilder only makes queues that somebody must poll, while a
// callback queue runs its tags on the thread that completes them. The builder
// hands the C server to each port's credentials before it starts the server.
// Checked with 1.51.1.
class QueueRegistrar : public grpc::ServerCredentials {
 public:
  explicit QueueRegistrar(grpc_completion_queue* queue) : queue_(queue) {}

  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& /*address*/,
                      grpc_server* server) override {
    grpc_server_register_completion_queue(server, queue_, nullptr);
    return 1;  // a port number: anything but 0 is success
  }

  grpc_completion_queue* const queue_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_GRPC_ACCESS_H_
