// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A server that breaks one rule of the protocol after the other, against a
// client process. The client's call ends with a status that says what was
// wrong, its next call to an honest server is as any other, it holds nothing
// more, and comes to rest.

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/integration/transport_test.h"
#include "tests/malformed/health.h"
#include "tests/malformed/raw_link.h"

namespace grpc_shm {
namespace testing {
namespace {

using ::testing::HasSubstr;

constexpr uint8_t kWhole = kMessageBegin | kMessageEnd;
constexpr size_t kRingBytes = size_t{256} << 10;

// A client process, and an honest server for it.
class VictimClient {
 public:
  explicit VictimClient(Transport transport)
      : transport_(transport),
        honest_(NewAddress(transport)),
        evil_(NewAddress(transport)),
        client_("call_driver") {
    ServerConfig config;
    config.add_addresses(honest_);
    auto server = TestServer::Start(transport, config);
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    // Everything that a process makes only once, it makes now.
    Connect(evil_);
    StartCall(UNARY);
    EXPECT_NE(AwaitCall().code(), 0);
    CallHonestly();
    EXPECT_TRUE(ComesToRest(client_.pid()));
    before_ = ResourcesOf(client_.pid());
    const std::string name = evil_.substr(evil_.find(':') + 1);
    listening_ =
        ListenRaw(absl::StrCat(RendezvousDirectory(), "/", name, ".sock"));
  }

  ~VictimClient() {
    const int status = client_.Finish();
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }

  // The address at which this test is the server.
  const std::string& evil() const { return evil_; }

  // Has the client make a call to this test; what it connects with.
  UniqueFd AcceptCall(CallKind kind = BIDI) {
    Connect(evil_);
    StartCall(kind);
    for (;;) {
      UniqueFd socket = AcceptRaw(listening_.get());
      // A former channel may have tried once more before it was given up.
      pollfd poll_fd = {socket.get(), POLLRDHUP, 0};
      if (poll(&poll_fd, 1, 0) == 0) return socket;
    }
  }

  CallResult AwaitCall() {
    ControlRequest request;
    request.mutable_await_calls()->set_timeout_ms(
        absl::ToInt64Milliseconds(2 * kPatience));
    const ControlReply reply = client_.Command(request);
    EXPECT_EQ(reply.results_size(), 1) << reply.message();
    return reply.results_size() == 1 ? reply.results(0) : CallResult();
  }

  void ExpectUnharmed() {
    CallHonestly();
    EXPECT_TRUE(Eventually([this] {
      const ProcessResources now = ResourcesOf(client_.pid());
      return now.descriptors <= before_.descriptors &&
             now.memfd_mappings <= before_.memfd_mappings;
    })) << "now "
        << ResourcesOf(client_.pid()) << ", before " << before_;
    EXPECT_TRUE(ComesToRest(client_.pid()));
  }

 private:
  void Connect(const std::string& target) {
    ControlRequest request;
    request.mutable_connect()->set_target(target);
    request.mutable_connect()->set_without_typed_calls(
        !MakesTypedCalls(transport_));
    EXPECT_EQ(client_.Command(request).code(), 0);
  }

  void StartCall(CallKind kind) {
    ControlRequest request;
    request.mutable_start_calls()->set_count(1);
    request.mutable_start_calls()->set_kind(kind);
    request.mutable_start_calls()->set_request_bytes(100);
    request.mutable_start_calls()->set_timeout_ms(
        absl::ToInt64Milliseconds(kPatience));
    EXPECT_EQ(client_.Command(request).code(), 0);
  }

  void CallHonestly() {
    Connect(honest_);
    StartCall(UNARY);
    const CallResult result = AwaitCall();
    EXPECT_EQ(result.code(), 0) << result.message();
  }

