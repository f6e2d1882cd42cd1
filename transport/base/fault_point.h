// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_BASE_FAULT_POINT_H_
#define GRPC_SHM_TRANSPORT_BASE_FAULT_POINT_H_

// Named places between two steps of a protocol, at which a test lets a process
// die or stop:
//
//   GRPC_SHM_FAULT_POINT(RingTailStored);
//
// A process whose environment has GRPC_SHM_FAULT_POINT=NAME:NTH:ACTION does
// ACTION when a thread of its reaches the point NAME for the NTH time (from 1):
//
//   kill  SIGKILL to itself
//   stop  SIGSTOP to itself; goes on after a SIGCONT
//   exit  _exit(0): no destructor runs, but it looks like success
//
// A variable that means nothing aborts: a test whose point does not exist must
// not pass. Release builds (NDEBUG, as Bazel's -c opt has it) contain neither
// the points nor their names; tests/crash/fault_point_release_test.sh looks.
//
// Every name is in this list, and tests/crash/fault_point_test.cc fails for one
// that no process reaches.
#define GRPC_SHM_FAULT_POINT_LIST(X)                                       \
  /* A server takes a name. */                                             \
  X(NameLockOpened) /* the lock's file exists, and is not locked */        \
  X(NameLocked)     /* no socket yet */                                    \
  X(NameBound)      /* a socket under its temporary name */                \
  X(NameListening)  /* the same, listening */                              \
  X(NamePublished)  /* renamed: clients find it */                         \
  /* A server gives it back. */                                            \
  X(NameReleasing)     /* does not accept any more; the socket is there */ \
  X(NameSocketRemoved) /* still locked */                                  \
  /* A client cleans up after a dead server. */                            \
  X(CleanerLocked)                                                         \
  X(CleanerRemovedSocket)                                                  \
  /* The client's hand-shake. */                                           \
  X(ClientConnected) /* nothing said */                                    \
  X(ClientHelloSent)                                                       \
  X(ClientWelcomeReceived) /* has the descriptors */                       \
  X(ClientSegmentMapped)                                                   \
  X(ClientLinked) /* has a link, which nobody serves yet */                \
  /* The server's. */                                                      \
  X(ServerAccepted)                                                        \
  X(ServerHelloReceived)                                                   \
  X(ServerSegmentMade)                                                     \
  X(ServerDoorbellsMade)                                                   \
  X(ServerWelcomeSent) /* the client may use the link already */           \
  /* The ring's producer. */                                               \
  X(RingReserved)      /* and nothing written */                           \
  X(RingCommitted)     /* a whole record that is not published */          \
  X(RingTailStored)    /* published; whether to ring is not known */       \
  X(RingArmedForSpace) /* about to sleep until there is space */           \
  /* Its consumer. */                                                      \
  X(RingPopped)     /* read, but its space not given back */               \
  X(RingHeadStored) /* given back; whether to ring is not known */         \
  X(RingArmed)      /* about to sleep until there is a record */           \
  /* Either. */                                                            \
  X(DoorbellTaken) /* the peer sleeps and relies on the bell */            \
  X(DoorbellRung)                                                          \
  /* A session. */                                                         \
  X(FramesRead)   /* and nobody told what they say */                      \
  X(GoAwayQueued) /* refuses calls; the peer does not know */              \
  X(GoAwaySent)                                                            \
  X(SessionClosing) /* the calls are told nothing yet */                   \
  X(SessionClosed)  /* the link is gone; the calls are told nothing yet */

namespace grpc_shm {

enum class FaultPoint {
#define GRPC_SHM_X(name) k##name,
  GRPC_SHM_FAULT_POINT_LIST(GRPC_SHM_X)
#undef GRPC_SHM_X
};

#ifdef NDEBUG
#define GRPC_SHM_FAULT_POINT(name) static_cast<void>(0)
inline void ReachFaultPoint(FaultPoint) {}
#else
#define GRPC_SHM_FAULT_POINT(name) \
  ::grpc_shm::ReachFaultPoint(::grpc_shm::FaultPoint::k##name)

// All names, in the order of the enumerators, and a null pointer.
inline constexpr const char* kFaultPointNames[] = {
#define GRPC_SHM_X(name) #name,
    GRPC_SHM_FAULT_POINT_LIST(GRPC_SHM_X)
#undef GRPC_SHM_X
        nullptr,
};

// Does what the environment says. Any thread; safe under any lock.
void ReachFaultPoint(FaultPoint point);
#endif

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_BASE_FAULT_POINT_H_
