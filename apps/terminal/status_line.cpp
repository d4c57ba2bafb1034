#include "terminal/status_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sys/ioctl.h>
#include <unistd.h>

namespace iolite::app {

namespace {

using namespace std::chrono_literals;

constexpr auto redraw_every = 100ms;

std::size_t columns() {
  winsize size = {};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  return known ? size.ws_col - 1U : 79U;
}

}  // namespace

status_line::status_line(clock::duration log_every)
    : terminal_(::isatty(STDERR_FILENO) == 1), log_every_(log_every),
      last_(terminal_ ? clock::time_point() : clock::now()) {}

void status_line::show(const std::string& line) {
  const auto now = clock::now();
  if (now - last_ < (terminal_ ? redraw_every : log_every_)) return;
  last_ = now;
  // A line that is wrapped could not be taken back.
  const std::string text = terminal_ ? "\r\033[K" + line.substr(0, columns()) : line + "\n";
  shown_ = terminal_;
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

void status_line::clear() {
  if (!shown_) return;
  shown_ = false;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
}

std::string time_left(clock::time_point end) {
  if (end == never) return {};
  const auto left = std::chrono::ceil<std::chrono::seconds>(end - clock::now()).count();
  return fmt::format("{} s left", std::max<std::int64_t>(left, 0));
}

}  // namespace iolite::app
