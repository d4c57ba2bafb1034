// Faults of the program itself and of its process: descriptors closed too soon, twice, or used
// again; signals, forks, threads and memory that are not to be had.
#include "fixture.hpp"

#include "../torture/memory.hpp"
#include "models/backends.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <optional>
#include <pthread.h>
#include <sys/time.h>
#include <thread>
#include <unistd.h>

namespace iolite_test {
namespace {

using namespace iolite;

// --- F09: memory ---

task<> echo_some(stream& peer, bool& answered) {
  std::array<std::byte, 16> into;
  const auto n = co_await peer.recv(into);
  if (!n || *n == 0) co_return;
  const auto sent = co_await peer.send_all(std::span<const std::byte>(into).first(*n));
  answered = sent.has_value();
}
task<> echo_in_a_child(stream& peer, bool& answered) {
  scope children;
  children.spawn(echo_some(peer, answered));
  co_await children.join();
}

// On a thread of its own, which has no memory of earlier tasks to use again. False: nothing failed.
bool fail_allocation(iolite::engine& e, std::uint64_t nth) {
  half_pair hurt = unix_half(e);
  hurt.theirs.send_all("one");
  bool answered = false;
  memory::arm(nth);
  try {
    e.run(echo_in_a_child(hurt.ours, answered));
  } catch (const std::bad_alloc&) {
    EXPECT_FALSE(answered);
  }
  const memory::counted seen = memory::disarm();
  EXPECT_TRUE(answered || seen.failed > 0) << "when none fails";
  half_pair other = unix_half(e);
  other.theirs.send_all("two");
  answered = false;
  e.run(echo_in_a_child(other.ours, answered));
  EXPECT_TRUE(answered) << "after allocation " << nth;
  return seen.failed > 0;
}

TEST_P(fault_matrix, F09_an_allocation_that_fails_costs_one_connection) {
  bool fails = true;
  for (std::uint64_t nth = 1; fails; ++nth) {
    std::thread([&] { fails = fail_allocation(*another(), nth); }).join();
    happened(fails ? 1 : 0);
  }
}

// --- F17, F18, F19, F20, F22: descriptors ---

task<> receive_once(stream& from, outcome& out) {
  const auto r = co_await receive(from);
  out.set(r);
}
task<> close_while_pending(half_pair& p, outcome& out) {
  scope s;
  s.spawn(receive_once(p.ours, out));
  co_await let_others_run();
  p.ours.close();
  co_await s.join();
}

TEST_P(fault_matrix_of_loops, F17_a_close_ends_what_is_pending) {
  iolite::engine& e = on({});
  half_pair p = unix_half(e);
  outcome out;
  e.run(close_while_pending(p, out));
  EXPECT_EQ(out.times, 1);
  EXPECT_EQ(out.code, std::errc::operation_canceled);
  happened(out.code == std::errc::operation_canceled ? 1 : 0);
}

// A pair of which our side has this number.
half_pair pair_on(iolite::engine& e, int number) {
  raw_pair p = raw_unix_pair();
  if (p.a.fd() != number) {
    EXPECT_EQ(e.os().dup3(p.a.fd(), number, O_CLOEXEC), number);
    p.a = raw_socket(number);
  }
  return {adopt(e, std::move(p.a)), std::move(p.b)};
}

TEST_P(fault_matrix, F18_a_second_close_does_not_close_who_has_the_number_now) {
  iolite::engine& e = on({});
  half_pair first = unix_half(e);
  first.theirs.send_all("stale");
  const int number = first.ours.native_handle();
  first.ours.close();
  half_pair second = pair_on(e, number);
  happened(second.ours.native_handle() == number ? 1 : 0);
  first.ours.close();
  second.theirs.send_all("fresh");
  EXPECT_EQ(e.run(receive(second.ours)).value_or("error"), "fresh");
  int error = 0;
  EXPECT_EQ(first.theirs.recv_until_gone(error), "");
}

constexpr std::size_t batch = 64;
struct one_batch {
  std::vector<half_pair> old;
  std::vector<std::unique_ptr<half_pair>> anew;
  std::vector<std::string> heard;
  bool replaced = false;
};
task<> hear_anew(half_pair& p, std::string& heard) {
  const auto r = co_await receive(p.ours);
  heard = r.value_or("error");
}
// The first one of the batch to run closes the others, opens new ones on their numbers and tells
// these something else.
task<> replace_the_others(iolite::engine& e, one_batch& b, std::size_t mine, scope& more) {
  const auto r = co_await receive(b.old[mine].ours);
  if (std::exchange(b.replaced, true)) co_return;
  EXPECT_EQ(r.value_or("error"), "old");
  for (std::size_t i = 0; i < batch; ++i) {
    if (i == mine) continue;
    const int number = b.old[i].ours.native_handle();
    b.old[i].ours.close();
    b.anew[i] = std::make_unique<half_pair>(pair_on(e, number));
    more.spawn(hear_anew(*b.anew[i], b.heard[i]));
  }
  for (std::size_t i = 0; i < batch; ++i) {
    if (b.anew[i]) b.anew[i]->theirs.send_all("new");
  }
}
task<> play_batch(iolite::engine& e, one_batch& b) {
  scope readers, more;
  for (std::size_t i = 0; i < batch; ++i) readers.spawn(replace_the_others(e, b, i, more));
  co_await let_others_run();
  for (half_pair& p : b.old) p.theirs.send_all("old");
  co_await readers.join();
  co_await more.join();
}

TEST_P(fault_matrix_of_loops, F19_a_number_used_again_within_a_batch_gets_its_own_bytes) {
  iolite::engine& e = on({});
  one_batch b;
  for (std::size_t i = 0; i < batch; ++i) b.old.push_back(unix_half(e));
  b.anew.resize(batch);
  b.heard.resize(batch);
  e.run(play_batch(e, b));
  for (std::size_t i = 0; i < batch; ++i) {
    if (!b.anew[i]) continue;
    EXPECT_EQ(b.heard[i], "new");
    happened();
  }
}

TEST_P(fault_matrix, F20_a_duplicate_left_open_disturbs_nobody) {
  iolite::engine& e = on({});
  half_pair first = unix_half(e);
  first.theirs.send_all("one");
  EXPECT_EQ(e.run(receive(first.ours)).value_or("error"), "one");
  const int number = first.ours.native_handle();
  const raw_socket duplicate(e.os().fcntl(number, F_DUPFD_CLOEXEC, 100));
  first.ours.close();
  half_pair second = pair_on(e, number);
  first.theirs.send_all("for the duplicate");
  const double before = cpu_seconds();
  const auto none = e.run(receive_within(second.ours, 20ms));
  EXPECT_FALSE(none) << *none;
  if (!is("nonblocking")) {
    EXPECT_LT(cpu_seconds() - before, 0.015) << "it is told of it again and again";
  }
  EXPECT_EQ(duplicate.recv_some(), "for the duplicate");
  happened();
}

task<> send_much(stream to, std::string_view bytes, outcome& out) {
  const auto r = co_await to.send_all(bytes);
  out.set(r);
}

// It only sends, and has to wait for room: the first time that the engine hears of its number.
TEST_P(fault_matrix, F22_large_descriptors_work_or_are_refused_at_the_limit) {
  iolite::engine& e = on({});
  const int limit = e.traits().fd_limit;
  for (const int large : {1000, 1023, 1024, 1100}) {
    raw_pair p = raw_unix_pair();
    const int fd = e.os().fcntl(p.a.fd(), F_DUPFD_CLOEXEC, large);
    ASSERT_GE(fd, large) << "RLIMIT_NOFILE is too low for this test";
    p.a.close();
    stream high = adopt(e, fd);
    const std::string much = pattern(1 << 20);
    outcome out;
    std::string got;
    const bool refused = limit > 0 && fd >= limit;  // as soon as it would have to wait for room
    std::jthread reader([&] { got = refused ? "" : p.b.recv_until_end(); });
    e.run(send_much(std::move(high), much, out));
    reader.join();
    happened();
    if (refused) EXPECT_EQ(out.code, std::errc::invalid_argument);
    else EXPECT_TRUE(!out.code && got == much) << out.code.message();
  }
}

// --- F25: signals of the program ---

std::atomic<int> alarms = 0;
void count_alarm(int) { ++alarms; }

task<> echo_until(half_pair& p, int enough) {
  while (alarms < enough) {
    p.theirs.send_all("ping");
    const auto got = co_await receive_exactly(p.ours, 4);
    if (got.value_or("error") != "ping") {
      ADD_FAILURE() << got.value_or("error");
      co_return;
    }
    co_await iolite::sleep(1ms);
  }
}

TEST_P(fault_matrix, F25_signals_of_the_program_reach_it_and_its_mask_stays) {
  sigset_t mask, after;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  alarms = 0;
  std::signal(SIGALRM, count_alarm);
  {
    const auto e = another();
    half_pair p = unix_half(*e);
    const itimerval each_ms{{0, 1000}, {0, 1000}}, off{};
    setitimer(ITIMER_REAL, &each_ms, nullptr);
    e->run(echo_until(p, 20));
    setitimer(ITIMER_REAL, &off, nullptr);
  }
  std::signal(SIGALRM, SIG_DFL);
  happened(static_cast<std::uint64_t>(alarms.load()));
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (int s = 1; s < SIGRTMAX; ++s) EXPECT_EQ(sigismember(&mask, s), sigismember(&after, s)) << s;
}

// --- F30, U16: fork ---

void fork_with(iolite::engine& e) {
  half_pair p = unix_half(e);
  p.theirs.send_all("before");
  EXPECT_EQ(e.run(receive(p.ours)).value_or("error"), "before");
  expect_stops([&] { static_cast<void>(e.run(receive(p.ours))); }, "fork");
  p.theirs.send_all("after");
  EXPECT_EQ(e.run(receive(p.ours)).value_or("error"), "after");
}

TEST_P(fault_matrix, F30_a_child_of_fork_is_refused_and_the_parent_goes_on) {
  fork_with(on({}));
  happened();  // or the child would not have been stopped
}

TEST_P(fault_matrix_io_uring, U16_a_child_of_fork_leaves_the_ring_alone) {
  fork_with(on({}));
  happened();
}

// --- F33: threads ---

// There are threads for the calls that the test allows.
class few_threads final : public kernel {
 public:
  iolite::clock::time_point now() noexcept override { return kernel::real().now(); }
  long invoke(call c, const call_args& a) noexcept override {
    if (c != call::clone || allowed.fetch_sub(1) > 0) return kernel::real().invoke(c, a);
    return ++refused, -EAGAIN;
  }
  std::atomic<int> allowed = 0;
  std::atomic<int> refused = 0;
};

// An answer of -1: no thread.
task<> answer(std::atomic<int>& answers) {
  const auto n = co_await offload([] { return 1; });
  if (!n) {
    EXPECT_EQ(n.error(), std::errc::resource_unavailable_try_again);
  }
  answers += n.value_or(-1);
}
// On a blocking engine each child has a thread, elsewhere each call that is handed over.
task<> ask(std::atomic<int>& answers, int many) {
  scope children;
  for (int i = 0; i < many; ++i) children.spawn(answer(answers));
  co_await children.join();
}

TEST_P(fault_matrix, F33_without_a_thread_it_says_so_and_with_one_it_goes_on) {
  auto* const os = new few_threads;  // for ever: helpers stay until the process ends
  static auto& reachable = *new std::vector<few_threads*>;
  reachable.push_back(os);
  auto made = make_engine_on(*os, GetParam());
  ASSERT_TRUE(made);
  std::atomic<int> answers = 0;
  const bool blocking = (*made)->traits().blocking;
  try {
    (*made)->run(ask(answers, 1));
    EXPECT_FALSE(blocking) << "there is no thread";
    EXPECT_EQ(answers, -1);
  } catch (const std::system_error& e) {
    EXPECT_TRUE(blocking);
    EXPECT_EQ(e.code(), std::errc::resource_unavailable_try_again);
  }
  happened(static_cast<std::uint64_t>(os->refused.load()));
  answers = 0;
  os->allowed = blocking ? 4 : 1;  // calls wait in line for the one helper there is
  (*made)->run(ask(answers, 4));
  EXPECT_EQ(answers, 4);
}

// --- U09, U10, U15: io_uring ---

task<> starts(std::optional<task<std::string>>& child) {
  task<std::string>& it = *child;
  co_await it;
}
task<std::string> hear(stream& from) {
  const auto r = co_await receive(from);
  co_return r.value_or("");
}
task<> destroy_while_in_flight(stream from) {
  std::optional<task<std::string>> child(hear(from));
  scope s;
  s.spawn(starts(child));
  co_await iolite::sleep(1ms);
  child.reset();
  co_await s.join();
}

TEST_P(fault_matrix_io_uring, U09_destroying_a_task_in_flight_stops_the_program) {
  happened();  // nothing else makes it say so
  expect_stops(
      [&] {
        const auto e = another();
        half_pair p = unix_half(*e);
        e->run(destroy_while_in_flight(std::move(p.ours)));
      },
      "its operations are done");
}

TEST_P(fault_matrix_io_uring, U10_a_close_cancels_the_receive_in_flight) {
  iolite::engine& e = on({}, {{.opcode = IORING_OP_NOP, .error = EIO}});  // so that it counts
  half_pair p = unix_half(e);
  outcome out;
  e.run(close_while_pending(p, out));
  EXPECT_EQ(out.code, std::errc::operation_canceled);
  EXPECT_EQ(os().completions(IORING_OP_RECV), 1U);
  happened(os().completions(IORING_OP_ASYNC_CANCEL));
}

TEST_P(fault_matrix_io_uring, U15_another_thread_that_runs_the_engine_stops_the_program) {
  happened();  // nothing else makes it say so
  expect_stops(
      [&] {
        const auto e = another();
        half_pair p = unix_half(*e);
        p.theirs.send_all("x");
        static_cast<void>(e->run(receive(p.ours)));
        std::thread other([&] { static_cast<void>(e->run(receive(p.ours))); });
        other.join();
      },
      "thread");
}

}  // namespace
}  // namespace iolite_test
