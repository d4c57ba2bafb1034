// The same service twice: as callbacks, and as coroutines.
//
// It asks for two numbers, says their sum, and begins again. A callback must return at once, so
// what is to be remembered goes into an object, also how far the talk has come. A coroutine stops
// where it waits: its variables are the memory, and where it stands is how far the talk has come.
// Who talks to the server cannot tell the two apart.
//
// Try it with `nc 127.0.0.1 7000`, with --style callbacks and with --style coroutines.
#include "support/callbacks.hpp"
#include "support/lines.hpp"
#include "support/options.hpp"

#include <charconv>
#include <fmt/core.h>
#include <iolite/iolite.hpp>

namespace {

constexpr std::string_view ask_first = "first number?\n", ask_second = "second number?\n";

std::optional<int> number_in(const std::string& line) {
  int number = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
  if (error != std::errc() || end != line.data() + line.size()) return std::nullopt;
  return number;
}

std::string sum(long a, long b) { return fmt::format("{} + {} = {}\n", a, b, a + b); }

// --- coroutines ---

iolite::task<std::optional<int>> number_from(tutorial::line_reader& lines, iolite::stream& peer,
                                             std::string_view question) {
  for (;;) {
    if (!co_await peer.send_all(question)) co_return std::nullopt;
    const auto line = co_await lines.next();
    if (!line) co_return std::nullopt;
    if (const auto number = number_in(*line)) co_return number;
  }
}

iolite::task<> add(iolite::stream peer) {
  tutorial::line_reader lines(peer);
  for (;;) {
    const auto first = co_await number_from(lines, peer, ask_first);
    if (!first) co_return;
    const auto second = co_await number_from(lines, peer, ask_second);
    if (!second) co_return;
    const std::string answer = sum(*first, *second);
    if (!co_await peer.send_all(answer)) co_return;
  }
}

// --- callbacks ---

class adder : public tutorial::callback_client {
  void on_connected() override { send(ask_first); }
  void on_line(const std::string& line) override {
    const auto number = number_in(line);
    if (number && first_) {
      send(sum(*first_, *number));
      first_.reset();
    } else if (number) {
      first_ = number;
    }
    send(first_ ? ask_second : ask_first);
  }

  std::optional<int> first_;  // there: the second one is awaited
};

}  // namespace

int main(int argc, char** argv) {
  std::string listen = "127.0.0.1:7000", style = "coroutines", model = "auto";
  tutorial::parse(argc, argv, "adds numbers, written in one style or the other",
                  {{"--listen", &listen, "where"},
                   {"--style", &style, "callbacks or coroutines"},
                   {"--model", &model, "of I/O"}});
  if (style == "coroutines") return iolite::serve_main(add, {.model = model, .listen = {listen}});
  if (style != "callbacks") tutorial::fail("--style is callbacks or coroutines");
  tutorial::serve_callbacks(listen, model == "auto" ? "best" : model,
                            [] { return std::make_unique<adder>(); });
}
