// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MAILBOX_WAKE_EVERYBODY_H_
#define GRPC_SHM_TRANSPORT_MAILBOX_WAKE_EVERYBODY_H_

#include "transport/base/futex.h"
#include "transport/mailbox/eventcount.h"
#include "transport/mailbox/mailbox_layout.h"

namespace grpc_shm {

using Eventcount = BasicEventcount<StdAtomics, Futex>;

// Wakes all who sleep in a mailbox, so that they look again.
inline void WakeEverybody(MailboxControl& control) {
  Eventcount(&control.message_event).NotifyAll();
  Eventcount(&control.room_event).NotifyAll();
}

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MAILBOX_WAKE_EVERYBODY_H_
