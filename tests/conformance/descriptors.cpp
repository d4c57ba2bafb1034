// A descriptor's number is used again at once; no event of the old one may reach the new one.
#include "support/engine_test.hpp"

#include "kernel/faulty.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace iolite_test {
namespace {

using namespace iolite;

// The pair gets the numbers that were just closed: the lowest free ones. See open(2). So does a
// direct descriptor: the kernel looks for a free slot where one was given back.
half_pair pair_on_number(iolite::engine& on, int wanted) {
  raw_pair p = raw_unix_pair();
  if (p.a.fd() != wanted && p.b.fd() == wanted) std::swap(p.a, p.b);
  half_pair out{adopt(on, std::move(p.a)), std::move(p.b)};
  EXPECT_EQ(out.ours.native_handle(), wanted) << "the test needs the number that was closed";
  return out;
}

TEST_P(engine, a_number_that_is_used_again_gets_its_own_bytes) {
  struct body {
    static task<> check(iolite::engine& on) {
      half_pair first = unix_half(on);
      first.theirs.send_all("one");
      const auto one = co_await receive(first.ours);
      EXPECT_EQ(one.value_or("error"), "one");
      first.theirs.send_all("stale");
      const int number = first.ours.native_handle();
      first.ours.close();
      half_pair second = pair_on_number(on, number);
      const auto none = co_await receive_within(second.ours, 5ms);
      EXPECT_FALSE(none) << *none;
      second.theirs.send_all("fresh");
      const auto two = co_await receive(second.ours);
      EXPECT_EQ(two.value_or("error"), "fresh");
    }
  };
  run(body::check(on()));
}

// Many become ready at once, more than are handled before the first one runs: it closes the others
// and opens new ones on their numbers.
TEST_P(engine, a_number_used_again_within_one_batch_of_events_gets_no_stale_event) {
  if (traits().blocking) GTEST_SKIP() << "there are no batches where each task waits by itself";
  constexpr std::size_t count = 200;
  struct state {
    std::vector<half_pair> pairs;
    std::vector<outcome> first;
    std::vector<std::unique_ptr<half_pair>> replaced;
    std::vector<outcome> second;
    bool done = false;
  };
  struct bodies {
    static task<> one(iolite::engine& on, state& s, std::size_t i, scope& more) {
      const auto r = co_await receive(s.pairs[i].ours);
      s.first[i].set(r);
      if (s.done) co_return;
      s.done = true;
      for (std::size_t k = 0; k < count; ++k) {
        if (k == i) continue;
        const int number = s.pairs[k].ours.native_handle();
        s.pairs[k].ours.close();
        s.replaced[k] = std::make_unique<half_pair>(pair_on_number(on, number));
        more.spawn(two(*s.replaced[k], s.second[k]));
      }
    }
    static task<> two(half_pair& p, outcome& out) {
      const auto r = co_await receive_within(p.ours, 50ms);
      out.set(r);
    }
    static task<> all(iolite::engine& on, state& s) {
      scope readers;
      scope more;
      for (std::size_t i = 0; i < count; ++i) readers.spawn(one(on, s, i, more));
      co_await let_others_run();
      for (half_pair& p : s.pairs) p.theirs.send_all("x");
      co_await readers.join();
      co_await more.join();
    }
  };
  state s;
  for (std::size_t i = 0; i < count; ++i) s.pairs.push_back(unix_half(on()));
  s.first.resize(count);
  s.second.resize(count);
  s.replaced.resize(count);
  run(bodies::all(on(), s));
  int closed = 0;
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_EQ(s.first[i].times, 1);
    if (!s.first[i].code) {
      EXPECT_EQ(s.first[i].bytes, "x");
    }
    if (!s.replaced[i]) continue;
    ++closed;
    EXPECT_EQ(s.second[i].times, 1);
    EXPECT_EQ(s.second[i].code, std::errc::timed_out) << "bytes: '" << s.second[i].bytes << "'";
  }
  EXPECT_EQ(closed, static_cast<int>(count) - 1);
  EXPECT_EQ(on().stats().spurious_events, 0U) << "the next one pays for an event of the last";
}

