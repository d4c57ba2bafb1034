// How a report is told to a person: see simulate.hpp.
#include "iolite/simulate.hpp"

#include "simulate/report_text.hpp"

#include <charconv>

namespace iolite::simulate {

std::string seconds_text(clock::duration d) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(d).count();
  std::string fraction = std::to_string(us % 1'000'000);
  fraction.insert(0, 6 - fraction.size(), '0');
  return std::to_string(us / 1'000'000) + "." + fraction + " s";
}

namespace {

std::string hexadecimal(std::uint64_t n) {
  char out[16];
  const auto end = std::to_chars(out, out + sizeof out, n, 16).ptr;
  return {out, end};
}

std::string_view name_of(ending e) noexcept {
  switch (e) {
  case ending::finished: return "every program has ended";
  case ending::holds: return "what was waited for has come";
  case ending::time_is_up: return "the time is up";
  case ending::dead_lock: return "dead-lock: nothing can ever happen again";
  }
  return "?";
}

}  // namespace

std::uint64_t report::faults_injected() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& [name, n] : faults) sum += n;
  return sum;
}

std::string report::to_string() const {
  std::string out = "seed " + std::to_string(seed) + ", after " + seconds_text(elapsed) + ": " +
                    std::string(name_of(how)) + "\n";
  out += "  " + std::to_string(calls) + " system calls, trace " + hexadecimal(hash) + "\n";
  for (const simulate::waiting& w : waiting) {
    out += "  " + w.program + " waits since " + seconds_text(w.since) + ": " + w.operation;
    if (!w.on.empty()) out += "  (" + w.on + ")";
    out += "\n";
  }
  for (const std::string& f : failures) out += "  failed: " + f + "\n";
  for (const std::string& l : leaks) out += "  left open: " + l + "\n";
  for (const auto& [name, n] : faults) out += "  fault " + name + ": " + std::to_string(n) + "\n";
  return out;
}

}  // namespace iolite::simulate
