// What the tests of ready() share.
#pragma once
#include "support/engine_test.hpp"

#include "kernel/kernel.hpp"

#include <fcntl.h>

namespace iolite_test {

struct pipe_ends {
  owned_fd reader, writer;
};
inline pipe_ends new_pipe() {
  int two[2];
  EXPECT_EQ(system_of_test().pipe2(two, O_CLOEXEC | O_NONBLOCK), 0);
  return {owned_fd(two[0]), owned_fd(two[1])};
}

// What ready() has said, and how often.
struct seen {
  int times = 0;
  iolite::interest what = iolite::interest::none;
  std::error_code code;

  void set(const iolite::result<iolite::interest>& r) {
    ++times;
    what = r.value_or(iolite::interest::none);
    if (!r) code = r.error();
  }
};

inline iolite::task<> see(int fd, iolite::interest what, seen& out) {
  const auto r = co_await (iolite::ready(fd, what) | iolite::within{10s});
  out.set(r);
}

inline void expect_seen(const seen& s, iolite::interest what) {
  EXPECT_EQ(s.times, 1);
  EXPECT_EQ(s.what, what) << s.code.message();
}

}  // namespace iolite_test