TEST_P(engine, a_number_used_again_many_times_in_a_row) {
  struct body {
    static task<> check(iolite::engine& on) {
      for (int i = 0; i < 500; ++i) {
        half_pair p = unix_half(on);
        const std::string text = std::to_string(i);
        p.theirs.send_all(text);
        const auto r = co_await receive(p.ours);
        EXPECT_EQ(r.value_or("error"), text);
        if (i % 2) p.theirs.send_all("left unread");
      }
    }
  };
  run(body::check(on()));
}

int duplicate_of(const stream& s) {
  const system_descriptor socket(s);
  return s.on()->os().fcntl(socket.number(), F_DUPFD_CLOEXEC, 100);
}

// A duplicate keeps the socket alive after our close: its events concern nobody.
TEST_P(engine, a_duplicate_left_open_elsewhere_disturbs_nobody) {
  struct body {
    static task<> check(iolite::engine& on) {
      half_pair first = unix_half(on);
      first.theirs.send_all("one");
      const auto one = co_await receive(first.ours);
      EXPECT_EQ(one.value_or("error"), "one");
      const owned_fd duplicate(duplicate_of(first.ours));
      EXPECT_GE(duplicate.get(), 100);
      const int number = first.ours.native_handle();
      first.ours.close();
      half_pair second = pair_on_number(on, number);
      first.theirs.send_all("for the duplicate");
      const auto none = co_await receive_within(second.ours, 10ms);
      EXPECT_FALSE(none) << *none;
    }
  };
  run(body::check(on()));
}

TEST_P(engine, ready_to_read_when_a_pipe_has_bytes) {
  int ends[2];
  ASSERT_EQ(system_of_test().pipe2(ends, O_CLOEXEC), 0);
  const owned_fd reader(ends[0]);
  const owned_fd writer(ends[1]);
  struct bodies {
    static task<> wait(int fd, interest what, interest& seen) {
      const auto r = co_await ready(fd, what);
      seen = r.value_or(interest::none);
    }
    static task<> all(int rd, int wr, interest& seen) {
      scope s;
      s.spawn(wait(rd, interest::read, seen));
      co_await let_others_run();
      EXPECT_EQ(system_of_test().write(wr, "x", 1), 1);
      co_await s.join();
    }
  };
  interest seen = interest::none;
  run(bodies::all(reader.get(), writer.get(), seen));
  EXPECT_EQ(seen, interest::read);
  char byte = 0;
  EXPECT_EQ(system_of_test().read(reader.get(), &byte, 1), 1) << "nothing was read for us";
}

task<interest> wait_ready(int fd, interest what) {
  const auto r = co_await (ready(fd, what) | within{10s});
  co_return r.value_or(interest::none);
}

TEST_P(engine, ready_to_write_at_once_when_there_is_room) {
  const raw_pair p = raw_unix_pair();
  EXPECT_EQ(run(wait_ready(p.a.fd(), interest::write)), interest::write);
}

TEST_P(engine, ready_tells_which_of_both_it_is) {
  const raw_pair p = raw_unix_pair();
  EXPECT_EQ(run(wait_ready(p.a.fd(), interest::both)), interest::write);
  p.b.send_all("x");
  EXPECT_EQ(run(wait_ready(p.a.fd(), interest::both)), interest::both);
  static_cast<void>(p.a.fill());
  EXPECT_EQ(run(wait_ready(p.a.fd(), interest::both)), interest::read);
}

TEST_P(engine, ready_on_an_eventfd) {
  const owned_fd fd(system_of_test().eventfd(0, EFD_CLOEXEC));
  EXPECT_EQ(run(wait_ready(fd.get(), interest::write)), interest::write);
  const std::uint64_t one = 1;
  EXPECT_EQ(system_of_test().write(fd.get(), &one, sizeof one), 8);
  EXPECT_EQ(run(wait_ready(fd.get(), interest::read)), interest::read);
}

