// How far a command is, on standard error: a line that changes on a terminal, else a line now and
// then.
#pragma once
#include "iolite/clock.hpp"

#include <string>

namespace iolite::app {

class status_line {
 public:
  // Where standard error is no terminal, a line is written at most each `log_every`, the first one
  // after as long.
  explicit status_line(clock::duration log_every = std::chrono::seconds(5));
  status_line(const status_line&) = delete;
  status_line& operator=(const status_line&) = delete;
  ~status_line() { clear(); }

  void show(const std::string& line);
  // Takes the line away, so that something else can be written.
  void clear();

 private:
  bool terminal_;
  bool shown_ = false;
  clock::duration log_every_;
  clock::time_point last_;
};

// What is left until `end`: "12 s left"; empty without an end.
[[nodiscard]] std::string time_left(clock::time_point end);

}  // namespace iolite::app
