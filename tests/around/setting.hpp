// A server and one client, under every model, on the real kernel and on a simulated one.
#pragma once
#include "iolite/iolite.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace iolite_test {

using namespace std::chrono_literals;

// What the processes of a server tell the test: in memory that they share with it.
struct notes {
  std::atomic<unsigned> started = 0, ended = 0, said = 0, calls = 0, failures = 0;
  std::atomic<std::uint64_t> now = 0, connections = 0;
  std::atomic<std::uint16_t> port = 0;
};

// Kept as long as the process of the test.
[[nodiscard]] notes& shared_notes();

// "epoll/pool", or "epoll/pool/simulated".
class around : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override;

  [[nodiscard]] bool simulated() const;
  [[nodiscard]] std::string model() const;
  [[nodiscard]] iolite::placement placed() const;
  [[nodiscard]] bool blocking() const { return model().starts_with("blocking"); }
  [[nodiscard]] iolite::serve_options options() const;
  static constexpr unsigned workers = 3;
  // How many loops accept.
  [[nodiscard]] unsigned loops() const;
  [[nodiscard]] unsigned processes() const;

  // What the client uses: where the server is, and how to stop it.
  struct service {
    iolite::endpoint at;
    std::function<void()> stop;
  };
  using client = std::function<iolite::task<>(const service&)>;
  struct outcome {
    std::string error;  // of serve()
    iolite::serve_report report;
    std::vector<std::string> log;
    [[nodiscard]] bool says(const std::string& words) const;
  };
  // Runs both to their ends; the server is stopped when the client has ended.
  [[nodiscard]] outcome play(iolite::handler h, const iolite::serve_options& o, const client& c);

  notes& seen() const { return *notes_; }

 private:
  [[nodiscard]] outcome play_here(iolite::handler h, const iolite::serve_options& o,
                                  const client& c);
  [[nodiscard]] outcome play_simulated(iolite::handler h, iolite::serve_options o, const client& c);
  notes* notes_ = nullptr;
};

// Until `condition` holds; false: not within 20 s.
template <class Condition>
[[nodiscard]] iolite::task<bool> comes_true(Condition condition) {
  for (int i = 0; i < 20'000; ++i) {
    if (condition()) co_return true;
    auto pause = iolite::sleep(1ms);
    const auto r = co_await pause;
    if (!r) co_return false;
  }
  co_return false;
}
[[nodiscard]] iolite::task<iolite::stream> connected(iolite::endpoint to);
// The answer to `text` is `text`.
[[nodiscard]] iolite::task<> expect_echo(iolite::stream& s, std::string text);

}  // namespace iolite_test
