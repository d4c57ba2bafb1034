// Phases from scripted events: what each shape of exchange gives, and what stays unknown.
#include "trace/phases.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace iolite_test {
namespace {

using namespace iolite;
using namespace iolite::trace;
using namespace std::chrono_literals;
using kind = switch_event::kind;

constexpr int us = 7, peer = 8, helper = 9, fd = 5;

clock::time_point at(clock::duration t) { return clock::time_point(1s + t); }

// An exchange whose data is there after 8 ms; what happens is added by the test.
class script {
 public:
  script() {
    r_.thread = us;
    r_.peer = peer;
    r_.fd = fd;
    r_.started = at(0ms);
    r_.sent_before = at(8ms - 10us);
    r_.sent_after = at(8ms + 4us);
    r_.stamp = at(8ms);
    r_.sees_switches = true;
    r_.cpu_started = 1ms;
  }
  script& made(call what, clock::duration begin, clock::duration end, long result, int on = fd) {
    r_.calls.push_back({what, on, result, at(begin), at(end), {}});
    r_.calls_made += enters_kernel(what) ? 1U : 0U;
    r_.completed = at(end + 1us);
    return *this;
  }
  script& cpu_then(clock::duration since_start) {
    r_.calls.back().cpu = r_.cpu_started + since_start;
    return *this;
  }
  script& slept(clock::duration from, clock::duration to, int thread = us) {
    r_.switches.push_back({at(from), thread, kind::slept});
    r_.switches.push_back({at(to), thread, kind::woke});
    return *this;
  }
  script& event(kind what, clock::duration when, int thread) {
    r_.switches.push_back({at(when), thread, what});
    return *this;
  }
  recording& r() { return r_; }
  exchange phases() {
    r_.cpu_completed = r_.cpu_started + 50us;
    std::ranges::sort(r_.switches, {}, &switch_event::when);
    const auto x = phases_of(r_);
    EXPECT_TRUE(x.has_value());
    return x.value_or(exchange{});
  }

