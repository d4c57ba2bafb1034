// How an io_uring takes a batch of submissions, on the simulated kernel as on the real one. See
// raw_ring.hpp.
#include "raw_ring.hpp"

#include <gtest/gtest.h>

namespace iolite_test {
namespace {

using namespace std::chrono_literals;

class differential_submissions : public testing::Test {
 protected:
  void SetUp() override {
    const std::string why = why_no_ring_of(6, 1);
    if (!why.empty()) GTEST_SKIP() << why;
  }
};

TEST_F(differential_submissions, a_short_submission_does_not_wait) {
  expect_same([](session& s) {
    raw_ring r(s);
    r.time_out(1, IORING_OP_TIMEOUT, 50ms);
    r.next(2, 250);
    r.next(3, IORING_OP_NOP);
    r.submit_and_wait(3);
    const auto at_once = r.take_now();
    s.note("it has waited", at_once.contains(1));
    const auto left = r.take(3 - static_cast<unsigned>(at_once.size()));
    s.note("the time-out", left.at(1).front().res);
    s.note("the rest", left.at(3).front().res);
  });
}

TEST_F(differential_submissions, all_is_submitted_where_the_ring_was_made_so) {
  expect_same([](session& s) {
    raw_ring r(s, 16, IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL);
    r.next(1, 250);
    r.next(2, IORING_OP_NOP);
    r.submit();
    r.expect(2);
  });
}

}  // namespace
}  // namespace iolite_test