  const Transport transport_;
  const std::string honest_;
  const std::string evil_;
  std::unique_ptr<TestServer> server_;
  ChildProcess client_;
  ProcessResources before_;
  UniqueFd listening_;
};

// One client for all attacks of a kind: what one leaves behind, the next finds.
VictimClient& Victim(Transport transport) {
  static auto* const victims =
      new std::map<Transport, std::unique_ptr<VictimClient>>;
  class Removal : public ::testing::Environment {
    void TearDown() override { victims->clear(); }
  };
  static const auto* const removal =
      ::testing::AddGlobalTestEnvironment(new Removal);
  (void)removal;
  std::unique_ptr<VictimClient>& victim = (*victims)[transport];
  if (victim == nullptr) victim = std::make_unique<VictimClient>(transport);
  return *victim;
}

// ---- The hand-shake

// A Welcome and its descriptors, good but for what an attack does to them.
struct Offer {
  wire::Answer answer = GoodWelcome(kRingBytes);
  std::vector<UniqueFd> descriptors;

  Offer() {
    descriptors.push_back(MakeRawSegment(kRingBytes));
    descriptors.push_back(MakeRawDoorbell());
    descriptors.push_back(MakeRawDoorbell());
  }
  wire::Welcome& welcome() { return *answer.mutable_welcome(); }

