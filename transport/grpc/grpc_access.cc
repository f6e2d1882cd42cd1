// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/grpc_access.h"

#include <grpc/byte_buffer.h>
#include <grpc/support/log.h>

#include <cstddef>
#include <functional>
#include <typeinfo>

#include "transport/grpc/core_table.h"
#include "transport/grpc/message_class.h"

namespace grpc_shm {
namespace {

// Member<Tag>() is the pointer to member that `Expose` was instantiated with.
template <typename Tag, typename Tag::Type kMember>
struct Expose {
  friend typename Tag::Type Member(Tag) { return kMember; }
};

struct ServiceMethods {
  using Type = std::vector<std::unique_ptr<grpc::internal::RpcServiceMethod>>
      grpc::Service::*;
  friend Type Member(ServiceMethods);
};
template struct Expose<ServiceMethods, &grpc::Service::methods_>;

struct ServerInterceptors {
  using Type = std::vector<
      std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
      grpc::Server::*;
  friend Type Member(ServerInterceptors);
};
template struct Expose<ServerInterceptors,
                       &grpc::Server::interceptor_creators_>;

struct ServerGlobalCallbacks {
  using Type = std::shared_ptr<grpc::Server::GlobalCallbacks> grpc::Server::*;
  friend Type Member(ServerGlobalCallbacks);
};
template struct Expose<ServerGlobalCallbacks, &grpc::Server::global_callbacks_>;

struct ServerMaxReceive {
  using Type = int grpc::Server::*;
  friend Type Member(ServerMaxReceive);
};
template struct Expose<ServerMaxReceive,
                       &grpc::Server::max_receive_message_size_>;

struct BatchOperations {
  using Type = grpc::internal::CallOpSetInterface*
      grpc::internal::InterceptorBatchMethodsImpl::*;
  friend Type Member(BatchOperations);
};
template struct Expose<BatchOperations,
                       &grpc::internal::InterceptorBatchMethodsImpl::ops_>;

struct BatchCall {
  using Type =
      grpc::internal::Call* grpc::internal::InterceptorBatchMethodsImpl::*;
  friend Type Member(BatchCall);
};
template struct Expose<BatchCall,
                       &grpc::internal::InterceptorBatchMethodsImpl::call_>;

struct CompleteAvalanching {
  using Type = void (grpc::CompletionQueue::*)();
  friend Type Member(CompleteAvalanching);
};
template struct Expose<CompleteAvalanching,
                       &grpc::CompletionQueue::CompleteAvalanching>;

struct BatchReverse {
  using Type = bool grpc::internal::InterceptorBatchMethodsImpl::*;
  friend Type Member(BatchReverse);
};
template struct Expose<BatchReverse,
                       &grpc::internal::InterceptorBatchMethodsImpl::reverse_>;

struct BatchReceiveFailed {
  using Type = bool* grpc::internal::InterceptorBatchMethodsImpl::*;
  friend Type Member(BatchReceiveFailed);
};
template struct Expose<BatchReceiveFailed,
                       &grpc::internal::InterceptorBatchMethodsImpl::
                           hijacked_recv_message_failed_>;

using Serializer = std::function<grpc::Status(const void*)>;

struct BatchSerializer {
  using Type = Serializer grpc::internal::InterceptorBatchMethodsImpl::*;
  friend Type Member(BatchSerializer);
};
template struct Expose<
    BatchSerializer, &grpc::internal::InterceptorBatchMethodsImpl::serializer_>;

// The two members of an operation that receives a message which matter here,
// for the class that stands for all others.
using Receive = grpc::internal::CallOpRecvMessage<grpc::ByteBuffer>;

struct ReceiveBuffer {
  using Type = grpc::ByteBuffer Receive::*;
  friend Type Member(ReceiveBuffer);
};
template struct Expose<ReceiveBuffer, &Receive::recv_buf_>;

struct ReceiveFailed {
  using Type = bool Receive::*;
  friend Type Member(ReceiveFailed);
};
template struct Expose<ReceiveFailed, &Receive::hijacked_recv_message_failed_>;

// And for the one class that is not made from the same template.
using GenericReceive = grpc::internal::CallOpGenericRecvMessage;

struct GenericReceiveBuffer {
  using Type = grpc::ByteBuffer GenericReceive::*;
  friend Type Member(GenericReceiveBuffer);
};
template struct Expose<GenericReceiveBuffer, &GenericReceive::recv_buf_>;

struct GenericReceiveFailed {
  using Type = bool GenericReceive::*;
  friend Type Member(GenericReceiveFailed);
};
template struct Expose<GenericReceiveFailed,
                       &GenericReceive::hijacked_recv_message_failed_>;

template <typename Operation, typename Buffer, typename Failed>
ptrdiff_t Distance(Buffer buffer, Failed failed) {
  Operation operation;
  return reinterpret_cast<char*>(&(operation.*buffer)) -
         reinterpret_cast<char*>(&(operation.*failed));
}

// How far an operation's buffer is from what an interceptor is shown of it. The
// type of the message occurs in the class only as what a pointer points to, so
// this is the same for all.
ptrdiff_t BufferDistance() {
  static const ptrdiff_t distance = [] {
    const ptrdiff_t made =
        Distance<Receive>(Member(ReceiveBuffer()), Member(ReceiveFailed()));
    GPR_ASSERT(made ==
               Distance<GenericReceive>(Member(GenericReceiveBuffer()),
                                        Member(GenericReceiveFailed())));
    return made;
  }();
  return distance;
}

// What a set of operations knows about its call.
grpc::internal::Call* CallOf(
    grpc::experimental::InterceptorBatchMethods* methods) {
  return static_cast<grpc::internal::InterceptorBatchMethodsImpl*>(methods)
             ->*Member(BatchCall());
}

}  // namespace

const std::vector<std::unique_ptr<grpc::internal::RpcServiceMethod>>& MethodsOf(
    const grpc::Service& service) {
  return service.*Member(ServiceMethods());
}

bool HasInterceptors(const grpc::Server& server) {
  return !(server.*Member(ServerInterceptors())).empty();
}

grpc::Server::GlobalCallbacks* GlobalCallbacksOf(const grpc::Server& server) {
  return (server.*Member(ServerGlobalCallbacks())).get();
}

int MaxReceiveMessageBytes(const grpc::Server& server) {
  return server.*Member(ServerMaxReceive());
}

TakenOperations::TakenOperations(
    grpc::experimental::InterceptorBatchMethods* methods,
    ShownAgain shown_again)
    : methods_(methods), shown_again_(shown_again) {
  auto* const batch =
      static_cast<grpc::internal::InterceptorBatchMethodsImpl*>(methods);
  operations_ = batch->*Member(BatchOperations());
  operations_->SetHijackingState();
  if (shown_again == ShownAgain::kYes) return;
  // The queue was told of a second turn.
  (queue()->*Member(CompleteAvalanching()))();
  ForgetInterceptors();
  BeginForPluck(operations_->core_cq_tag());
}

void TakenOperations::FailSend() const {
  methods_->FailHijackedSendMessage();
  // It counts only for an operation that has a message, which ours has lost.
  ByteBufferAccess::Assign(grpc_raw_byte_buffer_create(nullptr, 0),
                           methods_->GetSerializedSendMessage());
}

void TakenOperations::GiveMessage(grpc_byte_buffer* message) const {
  bool* const failed =
      static_cast<grpc::internal::InterceptorBatchMethodsImpl*>(methods_)
          ->*Member(BatchReceiveFailed());
  ByteBufferAccess::Assign(
      message, reinterpret_cast<grpc::ByteBuffer*>(
                   reinterpret_cast<char*>(failed) + BufferDistance()));
}

google::protobuf::Message* TakenOperations::ReceivedProtobuf() const {
  if (!IsOfProtobuf(typeid(*operations_), "17CallOpRecvMessageI"))
    return nullptr;
  return dynamic_cast<google::protobuf::Message*>(
      static_cast<google::protobuf::MessageLite*>(methods_->GetRecvMessage()));
}

// The set of operations has its own copy of what it knows about the call, and
// looks there for interceptors.
void TakenOperations::ForgetInterceptors() const {
  grpc::internal::Call* const call = CallOf(methods_);
  *call = grpc::internal::Call(call->call(), /*call_hook=*/nullptr, call->cq());
}

grpc::CompletionQueue* TakenOperations::queue() const {
  return CallOf(methods_)->cq();
}

bool TakenOperations::is_callback() const {
  return operations_->core_cq_tag() != operations_;
}

void TakenOperations::Complete() const {
  const EndingScope scope(operations_->core_cq_tag(), queue()->cq());
  operations_->ContinueFillOpsAfterInterception();
}

void TakenOperations::CompleteUnshown() const {
  // It is not shut down before it is told that there is no second turn.
  grpc::CompletionQueue* const told = queue();
  ForgetInterceptors();
  Complete();
  (told->*Member(CompleteAvalanching()))();
}

void TakenOperations::CompleteHere() const {
  if (!CompleteForPluck(operations_->core_cq_tag())) Complete();
}

const google::protobuf::MessageLite* SentProtobuf(
    grpc::experimental::InterceptorBatchMethods* methods) {
  const Serializer& serializer =
      static_cast<grpc::internal::InterceptorBatchMethodsImpl*>(methods)
          ->*Member(BatchSerializer());
  if (!serializer || !IsOfProtobuf(serializer.target_type(),
                                   "17CallOpSendMessage14SendMessagePtrI"))
    return nullptr;
  return static_cast<const google::protobuf::MessageLite*>(
      methods->GetSendMessage());
}

void LetGo(grpc::experimental::InterceptorBatchMethods* methods) {
  auto* const operations =
      static_cast<grpc::internal::InterceptorBatchMethodsImpl*>(methods)
          ->*Member(BatchOperations());
  const EndingScope scope(operations->core_cq_tag(),
                          CallOf(methods)->cq()->cq());
  methods->Proceed();
}

bool AreComplete(grpc::experimental::InterceptorBatchMethods* methods) {
  return static_cast<grpc::internal::InterceptorBatchMethodsImpl*>(methods)
             ->*Member(BatchReverse());
}

}  // namespace grpc_shm