// A signal may meet the call itself, or a worker of the kernel that makes it.
TEST_P(engine, ready_waits_on_when_it_is_interrupted) {
  faulty& os = on_faulty({{.what = call::poll, .nth = 2, .times = 3, .error = EINTR}},
                         {{.opcode = IORING_OP_POLL_ADD, .times = 3, .error = EINTR}});
  const raw_pair p = raw_unix_pair();
  p.b.send_all("x");
  EXPECT_EQ(run(wait_ready(p.a.fd(), interest::read)), interest::read);
  EXPECT_EQ(run(wait_ready(p.a.fd(), interest::both)), interest::both);
  if (os.completions(IORING_OP_POLL_ADD) > 0) {
    EXPECT_EQ(os.injected(), 3U);
  }
}

TEST_P(engine, ready_when_the_other_end_is_gone) {
  raw_pair p = raw_unix_pair();
  p.b.close();
  EXPECT_TRUE(has(run(wait_ready(p.a.fd(), interest::read)), interest::read));
  EXPECT_TRUE(has(run(wait_ready(p.a.fd(), interest::write)), interest::write));
}

TEST_P(engine, ready_of_a_bad_descriptor_is_an_error) {
  struct body {
    static task<std::error_code> check(int fd) {
      const auto r = co_await (ready(fd, interest::read) | within{10s});
      co_return r ? std::error_code() : r.error();
    }
  };
  EXPECT_EQ(run(body::check(1000)), std::errc::bad_file_descriptor);
}

template <class T>
std::error_code code_of(const result<T>& r) {
  return r ? std::error_code() : r.error();
}

TEST_P(engine, a_closed_stream_is_a_bad_descriptor_at_once) {
  struct body {
    static task<> check(iolite::engine& on) {
      half_pair p = unix_half(on);
      p.ours.close();
      std::string into(4, '\0');
      const auto received = co_await (p.ours.recv(bytes_of(into)) | within{5s});
      EXPECT_EQ(code_of(received), std::errc::bad_file_descriptor);
      const auto leased = co_await (p.ours.recv_lease() | within{5s});
      EXPECT_EQ(code_of(leased), std::errc::bad_file_descriptor);
      const auto sent = co_await (p.ours.send_all("text") | within{5s});
      EXPECT_EQ(code_of(sent), std::errc::bad_file_descriptor);
      const auto seen = co_await (ready(p.ours.native_handle(), interest::both) | within{5s});
      EXPECT_EQ(code_of(seen), std::errc::bad_file_descriptor);
    }
  };
  run(body::check(on()));
}

// The foreign descriptor is closed behind the engine's back, as foreign libraries do.
TEST_P(engine, ready_on_a_number_that_its_owner_closed_and_used_again) {
  struct body {
    static task<> check() {
      for (int i = 0; i < 50; ++i) {
        const raw_pair p = raw_unix_pair();
        if (i % 2 == 0) p.b.send_all("x");
        const within limit{i % 2 == 0 ? iolite::clock::duration(10s) : 1ms};
        const auto r = co_await (ready(p.a.fd(), interest::read) | limit);
        if (i % 2 == 0) EXPECT_EQ(r.value_or(interest::none), interest::read) << i;
        else {
          EXPECT_FALSE(r) << i;
        }
      }
    }
  };
  run(body::check());
}

