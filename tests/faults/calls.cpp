// Calls that fail: whatever a program asks for, it gets the bytes or the error, once.
#include "fixture.hpp"

#include "models/backends.hpp"

#include <array>
#include <cerrno>
#include <linux/io_uring.h>
#include <thread>

namespace iolite_test {
namespace {

using namespace iolite;

std::vector<fault> each(std::initializer_list<call> calls, const fault& like) {
  std::vector<fault> out;
  for (const call c : calls) {
    out.push_back(like);
    out.back().what = c;
  }
  return out;
}
std::vector<completion_fault> each_done(std::initializer_list<unsigned> opcodes,
                                        const completion_fault& like) {
  std::vector<completion_fault> out;
  for (const unsigned opcode : opcodes) {
    out.push_back(like);
    out.back().opcode = opcode;
  }
  return out;
}

TEST_P(fault_matrix, F01_interrupted_calls) {
  const std::string text = pattern(100'000);
  const auto calls =
      each({call::recv, call::send, call::accept4, call::poll, call::select, call::epoll_wait,
            call::sigtimedwait, call::aio_suspend, call::read, call::io_uring_enter},
           {.nth = 2, .times = 5, .error = EINTR});
  EXPECT_EQ(echo_of(on(calls), text), text);
}

TEST_P(fault_matrix_of_calls, F02_nothing_there_although_it_was_ready) {
  const std::string text = pattern(100'000);
  std::vector<fault> calls =
      each({call::recv, call::send}, {.nth = 2, .times = 3, .error = EAGAIN});
  calls.push_back({.what = call::accept4, .times = 3, .error = EAGAIN});
  EXPECT_EQ(echo_of(on(std::move(calls)), text), text);
}

TEST_P(fault_matrix, F03_short_receives) {
  const std::string text = pattern(200);
  const auto calls =
      each({call::recv, call::aio_read}, {.times = fault::for_ever, .shorten_to = 1});
  const auto done = each_done({IORING_OP_RECV}, {.times = fault::for_ever, .shorten_to = 1});
  EXPECT_EQ(echo_of(on(calls, done), text), text);
  EXPECT_GE(os().injected(), text.size());
}

TEST_P(fault_matrix, F04_short_sends) {
  const std::string text = pattern(200);
  const auto calls =
      each({call::send, call::aio_write}, {.times = fault::for_ever, .shorten_to = 1});
  const auto done = each_done({IORING_OP_SEND}, {.times = fault::for_ever, .shorten_to = 1});
  EXPECT_EQ(echo_of(on(calls, done), text), text);
  EXPECT_GE(os().injected(), text.size());
}

TEST_P(fault_matrix, F05_connections_that_died_in_the_queue) {
  constexpr std::array errors = {ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH, EPERM};
  std::vector<fault> calls;
  for (std::uint64_t i = 0; i < errors.size(); ++i) {
    calls.push_back({.what = call::accept4, .nth = i + 1, .error = errors[i]});
  }
  // A completion that failed has used its connection up: the next one is another peer's.
  if (is("io_uring")) {
    iolite::engine& e = on({}, {{.opcode = IORING_OP_ACCEPT, .nth = 1, .error = ECONNABORTED}});
    auto l = listener::open(e, *endpoint::parse("127.0.0.1:0"));
    const raw_socket first = raw_socket::connect(l->local()),
                     second = raw_socket::connect(l->local());
    struct body {
      static task<bool> accept(listener& from) {
        auto got = co_await (from.accept() | within{20s});
        co_return got.has_value();
      }
    };
    EXPECT_TRUE(e.run(body::accept(*l)));
    return;
  }
  EXPECT_EQ(echo_of(on(std::move(calls)), "hello"), "hello");
}

task<result<void>> accept_twice(listener& from, std::error_code& first) {
  const auto one = co_await from.accept();
  first = one ? std::error_code() : one.error();
  const auto two = co_await from.accept();
  if (!two) co_return std::unexpected(two.error());
  co_return result<void>();
}

TEST_P(fault_matrix, F07_no_descriptor) {
  for (const int error : {EMFILE, ENFILE}) {
    iolite::engine& e = on({{.what = call::accept4, .error = error}},
                           {{.opcode = IORING_OP_ACCEPT, .error = error}});
    auto l = listener::open(e, *endpoint::parse("127.0.0.1:0"));
    ASSERT_TRUE(l);
    const raw_socket one = raw_socket::connect(l->local()), two = raw_socket::connect(l->local());
    std::error_code first;
    EXPECT_TRUE(e.run(accept_twice(*l, first))) << "accepting goes on";
    EXPECT_EQ(first, std::error_code(error, std::system_category()));
    EXPECT_EQ(os().injected(), 1U);
  }
}

task<std::error_code> connect_error(endpoint to) {
  const auto s = co_await stream::connect(to, 20s);
  co_return s ? std::error_code() : s.error();
}
task<std::error_code> open_error() {
  const auto f = co_await file::open("/dev/null", file_mode::read);
  co_return f ? std::error_code() : f.error();
}

TEST_P(fault_matrix, F07_who_gets_no_descriptor_is_told_and_goes_on) {
  const raw_listener somebody;
  iolite::engine& e = on(each({call::socket, call::open}, {.nth = 1, .times = 2, .error = EMFILE}));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(e.run(connect_error(somebody.address())), std::errc::too_many_files_open);
    EXPECT_EQ(e.run(open_error()), std::errc::too_many_files_open);
  }
  EXPECT_EQ(os().injected(), 4U);
  EXPECT_FALSE(e.run(connect_error(somebody.address())));
  EXPECT_FALSE(e.run(open_error()));
}

TEST_P(fault_matrix, F07_an_engine_without_its_descriptors_is_refused_in_words) {
  const int before = open_descriptors();
  for (const call c : {call::eventfd, call::pipe2, call::epoll_create1, call::io_uring_setup}) {
    faulty os(kernel::real(), {{.what = c, .times = fault::for_ever, .error = EMFILE}});
    const auto made = make_engine_on(os, GetParam());
    if (os.injected() == 0) continue;  // it needs none of these
    happened(os.injected());
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, std::errc::too_many_files_open);
    EXPECT_EQ(made.error().message.find('\n'), std::string::npos);
  }
  EXPECT_EQ(open_descriptors(), before);
}

task<std::error_code> receive_error(stream from) {
  std::array<std::byte, 8> into;
  const auto n = co_await from.recv(into);
  co_return n ? std::error_code() : n.error();
}

TEST_P(fault_matrix, F08_no_memory_for_one_connection_harms_no_other) {
  iolite::engine& e =
      on({{.what = call::recv, .error = ENOMEM}, {.what = call::aio_read, .error = ENOMEM}},
         {{.opcode = IORING_OP_RECV, .error = ENOMEM}});
  half_pair hurt = unix_half(e), other = unix_half(e);
  hurt.theirs.send_all("lost");
  other.theirs.send_all("kept");
  EXPECT_EQ(e.run(receive_error(std::move(hurt.ours))), std::errc::not_enough_memory);
  EXPECT_FALSE(e.run(receive_error(std::move(other.ours))));
}

TEST_P(fault_matrix, F12_the_network_times_out) {
  iolite::engine& e =
      on({{.what = call::recv, .error = ETIMEDOUT}, {.what = call::aio_read, .error = ETIMEDOUT}},
         {{.opcode = IORING_OP_RECV, .error = ETIMEDOUT}});
  half_pair p = tcp_half(e);
  p.theirs.send_all("so that it is ready");
  EXPECT_EQ(e.run(receive_error(std::move(p.ours))), std::errc::timed_out);
}

TEST_P(fault_matrix, F13_connecting_fails) {
  struct body {
    static task<std::error_code> connect(endpoint to) {
      const auto s = co_await stream::connect(to, 20s);
      co_return s ? std::error_code() : s.error();
    }
  };
  const raw_listener somebody;
  for (const int error : {ECONNREFUSED, ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, ETIMEDOUT}) {
    iolite::engine& e = on({{.what = call::connect, .error = error}},
                           {{.opcode = IORING_OP_CONNECT, .error = error}});
    EXPECT_EQ(e.run(body::connect(somebody.address())),
              std::error_code(error, std::system_category()));
    EXPECT_EQ(os().injected(), 1U) << "no hot retry";
  }
}

TEST_P(fault_matrix, F27_a_wake_up_that_is_interrupted_is_not_lost) {
  iolite::engine& e = on({{.what = call::write, .times = 5, .error = EINTR}});
  event set;
  struct body {
    static task<bool> wait(event& it) {
      const auto r = co_await (it.wait() | within{20s});
      co_return r.has_value();
    }
    static task<> pause() { co_await iolite::sleep(1ms); }
  };
  e.run(body::pause());
  e.wake();  // from no loop: this one is written
  EXPECT_EQ(os().injected(), 5U);
  std::jthread other([&] { set.set(); });
  EXPECT_TRUE(e.run(body::wait(set)));
}

}  // namespace
}  // namespace iolite_test