 private:
  recording r_;
};

TEST(phases, a_blocking_receive_waits_and_copies_in_one_call) {
  const exchange x =
      script().made(call::recv, 1us, 8ms + 80us, 64).cpu_then(30us).slept(3us, 8ms + 75us).phases();
  EXPECT_EQ(x.waited, 8ms);
  EXPECT_EQ(x.uncertainty, 4us);
  EXPECT_TRUE(x.slept);
  EXPECT_TRUE(x.one_call);
  EXPECT_EQ(x.asleep_in, "recv");
  EXPECT_EQ(x.woke, 75us);
  EXPECT_EQ(x.t2, 80us);
  EXPECT_EQ(x.t3, 75us);
  EXPECT_EQ(x.t4, 80us);
  EXPECT_EQ(x.copied_by, copier::self);
  EXPECT_EQ(x.cpu_phase1, 30us);
  EXPECT_EQ(x.calls_phase1, 1U);
  EXPECT_EQ(x.calls_phase2, 0U);
}

TEST(phases, after_a_poller_our_own_receive_copies) {
  const exchange x = script()
                         .made(call::epoll_wait, 1us, 8ms + 80us, 1, 3)
                         .cpu_then(28us)
                         .slept(3us, 8ms + 75us)
                         .made(call::recv, 8ms + 83us, 8ms + 88us, 64)
                         .phases();
  EXPECT_EQ(x.asleep_in, "epoll_wait");
  EXPECT_FALSE(x.one_call);
  EXPECT_EQ(x.woke, 75us);
  EXPECT_EQ(x.t2, 80us);
  EXPECT_EQ(x.t3, 83us);
  EXPECT_EQ(x.t4, 88us);
  EXPECT_EQ(x.cpu_phase1, 28us);
  EXPECT_EQ(x.calls_phase1, 1U);
  EXPECT_EQ(x.calls_phase2, 1U);
}

TEST(phases, who_asks_in_vain_never_sleeps_and_learns_by_copying) {
  script s;
  for (int i = 0; i < 10; ++i)
    s.made(call::recv, 8ms - 20us + i * 2us, 8ms - 19us + i * 2us, -EAGAIN);
  s.made(call::recv, 8ms + 7us, 8ms + 15us, 64);
  s.r().calls_made = 20'000;
  s.r().cpu_completed = s.r().cpu_started;
  const exchange x = s.phases();
  EXPECT_FALSE(x.slept);
  EXPECT_FALSE(x.one_call);
  EXPECT_FALSE(x.woke.has_value());
  EXPECT_EQ(x.asleep_in, "");
  EXPECT_EQ(x.t2, 15us);
  EXPECT_EQ(x.t3, 7us);
  EXPECT_EQ(x.t4, 15us);
  EXPECT_EQ(x.calls_phase1, 19'999U);
  EXPECT_EQ(x.calls_phase2, 1U);
  EXPECT_EQ(x.cpu_phase1, 42us);  // all but the 8 us of the copy
}

TEST(phases, a_helper_copies_what_aio_read_asks_for) {
  const exchange x = script()
                         .made(call::poll, 1us, 8ms + 80us, 1, 3)
                         .cpu_then(16us)
                         .slept(3us, 8ms + 75us)
                         .made(call::aio_read, 8ms + 82us, 8ms + 90us, 0)
                         .made(call::aio_suspend, 8ms + 92us, 8ms + 140us, 0, -1)
                         .slept(8ms + 94us, 8ms + 136us)
                         .slept(1us, 8ms + 110us, helper)
                         .event(kind::slept, 8ms + 125us, helper)
                         .made(call::aio_error, 8ms + 141us, 8ms + 141us, 0, -1)
                         .made(call::aio_return, 8ms + 141us, 8ms + 141us, 64, -1)
                         .phases();
  EXPECT_EQ(x.copied_by, copier::helper);
  EXPECT_EQ(x.asleep_in, "poll");
  EXPECT_EQ(x.woke, 75us);
  EXPECT_EQ(x.t2, 80us);
  EXPECT_EQ(x.helper_woke, 110us);
  EXPECT_EQ(x.helper_done, 125us);
  EXPECT_EQ(x.t3, 110us);
  EXPECT_EQ(x.t4, 140us);
  EXPECT_EQ(x.calls_phase1, 1U);
  EXPECT_EQ(x.calls_phase2, 2U);  // aio_error(3) and aio_return(3) are no system calls
}

TEST(phases, where_nobody_asks_for_the_bytes_the_kernel_copies) {
  const exchange x = script()
                         .made(call::io_uring_enter, 1us, 3us, 1, 4)
                         .made(call::io_uring_enter, 4us, 8ms + 86us, 0, 4)
                         .cpu_then(41us)
                         .slept(6us, 8ms + 76us)
                         .phases();
  EXPECT_EQ(x.copied_by, copier::kernel);
  EXPECT_TRUE(x.one_call);
  EXPECT_EQ(x.asleep_in, "io_uring_enter");
  EXPECT_EQ(x.t2, 86us);
  EXPECT_EQ(x.t3, 76us);
  EXPECT_EQ(x.t4, 86us);
  EXPECT_EQ(x.calls_phase1, 2U);
  EXPECT_EQ(x.calls_phase2, 0U);
}

TEST(phases, without_context_switches_the_start_of_a_copy_inside_a_call_is_unknown) {
  script s;
  s.made(call::recv, 1us, 8ms + 80us, 64).cpu_then(30us);
  s.r().sees_switches = false;
  s.r().seen_asleep = true;
  s.r().looked_at = at(4ms);
  const exchange x = s.phases();
  EXPECT_TRUE(x.slept);
  EXPECT_TRUE(x.one_call);
  EXPECT_EQ(x.asleep_in, "recv");
  EXPECT_FALSE(x.woke.has_value());
  EXPECT_FALSE(x.t3.has_value());
  EXPECT_EQ(x.t4, 80us);
}

TEST(phases, without_context_switches_a_receive_of_its_own_still_has_its_times) {
  script s;
  s.made(call::poll, 1us, 8ms + 80us, 1, -1).made(call::recv, 8ms + 82us, 8ms + 88us, 64);
  s.r().sees_switches = false;
  const exchange x = s.phases();
  EXPECT_FALSE(x.slept);  // nobody has looked
  EXPECT_FALSE(x.woke.has_value());
  EXPECT_EQ(x.t2, 80us);
  EXPECT_EQ(x.t3, 82us);
  EXPECT_EQ(x.t4, 88us);
}

TEST(phases, without_a_stamp_the_data_is_there_from_the_call_of_the_sender_on) {
  script s;
  s.made(call::recv, 1us, 8ms + 80us, 64).slept(3us, 8ms + 75us);
  s.r().stamp.reset();
  const exchange x = s.phases();
  EXPECT_EQ(x.waited, 8ms - 10us);
  EXPECT_EQ(x.uncertainty, 14us);
  EXPECT_EQ(x.t4, 90us);
}

TEST(phases, tracepoints_are_exact) {
  const exchange x = script()
                         .made(call::recv, 1us, 8ms + 80us, 64)
                         .slept(3us, 8ms + 75us)
                         .event(kind::data_ready, 8ms + 9us, peer)
                         .event(kind::copy_begins, 8ms + 78us, us)
                         .event(kind::copied, 8ms + 79us, us)
                         .event(kind::copy_begins, 8ms + 10us, peer)  // of the peer's own receive
                         .phases();
  EXPECT_EQ(x.uncertainty, 0us);
  EXPECT_EQ(x.waited, 8ms + 9us);
  EXPECT_EQ(x.woke, 66us);
  EXPECT_EQ(x.t3, 69us);
  EXPECT_EQ(x.t4, 70us);
}

TEST(phases, a_thread_that_is_preempted_does_not_sleep) {
  script s;
  s.made(call::recv, 8ms + 7us, 8ms + 15us, 64);
  s.event(kind::preempted, 1ms, us).event(kind::woke, 2ms, us);
  const exchange x = s.phases();
  EXPECT_FALSE(x.slept);
  ASSERT_EQ(x.rests.size(), 1U);
  EXPECT_TRUE(x.rests[0].preempted);
}

TEST(phases, a_message_in_parts_is_copied_from_its_first_to_its_last) {
  const exchange x = script()
                         .made(call::poll, 1us, 8ms + 80us, 1, -1)
                         .slept(3us, 8ms + 75us)
                         .made(call::recv, 8ms + 82us, 8ms + 88us, 1000)
                         .made(call::recv, 8ms + 90us, 8ms + 99us, 64)
                         .phases();
  EXPECT_EQ(x.t2, 80us);
  EXPECT_EQ(x.t3, 82us);
  EXPECT_EQ(x.t4, 99us);
  EXPECT_EQ(x.calls_phase2, 2U);
}

TEST(phases, of_a_receive_that_brought_nothing_there_are_none) {
  script s;
  s.made(call::recv, 1us, 2us, -ECONNRESET);
  EXPECT_FALSE(phases_of(s.r()).has_value());
}

}  // namespace
}  // namespace iolite_test
