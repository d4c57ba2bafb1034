// See service.hpp.
#include "service.hpp"

#include "support/sockets.hpp"

#include <cstdlib>
#include <string>

namespace iolite_test {

using namespace iolite;

task<> serve_jobs(stream peer) {
  for (;;) {
    job j;
    const auto got = co_await peer.recv_all(std::as_writable_bytes(std::span(&j, 1)));
    if (!got) co_return;
    if (j.work_us > 0) co_await iolite::sleep(std::chrono::microseconds(j.work_us));
    const std::string answer = pattern(j.bytes, j.work_us);
    const auto sent = co_await peer.send_all(answer);
    if (!sent) co_return;
  }
}

std::string_view name_of(stop_by by) noexcept {
  constexpr std::array<std::string_view, 5> names = {"SIGTERM", "SIGINT", "SIGTERM to the group",
                                                     "SIGINT to the group", "SIGTERM twice"};
  return names[static_cast<std::size_t>(by)];
}

plan::plan(std::uint64_t s) : seed(s), chance(s) {
  by = static_cast<stop_by>(below(5));
  stop = 1us * (20'000 + below(60'000));
  successor = below(2) == 0;
  successor_begins = stop - 20ms + 1us * below(200'000);
  unix_path = below(2) == 0;
  clients = 1 + below(10);
  faults = below(2) == 0;
  small_buffers = below(2) == 0;
}

std::uint64_t number_from(const char* variable, std::uint64_t usual) {
  const char* const value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): read only
  return value ? std::strtoull(value, nullptr, 10) : usual;
}

}  // namespace iolite_test
