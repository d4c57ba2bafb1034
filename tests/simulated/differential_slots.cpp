// Registered files of an io_uring: the same on the simulated kernel and on the real one.
#include "kernel/ring_names.hpp"
#include "raw_ring.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <fcntl.h>

namespace iolite_test {
namespace {

using namespace iolite;

class differential_slots : public testing::Test {
 protected:
  void SetUp() override {
    const std::string why = why_no_ring_of(6, 8);
    if (!why.empty()) GTEST_SKIP() << why;
  }
};

void make_table(raw_ring& r, unsigned slots, unsigned flags = IORING_RSRC_REGISTER_SPARSE) {
  io_uring_rsrc_register table{};
  table.nr = slots;
  table.flags = flags;
  r.configure(IORING_REGISTER_FILES2, &table, sizeof table);
}

io_uring_sqe& adopt(raw_ring& r, std::uint64_t name, int* fd) {
  io_uring_sqe& e = r.next(name, IORING_OP_FILES_UPDATE);
  e.addr = reinterpret_cast<std::uint64_t>(fd);
  e.len = 1;
  e.off = IORING_FILE_INDEX_ALLOC;
  return e;
}

io_uring_sqe& on_slot(io_uring_sqe& e) {
  e.flags |= IOSQE_FIXED_FILE;
  return e;
}

void close_slot(raw_ring& r, std::uint64_t name, unsigned slot) {
  r.next(name, IORING_OP_CLOSE, 0).file_index = slot + 1;
}

TEST_F(differential_slots, a_table_is_made_once_and_not_too_large) {
  expect_same([](session& s) {
    raw_ring r(s);
    make_table(r, 0);
    make_table(r, 4);
    make_table(r, 4);
  });
}

TEST_F(differential_slots, a_file_is_put_in_used_taken_out_and_closed) {
  expect_same([](session& s) {
    raw_ring r(s);
    make_table(r, 2);
    const auto [a, b] = s.unix_pair();
    std::array<char, 8> into{};
    int number = a;
    adopt(r, 1, &number);
    r.expect(1);
    s.note("slot", number);
    s.close(a);  // the table has it still
    on_slot(r.send(2, number, "hello"));
    r.expect(1);
    r.receive(3, b, into);
    r.expect(1);
    on_slot(r.receive(4, 1, into));  // nothing is there
    r.next(5, ring_op_fixed_fd_install, 0);  // not of the table
    on_slot(r.next(6, ring_op_fixed_fd_install, 1));
    r.expect(3);
    on_slot(r.next(7, ring_op_fixed_fd_install, 0));
    const auto made = r.take(1);
    const int taken_out = s.keep(made.at(7)[0].res);
    s.note("F_GETFD", s.os().fcntl(taken_out, F_GETFD));
    close_slot(r, 8, 0);
    close_slot(r, 9, 0);
    on_slot(r.send(10, 0, "gone"));
    r.expect(3);
    s.note("send", s.os().send(taken_out, "x", 1, MSG_NOSIGNAL));
  });
}

TEST_F(differential_slots, a_pending_request_outlives_its_slot) {
  expect_same([](session& s) {
    raw_ring r(s);
    make_table(r, 1);
    const auto [a, b] = s.unix_pair();
    s.os().fcntl(a, F_SETFL, 0);
    std::array<char, 8> into{};
    int number = a;
    adopt(r, 1, &number);
    r.expect(1);
    s.close(a);
    on_slot(r.receive(2, number, into));
    r.submit();
    close_slot(r, 3, 0);
    r.expect(1);
    s.note("send", s.os().send(b, "x", 1, MSG_NOSIGNAL));
    r.expect(1);
  });
}

TEST_F(differential_slots, a_connection_without_a_slot_is_lost) {
  expect_same([](session& s) {
    raw_ring r(s);
    make_table(r, 1);
    const int l = s.tcp_listener();
    s.os().fcntl(l, F_SETFL, 0);
    std::array<int, 3> ours{};
    for (const std::uint64_t name : {std::uint64_t{1}, std::uint64_t{2}}) {
      ours.at(name) = s.connect_to(l);
      r.next(name, IORING_OP_ACCEPT, l).file_index = IORING_FILE_INDEX_ALLOC;
      r.expect(1);
    }
    on_slot(r.send(3, 0, "to the first"));
    r.expect(1);
    std::array<char, 32> into{};
    s.note("recv", s.os().recv(ours[1], into.data(), into.size(), 0));
  });
}

}  // namespace
}  // namespace iolite_test
