// What an io_uring gives on the simulated kernel is what it gives on the real one: the same
// submissions, the same completions. See raw_ring.hpp.
#include "kernel/ring_names.hpp"
#include "raw_ring.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <fcntl.h>

namespace iolite_test {
namespace {

using namespace iolite;
using namespace std::chrono_literals;

constexpr unsigned cancel_all = 1, cancel_by_file = 2, cancel_any = 4;

class differential_ring : public testing::Test {
 protected:
  void SetUp() override {
    const std::string why = why_no_ring_of(6, 1);
    if (!why.empty()) GTEST_SKIP() << why;
  }
};

// Sockets of rings block, as those of the engine.
void make_blocking(session& s, int fd) { s.os().fcntl(fd, F_SETFL, 0); }
session::pair blocking_pair(session& s) {
  const auto p = s.unix_pair();
  make_blocking(s, p.a);
  make_blocking(s, p.b);
  return p;
}

TEST_F(differential_ring, requests_that_are_done_at_once) {
  expect_same([](session& s) {
    raw_ring r(s);
    const auto [a, b] = blocking_pair(s);
    std::array<char, 8> into{};
    r.next(1, IORING_OP_NOP);
    r.send(2, a, "hello");
    r.expect(2);
    r.receive(3, b, into);
    r.receive(4, 9999, into);
    r.expect(2);
    r.next(5, IORING_OP_SHUTDOWN, a).len = SHUT_WR;
    r.expect(1);
    r.receive(6, b, into);
    r.send(7, a, "x");
    r.expect(2);
    r.next(8, IORING_OP_CLOSE, s.os().dup(a));
    r.next(9, IORING_OP_CLOSE, 9999);
    r.next(10, IORING_OP_SHUTDOWN, 9999);
    r.expect(3);
    r.next(11, 250);
    r.next(12, IORING_OP_NOP);
    r.expect(2);
    r.expect(0);
  });
}

TEST_F(differential_ring, requests_wait_for_their_file) {
  expect_same([](session& s) {
    raw_ring r(s);
    const auto [a, b] = blocking_pair(s);
    std::array<char, 8> into{};
    r.receive(1, b, into);
    r.expect(0);
    r.send(2, a, "hello");
    r.expect(2);
    io_uring_sqe& e = r.receive(3, b, into);
    e.msg_flags = MSG_DONTWAIT;
    r.expect(1);
    r.receive(4, b, into);
    r.submit();
    s.close(a);
    r.expect(1);
    const int l = s.tcp_listener();
    make_blocking(s, l);
    r.next(5, IORING_OP_ACCEPT, l).accept_flags = SOCK_CLOEXEC;
    r.submit();
    s.connect_to(l);
    const auto got = r.take(1);
    s.note("accepted", got.at(5)[0].res >= 0);
    s.note("F_GETFD", s.os().fcntl(s.keep(got.at(5)[0].res), F_GETFD));
    r.next(6, IORING_OP_ACCEPT, b);
    r.expect(1);
  });
}

TEST_F(differential_ring, cancels) {
  expect_same([](session& s) {
    raw_ring r(s);
    const auto [a, b] = blocking_pair(s);
    std::array<char, 8> one{}, two{};
    r.receive(1, b, one);
    r.submit();
    r.cancel(2, 1);
    r.expect(2);
    r.cancel(3, 1);
    r.cancel(4, 77);
    r.expect(2);
    r.receive(5, b, one);
    r.receive(6, a, two);
    r.submit();
    r.cancel(7, 0, cancel_by_file | cancel_all, b);
    r.expect(2);
    r.cancel(8, 0, cancel_by_file, 9999);
    r.cancel(9, 6, cancel_all);
    r.expect(3);
    r.receive(10, b, one);
    r.next(11, IORING_OP_POLL_ADD, a).poll32_events = POLLIN;
    r.submit();
    r.cancel(12, 0, cancel_any);
    r.expect(3);
    r.cancel(13, 0, cancel_any);
    r.expect(1);
  });
}

TEST_F(differential_ring, time_outs) {
  expect_same([](session& s) {
    raw_ring r(s);
    r.time_out(1, IORING_OP_TIMEOUT, 1ms);
    r.expect(1);
    r.time_out(2, IORING_OP_TIMEOUT, 10s).off = 2;
    r.next(3, IORING_OP_NOP);
    r.expect(1);
    r.next(4, IORING_OP_NOP);
    r.expect(2);
    r.time_out(5, IORING_OP_TIMEOUT, 10s);
    r.submit();
    r.next(6, IORING_OP_TIMEOUT_REMOVE).addr = 5;
    r.expect(2);
    r.next(7, IORING_OP_TIMEOUT_REMOVE).addr = 5;
    r.expect(1);
    r.time_out(8, IORING_OP_TIMEOUT, 10s);
    r.submit();
    r.cancel(9, 8);
    r.expect(2);
    r.time_out(10, IORING_OP_LINK_TIMEOUT, 10s);
    r.expect(1);
  });
}

TEST_F(differential_ring, linked_time_outs) {
  expect_same([](session& s) {
    raw_ring r(s);
    const auto [a, b] = blocking_pair(s);
    std::array<char, 8> into{};
    r.receive(1, b, into).flags = IOSQE_IO_LINK;
    r.time_out(2, IORING_OP_LINK_TIMEOUT, 1ms);
    r.expect(2);
    r.receive(3, b, into).flags = IOSQE_IO_LINK;
    r.time_out(4, IORING_OP_LINK_TIMEOUT, 10s);
    r.submit();
    r.send(5, a, "in time");
    r.expect(3);
    r.receive(6, b, into).flags = IOSQE_IO_LINK;
    r.time_out(7, IORING_OP_LINK_TIMEOUT, 10s);
    r.submit();
    r.cancel(8, 6);
    r.expect(3);
    r.send(9, a, "at once").flags = IOSQE_IO_LINK;
    r.time_out(10, IORING_OP_LINK_TIMEOUT, 10s);
    r.expect(2);
  });
}

TEST_F(differential_ring, links) {
  expect_same([](session& s) {
    raw_ring r(s);
    const auto [a, b] = blocking_pair(s);
    std::array<char, 8> into{};
    r.send(1, a, "one").flags = IOSQE_IO_LINK;
    r.receive(2, b, into).flags = IOSQE_IO_LINK;
    r.next(3, IORING_OP_NOP);
    r.expect(3);
    r.receive(4, 9999, into).flags = IOSQE_IO_LINK;
    r.next(5, IORING_OP_NOP).flags = IOSQE_IO_LINK;
    r.next(6, IORING_OP_NOP);
    r.next(7, IORING_OP_NOP);
    r.expect(4);
    r.receive(8, 9999, into).flags = IOSQE_IO_HARDLINK;
    r.next(9, IORING_OP_NOP);
    r.expect(2);
    r.receive(10, b, into).flags = IOSQE_IO_LINK;
    r.next(11, IORING_OP_NOP);
    r.submit();
    r.cancel(12, 10);
    r.expect(3);
    r.time_out(13, IORING_OP_TIMEOUT, 1ms).flags = IOSQE_IO_LINK;
    r.next(14, IORING_OP_NOP);
    r.expect(2);
    r.send(15, a, "x").flags = IOSQE_CQE_SKIP_SUCCESS;
    r.expect(0);
    r.receive(16, b, into).flags = IOSQE_IO_LINK;  // nothing follows
    r.expect(1);
  });
}

TEST_F(differential_ring, polls) {
  expect_same([](session& s) {
    raw_ring r(s);
    const auto [a, b] = blocking_pair(s);
    r.next(1, IORING_OP_POLL_ADD, b).poll32_events = POLLOUT;
    r.expect(1);
    r.next(2, IORING_OP_POLL_ADD, b).poll32_events = POLLIN;
    r.submit();
    s.send(a, "x");
    r.expect(1);
    s.receive(b);
    io_uring_sqe& e = r.next(3, IORING_OP_POLL_ADD, b);
    e.poll32_events = POLLIN;
    e.len = IORING_POLL_ADD_MULTI;
    r.submit();
    s.send(a, "x");
    r.expect(1);
    s.send(a, "y");
    r.expect(1);
    r.next(4, IORING_OP_POLL_REMOVE).addr = 3;
    r.expect(2);
    r.next(5, IORING_OP_POLL_REMOVE).addr = 3;
    r.expect(1);
  });
}

TEST_F(differential_ring, multishot_accept) {
  expect_same([](session& s) {
    raw_ring r(s);
    const int l = s.unix_listener();
    make_blocking(s, l);
    io_uring_sqe& e = r.next(1, IORING_OP_ACCEPT, l);
    e.ioprio = ring_accept_multishot;
    e.accept_flags = SOCK_CLOEXEC;
    r.submit();
    for (int i = 0; i < 3; ++i) {
      s.connect_to(l);
      const auto got = r.take(1);
      s.note("accepted", got.at(1)[0].res >= 0);
      s.note("more", (got.at(1)[0].flags & IORING_CQE_F_MORE) != 0);
      s.keep(got.at(1)[0].res);
    }
    r.cancel(2, 1);
    r.expect(2);
  });
}

// A receive into whatever buffer of group 1 is next.
void receive_lent(raw_ring& r, std::uint64_t name, int fd, std::uint16_t kind = 0) {
  io_uring_sqe& e = r.next(name, IORING_OP_RECV, fd);
  e.ioprio = kind;
  e.flags = IOSQE_BUFFER_SELECT;
  e.buf_group = 1;
}

TEST_F(differential_ring, multishot_receive_and_its_buffers) {
  expect_same([](session& s) {
    raw_ring r(s);
    const auto [a, b] = blocking_pair(s);
    const auto receive = [&](std::uint64_t name) {
      receive_lent(r, name, b, ring_receive_multishot);
    };
    receive(1);
    r.expect(1);  // there is no such group
    r.lend(3, 4);
    receive(2);
    r.submit();
    s.send(a, "ab");
    r.expect(1);
    s.note(r.lent(0, 2), 0);
    s.send(a, "cdefghij");  // two buffers, and then there is none
    r.expect(2);
    s.note(r.lent(1, 4), 0);
    s.note(r.lent(2, 4), 0);
    receive(3);
    r.expect(1);
    s.send(a, "k");
    r.expect(1);
    io_uring_sqe& e = r.next(4, IORING_OP_RECV, b);
    e.ioprio = ring_receive_multishot;
    r.expect(1);  // it wants buffers
  });
}

TEST_F(differential_ring, buffers_that_are_filled_bit_by_bit) {
  const std::string why = why_no_ring_of(6, 12);
  if (!why.empty()) GTEST_SKIP() << why;
  expect_same([](session& s) {
    raw_ring r(s);
    const auto [a, b] = blocking_pair(s);
    const auto receive = [&](std::uint64_t name) { receive_lent(r, name, b); };
    r.lend(3, 8, ring_buffers_incremental);
    for (const char* text :
         {"abc", "de", "fghijk", "lmnop", "q"}) {  // a buffer ends within "fghijk"
      s.send(a, text);
      receive(1);
      r.expect(1);
    }
    for (unsigned id = 0; id < 2; ++id) s.note(r.lent(id, 8), 0);
    s.note(r.lent(2, 1), 0);
    s.close(a);
    receive(2);
    r.expect(1);
    receive(3);
    r.expect(1);
  });
}

TEST_F(differential_ring, multishot_receive_ends_with_the_stream) {
  expect_same([](session& s) {
    raw_ring r(s);
    const auto [a, b] = blocking_pair(s);
    r.lend(4, 64);
    receive_lent(r, 1, b, ring_receive_multishot);
    r.submit();
    s.send(a, "last");
    r.expect(1);
    s.close(a);
    r.expect(1);
  });
}

TEST_F(differential_ring, more_completions_than_their_queue_holds) {
  expect_same([](session& s) {
    raw_ring r(s, 2);
    for (std::uint64_t name = 1; name <= 6; ++name) {
      r.next(name, IORING_OP_NOP);
      if (name % 2 == 0 && name < 6) r.submit();
    }
    r.submit();
    r.expect(6);
    s.note("overflown", r.overflown());
  });
}

TEST_F(differential_ring, files) {
  expect_same([](session& s) {
    raw_ring r(s);
    const std::string path = "/tmp/iolite-ring-" + std::to_string(kernel::real().getpid());
    const int f = s.keep(s.os().open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600));
    std::string text = "0123456789", got(32, '?');
    const auto transfer = [&](std::uint64_t name, std::uint8_t opcode, std::string& with,
                              std::uint64_t at) -> io_uring_sqe& {
      io_uring_sqe& e = r.next(name, opcode, f);
      e.addr = reinterpret_cast<std::uint64_t>(with.data());
      e.len = static_cast<unsigned>(with.size());
      e.off = at;
      return e;
    };
    transfer(1, IORING_OP_WRITE, text, 5);
    r.expect(1);
    transfer(2, IORING_OP_READ, got, 0);
    r.expect(1);
    s.note(got.substr(5, 10), 0);
    transfer(3, IORING_OP_READ, got, 100);
    r.next(4, IORING_OP_FSYNC, f);
    r.expect(2);
    const auto here = ~std::uint64_t{0};
    transfer(5, IORING_OP_READ, text, here);
    r.expect(1);
    transfer(6, IORING_OP_READ, text, here);
    r.expect(1);
    transfer(7, IORING_OP_READ, got, 0).flags = IOSQE_IO_LINK;  // short: the chain breaks
    r.next(8, IORING_OP_NOP);
    r.expect(2);
    r.next(9, IORING_OP_FSYNC, s.unix_pair().a);
    r.expect(1);
    s.os().unlink(path.c_str());
  });
}

}  // namespace
}  // namespace iolite_test