// Whoever closes it, its number is used again: nothing that is remembered of it may be in the way.
void expect_forgotten(iolite::engine& on, void (*give_up)(stream&)) {
  struct body {
    static task<> speak_later(const raw_socket& peer) {
      co_await iolite::sleep(100ms);  // when whoever looks twice has given up
      EXPECT_TRUE(peer.send_all("second"));
    }
    static task<> check(iolite::engine& on, void (*give_up)(stream&)) {
      half_pair first = unix_half(on);
      EXPECT_TRUE(first.theirs.send_all("first"));
      EXPECT_EQ((co_await receive(first.ours)).value_or("?"), "first");
      EXPECT_FALSE(co_await receive_within(first.ours, 1ms));  // now it is waited for
      const int number = first.ours.native_handle();
      half_pair second = unix_half(on);
      const int other = second.ours.release();
      give_up(first.ours);
      EXPECT_EQ(on.os().dup3(other, number, O_CLOEXEC), number);
      on.os().close(other);
      stream again = adopt(on, number);
      scope speaker;
      speaker.spawn(speak_later(second.theirs));
      EXPECT_EQ((co_await receive_within(again, 5s)).value_or("nothing"), "second");
      co_await speaker.join();
    }
  };
  for (int i = 0; i < 2; ++i) on.run(body::check(on, give_up));
}

TEST_P(engine, a_released_descriptor_is_forgotten) {
  if (traits().own_descriptors) GTEST_SKIP() << "nobody else can use its numbers again";
  expect_forgotten(on(), [](stream& s) { EXPECT_GE(s.release(), 0); });
}

TEST_P(engine, a_closed_descriptor_is_forgotten) {
  if (traits().own_descriptors) GTEST_SKIP() << "nobody else can use its numbers again";
  expect_forgotten(on(), [](stream& s) { s.close(); });
}

// The receive has begun, and nothing has asked the kernel yet: the descriptor is closed, and its
// number is that of another stream when something does.
TEST_P(engine, a_receive_whose_stream_is_closed_takes_nothing_of_the_next_one) {
  if (traits().blocking) GTEST_SKIP() << "the task that could close it is the one that receives";
  struct bodies {
    static task<> child(stream& from, outcome& out) {
      const auto r = co_await receive(from);
      out.set(r);
    }
    static task<> sender(stream& to) { EXPECT_TRUE(co_await send_text(to, "x")); }
    static task<> all(iolite::engine& on, outcome& out) {
      half_pair first = unix_half(on);
      half_pair other = unix_half(on);
      scope s;
      s.spawn(sender(other.ours));
      s.spawn(child(first.ours, out));
      const int number = first.ours.native_handle();
      first.ours.close();
      half_pair second = pair_on_number(on, number);
      second.theirs.send_all("fresh");
      co_await s.join();
      const auto got = co_await receive_within(second.ours, 5s);
      EXPECT_EQ(got.value_or("nothing"), "fresh");
    }
  };
  // A kernel may also take one submission at a time.
  for (const std::size_t most : {0UL, 1UL}) {
    faulty os(system_of_test(), {{.what = call::io_uring_enter,
                                  .times = most > 0 ? fault::for_ever : 0,
                                  .shorten_to = most}});
    outcome out;
    const auto e = new_engine(os, GetParam());
    e->run(bodies::all(*e, out));
    EXPECT_EQ(out.times, 1);
    EXPECT_EQ(out.code, std::errc::operation_canceled) << "bytes: '" << out.bytes << "'";
  }
}

TEST_P(engine, a_large_descriptor_works_or_is_refused_at_the_limit) {
  const int limit = traits().fd_limit;
  const int large = limit > 0 ? limit : 1500;
  raw_pair p = raw_unix_pair();
  const owned_fd high(on().os().fcntl(p.a.fd(), F_DUPFD_CLOEXEC, large));
  ASSERT_GE(high.get(), large) << "RLIMIT_NOFILE is too low for this test";
  p.b.send_all("x");
  struct body {
    static task<std::error_code> check(int fd) {
      const auto r = co_await (ready(fd, interest::read) | within{5s});
      co_return r ? std::error_code() : r.error();
    }
  };
  const std::error_code code = run(body::check(high.get()));
  if (limit > 0) EXPECT_EQ(code, std::errc::invalid_argument);
  else EXPECT_FALSE(code) << code.message();
  EXPECT_FALSE(run(body::check(p.a.fd())));
}

}  // namespace
}  // namespace iolite_test
