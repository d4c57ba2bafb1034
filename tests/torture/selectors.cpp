// Scenarios without coroutines: the selector in C, on the kernel that fails, and in C++. The engine
// only says which facility.
#include "pieces.hpp"

#include "iolite/selector.hpp"
#include "selector/selector.hpp"

#include <algorithm>
#include <array>
#include <thread>

namespace iolite_test {
namespace {

using namespace iolite;

constexpr std::array<std::string_view, 5> facilities = {"nonblocking", "select", "poll", "epoll",
                                                        "signal"};

// Null, which is the best one, where the engine stands on no facility of a selector.
const char* facility_of(const engine& on) {
  const auto* it = std::ranges::find(facilities, on.name());
  return it == facilities.end() ? nullptr : it->data();
}

struct c_selector {
  explicit c_selector(engine& on) {
    if (open_selector_on(on.os(), facility_of(on), &it) < 0) it = nullptr;
  }
  c_selector(const c_selector&) = delete;
  c_selector& operator=(const c_selector&) = delete;
  ~c_selector() { iolite_selector_close(it); }
  iolite_selector* it = nullptr;
};

constexpr std::int64_t a_while = 2'000'000;  // ns

void c_interface(engine& on) {
  const raw_pair one = raw_unix_pair(), two = raw_unix_pair();
  const c_selector s(on);
  if (!s.it) return;
  std::array<iolite_ready, 4> out{};
  if (iolite_selector_add(s.it, one.a.fd(), IOLITE_READ, nullptr) < 0) return;
  static_cast<void>(iolite_selector_add(s.it, two.a.fd(), IOLITE_READ | IOLITE_WRITE, nullptr));
  one.b.send_all("x");
  static_cast<void>(iolite_selector_wait(s.it, out.data(), 4, a_while));
  static_cast<void>(iolite_selector_modify(s.it, two.a.fd(), IOLITE_READ, nullptr));
  static_cast<void>(iolite_selector_remove(s.it, one.a.fd()));
  static_cast<void>(iolite_selector_wait(s.it, out.data(), 1, a_while));
}

void selector_woken(engine& on) {
  const c_selector s(on);
  if (!s.it) return;
  std::array<iolite_ready, 1> out{};
  std::jthread other([&] { static_cast<void>(iolite_selector_wake(s.it)); });
  static_cast<void>(iolite_selector_wait(s.it, out.data(), 1, a_while));
}

void selector_of_closed_descriptors(engine& on) {
  const c_selector s(on);
  if (!s.it) return;
  std::array<iolite_ready, 4> out{};
  raw_pair gone = raw_unix_pair();
  const raw_pair stays = raw_unix_pair();
  const int number = gone.a.fd();
  static_cast<void>(iolite_selector_add(s.it, number, IOLITE_READ, nullptr));
  static_cast<void>(iolite_selector_add(s.it, stays.a.fd(), IOLITE_READ, nullptr));
  stays.b.send_all("x");
  gone.a.close();
  static_cast<void>(iolite_selector_wait(s.it, out.data(), 4, a_while));
  static_cast<void>(iolite_selector_remove(s.it, number));
}

// On the real kernel: only memory can be made to fail here.
void selector_with_data(engine& on) {
  const char* const name = facility_of(on);
  auto opened = selector<std::string>::open(name ? name : "best");
  if (!opened) return;
  const raw_pair one = raw_unix_pair(), two = raw_unix_pair();
  static_cast<void>(opened->add(one.a.fd(), interest::read, "the first one, with a long name"));
  static_cast<void>(opened->add(two.a.fd(), interest::write, "the second one, with a long name"));
  one.b.send_all("x");
  static_cast<void>(opened->wait(2ms));
  static_cast<void>(opened->modify(two.a.fd(), interest::read, "another long name for the second"));
  static_cast<void>(opened->remove(one.a.fd()));
  static_cast<void>(opened->wait(1ms));
}

constexpr scenario scenarios[] = {
    {"c_interface", c_interface},
    {"selector_woken", selector_woken},
    {"selector_of_closed_descriptors", selector_of_closed_descriptors},
    {"selector_with_data", selector_with_data},
};

}  // namespace

std::span<const scenario> selector_scenarios() noexcept { return scenarios; }

}  // namespace iolite_test
