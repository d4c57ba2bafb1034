// How operations, calls and placements print themselves, and what a deadline is.
#include "iolite/iolite.hpp"
#include "kernel/calls.hpp"

#include <gtest/gtest.h>

#include <set>

namespace {

using namespace iolite;
using namespace std::chrono_literals;

constexpr clock::time_point now{1h};

TEST(operation, prints_what_it_wants_and_how_far_it_is) {
  operation op;
  op.kind = op_kind::recv;
  op.fd = 7;
  op.size = 1024;
  op.moved = 64;
  op.deadline = now + 3ms;
  EXPECT_EQ(to_string(op, now), "recv fd=7 64/1024 deadline=+3ms");
}

TEST(operation, prints_each_kind_by_its_name) {
  std::set<std::string> names;
  for (const op_kind k : {op_kind::accept, op_kind::connect, op_kind::recv, op_kind::send,
                          op_kind::ready, op_kind::sleep, op_kind::event}) {
    operation op;
    op.kind = k;
    EXPECT_TRUE(to_string(op, now).starts_with(name_of(k)));
    names.insert(name_of(k));
  }
  EXPECT_EQ(names.size(), 7U);
}

TEST(operation, prints_no_descriptor_and_no_deadline_where_there_is_none) {
  operation op;
  op.kind = op_kind::event;
  EXPECT_EQ(to_string(op, now), "event");
}

TEST(operation, prints_deadlines_in_a_unit_one_can_read) {
  operation op;
  op.kind = op_kind::sleep;
  const auto with = [&](clock::duration d) {
    op.deadline = now + d;
    return to_string(op, now);
  };
  EXPECT_EQ(with(1500ms), "sleep deadline=+1.5s");
  EXPECT_EQ(with(250us), "sleep deadline=+250us");
  EXPECT_EQ(with(-20ms), "sleep deadline=-20ms");
}

TEST(operation, is_small) { EXPECT_LE(sizeof(operation), 96U); }

TEST(deadline_after, never_overflows) {
  EXPECT_EQ(deadline_after(now, clock::duration::max()), never);
  EXPECT_EQ(deadline_after(clock::time_point::max() - 1ns, 1h), never);
  EXPECT_EQ(deadline_after(now, 24h * 3650), now + 24h * 3650);
  EXPECT_EQ(deadline_after(now, 0s), now);
  EXPECT_EQ(deadline_after(now, -5s), now);
}

TEST(call, names_are_those_of_the_calls) {
  EXPECT_EQ(name_of(call::socket), "socket");
  EXPECT_EQ(name_of(call::epoll_wait), "epoll_wait");
  EXPECT_EQ(name_of(call::getrlimit), "getrlimit");
  const std::set<std::string_view> names(call_names.begin(), call_names.end());
  EXPECT_EQ(names.size(), call_count);
}

TEST(interest, is_a_set) {
  EXPECT_EQ(interest::read | interest::write, interest::both);
  EXPECT_TRUE(has(interest::both, interest::read));
  EXPECT_FALSE(has(interest::write, interest::read));
  EXPECT_FALSE(has(interest::none, interest::both));
}

TEST(error_category, has_words_for_its_codes) {
  EXPECT_STREQ(category().name(), "iolite");
  for (const errc e : {errc::end_of_stream, errc::closed}) {
    EXPECT_FALSE(make_error_code(e).message().empty());
    EXPECT_EQ(make_error_code(e), e);
    EXPECT_NE(make_error_code(e), std::error_code());
  }
  EXPECT_EQ(failure(-ECONNRESET).error(), std::errc::connection_reset);
}

}  // namespace
