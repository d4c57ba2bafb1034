// See counted_echo.hpp.
#include "support/counted_echo.hpp"

#include "support/lines.hpp"
#include "support/sockets.hpp"

#include <filesystem>
#include <fmt/core.h>
#include <iolite/iolite.hpp>
#include <map>

namespace tutorial {
namespace {

// On one thread: the servers that use it run all connections on one loop.
class call_counter {
 public:
  explicit call_counter(int every) : every_(every) {}

  // So that it does not count how the program came to listen.
  void forget_the_past() {
    for (const auto& [name, count] : iolite::system_calls()) before_[name] = count;
  }
  void count_line() {
    if (++lines_ == every_) report();
  }
  // What was called since the last report, by how many lines there were since.
  void report() {
    if (lines_ == 0) return;
    std::string text;
    for (const auto& [name, count] : iolite::system_calls()) {
      const auto since = static_cast<double>(count - std::exchange(before_[name], count));
      if (since / lines_ >= 0.005) text += fmt::format(" {} {:.2f}", name, since / lines_);
    }
    const std::filesystem::directory_iterator threads("/proc/self/task");
    say(fmt::format("{} lines; threads: {}; calls for each line:{}", std::exchange(lines_, 0),
                    std::distance(begin(threads), end(threads)), text));
  }

 private:
  const int every_;
  int lines_ = 0;
  std::map<std::string_view, std::uint64_t> before_;
};

iolite::task<> echo(iolite::stream peer, call_counter& counter) {
  line_reader from(peer);
  while (auto line = co_await from.next()) {
    *line += '\n';
    if (!co_await peer.send_all(*line)) co_return;
    counter.count_line();
  }
}

}  // namespace

int serve_counted_echo(const std::string& engine, const std::string& listen, int every,
                       std::string_view phases) {
  call_counter counter(every);
  iolite::serve_options options{.model = engine + "/shared", .listen = {listen}};
  options.on_listening = [&counter, phases](const auto& model, const auto& at) {
    say(fmt::format("listening on {} ({})\n{}", at.front().to_string(), model.model, phases));
    counter.forget_the_past();
  };
  const auto handler = [&counter](iolite::stream peer) { return echo(std::move(peer), counter); };
  const int status = iolite::serve_main(handler, std::move(options));
  counter.report();
  return status;
}

}  // namespace tutorial