  // Lets `spoil` change the first page of the segment.
  void Spoil(const std::function<void(LinkHeader&)>& spoil) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    void* const at = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED,
                          descriptors[0].get(), 0);
    ASSERT_NE(at, MAP_FAILED);
    spoil(*static_cast<LinkHeader*>(at));
    munmap(at, page);
  }
};

// A memfd of `bytes` bytes with these seals.
UniqueFd Memfd(size_t bytes, int seals) {
  UniqueFd memfd(memfd_create("evil", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(ftruncate(memfd.get(), static_cast<off_t>(bytes)), 0);
  EXPECT_EQ(fcntl(memfd.get(), F_ADD_SEALS, seals), 0);
  return memfd;
}

size_t GoodBytes() {
  return SegmentBytes(static_cast<size_t>(sysconf(_SC_PAGESIZE)), kRingBytes);
}

constexpr int kAllSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

struct BadOffer {
  const char* name;
  std::function<void(Offer&)> spoil;
};

std::vector<BadOffer> BadOffers() {
  return {
      {"AnotherMagic", [](Offer& offer) { offer.answer.set_magic(1); }},
      {"AnotherVersion", [](Offer& offer) { offer.answer.set_version(99); }},
      {"NothingInIt", [](Offer& offer) { offer.answer.clear_result(); }},
      {"RefusedForNoReason",
       [](Offer& offer) {
         offer.answer.mutable_refused()->set_code(0);
         offer.descriptors.clear();
       }},
      {"RefusedForAStrangeReason",
       [](Offer& offer) {
         offer.answer.mutable_refused()->set_code(-12345);
         offer.answer.mutable_refused()->set_message(
             std::string("\xff\0%s%n\n", 7));
         offer.descriptors.clear();
       }},
      {"NoDescriptors", [](Offer& offer) { offer.descriptors.clear(); }},
      {"TwoDescriptors", [](Offer& offer) { offer.descriptors.pop_back(); }},
      {"TenDescriptors",
       [](Offer& offer) {
         while (offer.descriptors.size() < 10)
           offer.descriptors.push_back(MakeRawDoorbell());
       }},
      {"DescriptorsInDisorder",
       [](Offer& offer) {
         std::swap(offer.descriptors[0], offer.descriptors[2]);
       }},
      {"AnUnsealedSegment",
       [](Offer& offer) { offer.descriptors[0] = Memfd(GoodBytes(), 0); }},
      {"ASegmentThatMayShrink",
       [](Offer& offer) {
         offer.descriptors[0] = Memfd(GoodBytes(), F_SEAL_GROW | F_SEAL_SEAL);
       }},
      {"ASegmentThatIsReadOnly",
       [](Offer& offer) {
         offer.descriptors[0] = Memfd(GoodBytes(), kAllSeals | F_SEAL_WRITE);
       }},
      {"ASegmentTooSmall",
       [](Offer& offer) { offer.descriptors[0] = Memfd(4096, kAllSeals); }},
      {"ASegmentOfNothing",
       [](Offer& offer) { offer.descriptors[0] = Memfd(0, kAllSeals); }},
      {"AHugeSegment",
       [](Offer& offer) {
         offer.descriptors[0] = Memfd(size_t{1} << 40, kAllSeals);
       }},
      {"AFileAsSegment",
       [](Offer& offer) {
         offer.descriptors[0] =
             UniqueFd(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
       }},
      {"APipeAsDoorbell",
       [](Offer& offer) {
         int ends[2];
         ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
         UniqueFd reading(ends[0]);
         offer.descriptors[1] = UniqueFd(ends[1]);
       }},
      {"TheNullDeviceAsDoorbell",
       [](Offer& offer) {
         offer.descriptors[2] = UniqueFd(open("/dev/null", O_RDWR | O_CLOEXEC));
       }},
      {"RingsOfNothing",
       [](Offer& offer) { offer.welcome().set_ring_bytes(0); }},
      {"RingsOfNoPowerOfTwo",
       [](Offer& offer) { offer.welcome().set_ring_bytes(3 << 14); }},
      {"RingsOfEverything",
       [](Offer& offer) { offer.welcome().set_ring_bytes(~uint64_t{0}); }},
      {"RingsThatWrapAround",
       [](Offer& offer) { offer.welcome().set_ring_bytes(uint64_t{1} << 63); }},
      {"NoWindow", [](Offer& offer) { offer.welcome().set_window_bytes(0); }},
      {"AnEndlessWindow",
       [](Offer& offer) { offer.welcome().set_window_bytes(~uint32_t{0}); }},
      {"AHeaderOfNothing",
       [](Offer& offer) { offer.welcome().set_header_bytes(0); }},
      {"AHeaderThatWrapsAround",
       [](Offer& offer) { offer.welcome().set_header_bytes(~uint64_t{4095}); }},
      {"SegmentWithoutMagic",
       [](Offer& offer) { offer.Spoil([](LinkHeader& h) { h.magic = 0; }); }},
      {"SegmentOfAnotherVersion",
       [](Offer& offer) { offer.Spoil([](LinkHeader& h) { h.version = 9; }); }},
      {"SegmentWithAnotherHeaderSize",
       [](Offer& offer) {
         offer.Spoil([](LinkHeader& h) { h.header_bytes = 128; });
       }},
      {"SegmentWithAnotherRingSize",
       [](Offer& offer) {
         offer.Spoil([](LinkHeader& h) { h.ring_bytes = 1; });
       }},
      {"SegmentWithAnotherSize",
       [](Offer& offer) {
         offer.Spoil([](LinkHeader& h) { h.segment_bytes = 0; });
       }},
  };
}

std::vector<Transport> Ways() {
  return {Transport::kShmTyped, Transport::kShmUniversal};
}

class BadOfferTest
    : public ::testing::TestWithParam<std::tuple<Transport, BadOffer>> {};

TEST_P(BadOfferTest, FailsTheCallThatWantedALink) {
  VictimClient& victim = Victim(std::get<0>(GetParam()));
  {
    UniqueFd socket = victim.AcceptCall();
    ASSERT_TRUE(ReceiveRaw(socket.get()).has_value());
    Offer offer;
    std::get<1>(GetParam()).spoil(offer);
    std::vector<int> raw;
    for (const UniqueFd& fd : offer.descriptors) raw.push_back(fd.get());
    ASSERT_TRUE(SendRaw(socket.get(), offer.answer.SerializeAsString(), raw));
    const CallResult result = victim.AwaitCall();
    EXPECT_TRUE(result.code() == grpc::StatusCode::INVALID_ARGUMENT ||
                result.code() == grpc::StatusCode::FAILED_PRECONDITION)
        << result.code();
    EXPECT_THAT(result.message(), HasSubstr(victim.evil() + ": "));
    ExpectHangUp(socket.get());
  }
  victim.ExpectUnharmed();
}

INSTANTIATE_TEST_SUITE_P(Each, BadOfferTest,
                         ::testing::Combine(::testing::ValuesIn(Ways()),
                                            ::testing::ValuesIn(BadOffers())),
                         [](const auto& info) {
                           return absl::StrCat(
                               std::get<1>(info.param).name, "_",
                               TransportName(std::get<0>(info.param)));
                         });

class SilentServerTest : public ::testing::TestWithParam<Transport> {
 protected:
  VictimClient& victim() { return Victim(GetParam()); }
};

TEST_P(SilentServerTest, MayHangUp) {
  victim().AcceptCall().reset();
  const CallResult result = victim().AwaitCall();
  EXPECT_EQ(result.code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(result.message(), HasSubstr(victim().evil()));
  victim().ExpectUnharmed();
}

TEST_P(SilentServerTest, MayHangUpRightAfterItsWelcome) {
  {
    absl::optional<RawLink> link = RawLink::Welcome(victim().AcceptCall());
    ASSERT_TRUE(link.has_value());
  }
  EXPECT_EQ(victim().AwaitCall().code(), grpc::StatusCode::UNAVAILABLE);
  victim().ExpectUnharmed();
}

TEST_P(SilentServerTest, MaySendGarbage) {
  for (const std::string& bytes :
       {std::string("x"), std::string(4096, '\xff'), std::string(60000, 'y')}) {
    UniqueFd socket = victim().AcceptCall();
    ASSERT_TRUE(SendRaw(socket.get(), bytes));
    EXPECT_EQ(victim().AwaitCall().code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
  victim().ExpectUnharmed();
}

INSTANTIATE_TEST_SUITE_P(Each, SilentServerTest, ::testing::ValuesIn(Ways()),
                         [](const auto& info) {
                           return TransportName(info.param);
                         });

// ---- On the link

// What a server does with call 1, which is there.
struct Attack {
  const char* name;
  std::function<void(RawLink&)> commit;
  // How the call ends, and part of what is said.
  int code;
  const char* told;
};

void PutHeader(RawLink& link, uint32_t length, uint8_t type, uint8_t flags = 0,
               uint16_t reserved = 0, uint64_t call_id = 1) {
  link.Put({length, type, flags, reserved, call_id}, "");
  link.Publish();
}

void SetTail(RawLink& link, uint64_t tail) {
  link.out().tail.store(tail);
  link.RingDoorbell();
}

void Answer(RawLink& link, int code, const std::string& message = "") {
  wire::Trailers trailers;
  trailers.set_code(code);
  trailers.set_message(message);
  link.Write(FrameType::kTrailers, 1, trailers.SerializeAsString());
}

std::vector<Attack> Attacks() {
  constexpr int kUnavailable = grpc::StatusCode::UNAVAILABLE;
  constexpr int kExhausted = grpc::StatusCode::RESOURCE_EXHAUSTED;
  static constexpr char kBroke[] = "broke the link protocol";
  return {
      {"UnknownType", [](RawLink& link) { PutHeader(link, 0, 77); },
       kUnavailable, kBroke},
      {"TypeOfAClient", [](RawLink& link) { PutHeader(link, 0, 1); },
       kUnavailable, kBroke},
      {"UnknownFlags", [](RawLink& link) { PutHeader(link, 0, 2, 1); },
       kUnavailable, kBroke},
      {"ReservedBits", [](RawLink& link) { PutHeader(link, 0, 2, 0, 7); },
       kUnavailable, kBroke},
      {"CallThatNeverWas",
       [](RawLink& link) { PutHeader(link, 0, 2, 0, 0, 1000); }, kUnavailable,
       kBroke},
      {"LengthBeyondTheRing",
       [](RawLink& link) { PutHeader(link, ~uint32_t{0}, 2); }, kUnavailable,
       kBroke},
      {"TailMovesBack",
       [](RawLink& link) {
         link.Write(FrameType::kInitialMetadata, 1);
         while (link.out().head.load() != link.tail()) sched_yield();
         SetTail(link, 0);
         // Until it looks again.
         while (!link.HungUp()) {
           link.RingDoorbell();
           sched_yield();
         }
       },
       kUnavailable, kBroke},
      {"TailBeyondTheRing",
       [](RawLink& link) { SetTail(link, link.ring_bytes() + 16); },
       kUnavailable, kBroke},
      {"TailBetweenRecords", [](RawLink& link) { SetTail(link, 8); },
       kUnavailable, kBroke},
      {"InitialMetadataTwice",
       [](RawLink& link) {
         link.Write(FrameType::kInitialMetadata, 1);
         link.Write(FrameType::kInitialMetadata, 1);
       },
       kUnavailable, kBroke},
      {"MetadataThatIsNoProtobuf",
       [](RawLink& link) {
         link.Write(FrameType::kInitialMetadata, 1, "\xff\xff");
       },
       kUnavailable, kBroke},
      {"TrailersThatAreNoProtobuf",
       [](RawLink& link) { link.Write(FrameType::kTrailers, 1, "\xff\xff"); },
       kUnavailable, kBroke},
      {"GoAwayThatIsNoProtobuf",
       [](RawLink& link) { link.Write(FrameType::kGoAway, 0, "\xff\xff"); },
       kUnavailable, kBroke},
      {"CreditOverflow",
       [](RawLink& link) {
         link.Write(FrameType::kCredit, 1, "\xff\xff\xff\xff");
       },
       kUnavailable, kBroke},
      {"FragmentWithoutAFirst",
       [](RawLink& link) { link.Write(FrameType::kMessage, 1, "x"); },
       kUnavailable, kBroke},
      {"MessageLongerThanAnnounced",
       [](RawLink& link) {
         link.Write(FrameType::kMessage, 1, FirstFragment(3, "x"),
                    kMessageBegin);
         link.Write(FrameType::kMessage, 1, "xyz");
       },
       kUnavailable, kBroke},
      {"PacketAfterTheHandshake",
       [](RawLink& link) { SendRaw(link.socket(), "psst"); }, kUnavailable,
       kBroke},
      {"DoorbellThatRingsForNothing",
       [](RawLink& link) {
         while (!link.HungUp()) {
           link.RingDoorbell();
           sched_yield();
         }
       },
       kUnavailable, kBroke},
      {"NothingButOnes",
       [](RawLink& link) {
         std::memset(link.segment(), 0xff, link.segment_bytes());
         link.RingDoorbell();
       },
       kUnavailable, kBroke},
      {"HangsUpWithinAMessage",
       [](RawLink& link) {
         link.Write(FrameType::kMessage, 1, FirstFragment(1000, "x"),
                    kMessageBegin);
         shutdown(link.socket(), SHUT_RDWR);
       },
       kUnavailable, "exited or closed the link"},
      {"MessageTooLarge",
       [](RawLink& link) {
         link.Write(FrameType::kMessage, 1, FirstFragment(~uint64_t{0}, "x"),
                    kMessageBegin);
       },
       kExhausted, "larger than max"},
      {"MetadataBomb",
       [](RawLink& link) {
         wire::InitialMetadata bomb;
         for (size_t i = 0; i < MaxRecordPayload(link.ring_bytes()) / 2; ++i)
           bomb.add_metadata();
         link.Write(FrameType::kInitialMetadata, 1, bomb.SerializeAsString());
       },
       kExhausted, "metadata"},
      {"MetadataBombAtTheEnd",
       [](RawLink& link) {
         wire::Trailers bomb;
         for (size_t i = 0; i < MaxRecordPayload(link.ring_bytes()) / 2; ++i)
           bomb.add_metadata();
         link.Write(FrameType::kTrailers, 1, bomb.SerializeAsString());
       },
       kExhausted, "metadata"},
      {"MetadataThatIsIllegal",
       [](RawLink& link) {
         wire::InitialMetadata initial;
         wire::Trailers trailers;
         trailers.set_code(5);
         for (const std::string& key :
              {std::string(), std::string(":status"), std::string("Upper"),
               std::string("\0", 1), std::string("grpc-status"),
               std::string("grpc-shm-channel"), std::string("a b")}) {
           for (auto* metadata :
                {initial.mutable_metadata(), trailers.mutable_metadata()}) {
             wire::Metadatum* const field = metadata->Add();
             field->set_key(key);
             field->set_value(std::string("\0\xff\n", 3));
           }
         }
         link.Write(FrameType::kInitialMetadata, 1,
                    initial.SerializeAsString());
         link.Write(FrameType::kTrailers, 1, trailers.SerializeAsString());
       },
       5, ""},
      {"StatusThatCannotBe", [](RawLink& link) { Answer(link, 12345, "what"); },
       grpc::StatusCode::UNKNOWN, "what"},
      {"StatusOfBinaryWords",
       [](RawLink& link) { Answer(link, 3, std::string("\xff\xfe\n", 3)); }, 3,
       ""},
      {"AnswerThatIsNoProtobuf",
       [](RawLink& link) {
         link.Write(FrameType::kMessage, 1, "\xff\xff\xff", kWhole);
         Answer(link, 9);
       },
       9, ""},
      {"ManyGoAways",
       [](RawLink& link) {
         for (int i = 0; i < 1000; ++i) link.Write(FrameType::kGoAway, 0);
         Answer(link, 6);
       },
       6, ""},
      {"RecordsThatChange",
       [](RawLink& link) {
         std::atomic<bool> stop{false};
         std::thread mutator([&link, &stop] {
           std::minstd_rand random(2026);
           while (!stop.load()) {
             std::byte* const at =
                 link.out_data() + random() % (link.ring_bytes() / 8) * 8;
             __atomic_store_n(reinterpret_cast<uint64_t*>(at), random(),
                              __ATOMIC_RELAXED);
           }
         });
         // Of calls that are over, too: then they mean nothing.
         while (link.Write(FrameType::kCredit, 1, std::string(4, '\0')) &&
                link.Write(FrameType::kInitialMetadata, 1,
                           std::string(200, '\0'))) {
           while (link.Read().has_value()) {
           }
         }
         stop.store(true);
         mutator.join();
       },
       -1, ""},
  };
}

class HostileServerTest
    : public ::testing::TestWithParam<std::tuple<Transport, Attack>> {};

TEST_P(HostileServerTest, FailsItsCallAndNothingElse) {
  VictimClient& victim = Victim(std::get<0>(GetParam()));
  const Attack& attack = std::get<1>(GetParam());
  {
    absl::optional<RawLink> link =
        RawLink::Welcome(victim.AcceptCall(), kRingBytes);
    ASSERT_TRUE(link.has_value());
    const absl::optional<RawLink::Frame> call = link->AwaitFrame();
    ASSERT_TRUE(call.has_value());
    ASSERT_EQ(call->header.type, static_cast<uint8_t>(FrameType::kCall));
    attack.commit(*link);
    const CallResult result = victim.AwaitCall();
    if (attack.code >= 0) {
      EXPECT_EQ(result.code(), attack.code) << result.message();
      EXPECT_THAT(result.message(), HasSubstr(attack.told));
    } else {
      EXPECT_NE(result.code(), 0);
    }
  }
  victim.ExpectUnharmed();
}

class TalkativeServerTest
    : public ::testing::TestWithParam<std::tuple<Transport, CallKind>> {};

// Where the method has one answer: whether the second comes with the first or
// after it, and whether or not the call's end comes behind it.
TEST_P(TalkativeServerTest, MayAnswerTwice) {
  VictimClient& victim = Victim(std::get<0>(GetParam()));
  for (const bool apart : {false, true}) {
    for (const bool ends : {false, true}) {
      absl::optional<RawLink> link = RawLink::Welcome(
          victim.AcceptCall(std::get<1>(GetParam())), kRingBytes);
      ASSERT_TRUE(link.has_value());
      ASSERT_TRUE(link->AwaitFrame().has_value());
      if (apart) {
        link->Write(FrameType::kMessage, 1, "", kWhole);
        while (link->out().head.load() != link->tail()) sched_yield();
        link->Write(FrameType::kMessage, 1, "", kWhole);
      } else {
        link->Put({0, static_cast<uint8_t>(FrameType::kMessage), kWhole, 0, 1},
                  "");
        link->Write(FrameType::kMessage, 1, "", kWhole);
      }
      if (ends) Answer(*link, 0);
      const CallResult result = victim.AwaitCall();
      EXPECT_EQ(result.code(), grpc::StatusCode::UNIMPLEMENTED);
      EXPECT_THAT(result.message(), HasSubstr("more than the one answer"));
    }
  }
  victim.ExpectUnharmed();
}

INSTANTIATE_TEST_SUITE_P(Each, TalkativeServerTest,
                         ::testing::Combine(::testing::ValuesIn(Ways()),
                                            ::testing::Values(UNARY,
                                                              CLIENT_STREAM)),
                         [](const auto& info) {
                           return absl::StrCat(
                               CallKind_Name(std::get<1>(info.param)), "_",
                               TransportName(std::get<0>(info.param)));
                         });

INSTANTIATE_TEST_SUITE_P(Each, HostileServerTest,
                         ::testing::Combine(::testing::ValuesIn(Ways()),
                                            ::testing::ValuesIn(Attacks())),
                         [](const auto& info) {
                           return absl::StrCat(
                               std::get<1>(info.param).name, "_",
                               TransportName(std::get<0>(info.param)));
                         });

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
