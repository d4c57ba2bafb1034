// One body, every facility: the fixture of the tests that hold for all of them.
#pragma once
#include "iolite/selector.h"
#include "models/registry.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace selector_test {

// A descriptor that closes itself.
class owned {
 public:
  owned() = default;
  explicit owned(int fd) : fd_(fd) {}
  owned(owned&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  owned& operator=(owned&& o) noexcept { return std::swap(fd_, o.fd_), *this; }
  ~owned() { close(); }
  void close();
  int release() { return std::exchange(fd_, -1); }
  operator int() const { return fd_; }

 private:
  int fd_ = -1;
};

// Two ends; what is written to `b` is read from `a`.
struct ends {
  owned a, b;
};
ends unix_pair();
ends tcp_pair();
ends pipe_pair();
owned event_fd();

void put(int fd, std::string_view bytes = "x");
std::string take(int fd);   // what is there, without waiting
void fill(int fd);          // until it would block
void reset(owned& tcp);     // closes with a reset
int open_descriptors();
[[nodiscard]] bool allow_descriptors(unsigned count);

struct ready {
  int fd;
  unsigned events;
  auto operator<=>(const ready&) const = default;
};
void PrintTo(const ready& r, std::ostream* out);
using ready_list = std::vector<ready>;  // sorted by descriptor

inline constexpr std::int64_t ms = 1'000'000, seconds = 1'000 * ms, for_ever = -1;

// The process's own interval timer of 1 kHz, whose handler counts, without SA_RESTART.
class signal_storm {
 public:
  signal_storm();
  ~signal_storm();
  static int count();
};

struct selector_closer {
  void operator()(iolite_selector* s) const { iolite_selector_close(s); }
};
using selector_handle = std::unique_ptr<iolite_selector, selector_closer>;

class each_facility : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override;
  void TearDown() override;

  // One more on the same facility.
  selector_handle open_another();
  int add(int fd, unsigned events, void* data = nullptr) {
    return iolite_selector_add(it, fd, events, data);
  }
  int modify(int fd, unsigned events, void* data = nullptr) {
    return iolite_selector_modify(it, fd, events, data);
  }
  int remove(int fd) { return iolite_selector_remove(it, fd); }
  // A failed wait is a failed test.
  ready_list wait(std::int64_t timeout_ns, int max = 4096) { return wait_on(it, timeout_ns, max); }
  static ready_list wait_on(iolite_selector* on, std::int64_t timeout_ns, int max = 4096);
  bool has(unsigned trait) const { return (iolite_selector_traits(it) & trait) != 0; }

  iolite_selector* it = nullptr;
};

}  // namespace selector_test
