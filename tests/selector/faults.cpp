// Every system call of a selector's life fails once, with each error it might: no descriptor is
// lost, no wait hangs, and a call that failed can be made again.
#include "tests/selector/each_facility.hpp"

#include "kernel/faulty.hpp"
#include "selector/selector.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

namespace selector_test {
namespace {

using iolite::call;
using iolite::faulty;

// Opens, adds, waits, modifies, removes; again where a call says that it failed. The number of
// failures that came out, or -1 when one did not go away.
int live(faulty& os, const char* name) {
  const auto e = unix_pair(), f = unix_pair();
  int failures = 0;
  const auto patiently = [&](auto&& attempt) {
    for (int i = 0; i < 3; ++i) {
      const int r = attempt();
      EXPECT_NE(r, -EINTR);
      if (r >= 0) return r;
      ++failures;
    }
    ADD_FAILURE() << "did not go away";
    return -1;
  };
  iolite_selector* raw = nullptr;
  patiently([&] { return iolite::open_selector_on(os, name, &raw); });
  if (!raw) return -1;
  const selector_handle s(raw);
  patiently([&] { return iolite_selector_add(raw, e.a, IOLITE_READ, nullptr); });
  patiently([&] { return iolite_selector_add(raw, f.a, IOLITE_READ, nullptr); });
  iolite_ready out[4];
  put(e.b);
  EXPECT_EQ(patiently([&] { return iolite_selector_wait(raw, out, 4, for_ever); }), 1);
  EXPECT_EQ(out[0].fd, e.a);
  take(e.a);
  EXPECT_EQ(patiently([&] { return iolite_selector_wait(raw, out, 4, 1 * ms); }), 0);
  patiently([&] { return iolite_selector_modify(raw, f.a, IOLITE_WRITE, nullptr); });
  EXPECT_EQ(patiently([&] { return iolite_selector_wait(raw, out, 1, for_ever); }), 1);
  EXPECT_EQ(out[0].fd, f.a);
  patiently([&] { return iolite_selector_wake(raw); });
  patiently([&] { return iolite_selector_remove(raw, f.a); });
  EXPECT_EQ(patiently([&] { return iolite_selector_wait(raw, out, 4, for_ever); }), 0);
  patiently([&] { return iolite_selector_remove(raw, e.a); });
  return failures;
}

bool interruptible(call what) {
  constexpr std::array those = {call::poll, call::select, call::epoll_wait, call::sigtimedwait,
                                call::read, call::write,  call::nanosleep};
  return std::ranges::find(those, what) != those.end();
}

TEST_P(each_facility, every_call_failing_once_loses_no_descriptor) {
  faulty whole(iolite::kernel::real());
  ASSERT_EQ(live(whole, GetParam().c_str()), 0);
  const int before = open_descriptors();
  for (std::size_t c = 0; c < iolite::call_count; ++c) {
    const auto what = static_cast<call>(c);
    const auto calls = std::min<std::uint64_t>(whole.calls(what), 12);
    for (std::uint64_t nth = 1; nth <= calls; ++nth) {
      for (const int error : {EINTR, ENOMEM}) {
        if (error == EINTR && !interruptible(what)) continue;
        if (what == call::close || what == call::gettid || what == call::getpid) continue;
        SCOPED_TRACE(std::string(name_of(what)) + " " + std::to_string(nth) + ", error " +
                     std::to_string(error));
        faulty os(iolite::kernel::real(), {{.what = what, .nth = nth, .error = error}});
        live(os, GetParam().c_str());
        if (has(IOLITE_HAS_IDLE)) {  // else how often it asks is chance
          EXPECT_EQ(os.injected(), 1U);
        }
        EXPECT_EQ(open_descriptors(), before);
      }
    }
  }
}

TEST_P(each_facility, interrupted_five_times_a_wait_goes_on) {
  for (const call what : {call::epoll_wait, call::poll, call::select, call::sigtimedwait}) {
    faulty os(iolite::kernel::real(), {{.what = what, .nth = 2, .times = 5, .error = EINTR}});
    EXPECT_GE(live(os, GetParam().c_str()), 0);
  }
}

TEST(selector_open, best_takes_the_next_when_one_does_not_work) {
  faulty os(iolite::kernel::real(),
            {{.what = call::epoll_create1, .times = iolite::fault::for_ever, .error = EPERM},
             {.what = call::kqueue, .times = iolite::fault::for_ever, .error = ENOSYS}});
  iolite_selector* raw = nullptr;
  ASSERT_EQ(iolite::open_selector_on(os, nullptr, &raw), 0);
  EXPECT_STREQ(iolite_selector_name(raw), "poll");
  iolite_selector_close(raw);
}

TEST(selector_open, best_tries_whether_it_really_works) {
  const int before = open_descriptors();
  faulty os(iolite::kernel::real(),
            {{.what = call::epoll_wait, .times = iolite::fault::for_ever, .error = ENOSYS},
             {.what = call::poll, .times = iolite::fault::for_ever, .error = ENOSYS}});
  iolite_selector* raw = nullptr;
  const int r = iolite::open_selector_on(os, "best", &raw);
  EXPECT_LT(r, 0) << "without poll(2) nothing works";
  EXPECT_EQ(raw, nullptr);
  EXPECT_EQ(open_descriptors(), before);
  faulty half(iolite::kernel::real(),
              {{.what = call::epoll_wait, .times = iolite::fault::for_ever, .error = ENOSYS}});
  ASSERT_EQ(iolite::open_selector_on(half, "best", &raw), 0);
  EXPECT_STREQ(iolite_selector_name(raw), "poll");
  iolite_selector_close(raw);
}

TEST(selector_open, best_does_not_take_less_for_want_of_memory_or_descriptors) {
  for (const int error : {ENOMEM, EMFILE, ENFILE}) {
    faulty os(iolite::kernel::real(), {{.what = call::epoll_create1, .error = error}});
    iolite_selector* raw = nullptr;
    EXPECT_EQ(iolite::open_selector_on(os, nullptr, &raw), -error);
    EXPECT_EQ(raw, nullptr);
  }
}

}  // namespace
}  // namespace selector_test
