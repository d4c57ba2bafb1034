// See trace.hpp. The hash is FNV-1a over words of 64 bits.
#include "kernel/simulated/world/trace.hpp"

#include <cstdio>

namespace iolite::simulated {

void trace_log::mix(std::uint64_t word) noexcept {
  hash_ = (hash_ ^ word) * 0x100000001b3U;
  hash_ ^= hash_ >> 29;
}

void trace_log::add(entry e) {
  mix(static_cast<std::uint64_t>(e.when.count()));
  mix(static_cast<std::uint64_t>(e.kind) << 40 | std::uint64_t{e.what} << 32 | e.who);
  mix(static_cast<std::uint64_t>(e.fd));
  mix(static_cast<std::uint64_t>(e.gave));
  for (const char c : e.words) mix(static_cast<unsigned char>(c));
  if (kept_max_ == 0) return;
  if (kept_.size() == kept_max_) kept_.pop_front();
  kept_.push_back(std::move(e));
}

void trace_log::called(clock::duration when, unsigned who, call what, long fd, long gave) {
  ++calls_;
  add({when, sort::call, static_cast<std::uint8_t>(what), who, fd, gave, {}});
}

void trace_log::injected(clock::duration when, unsigned who, fault_kind what) {
  ++faults_[static_cast<std::size_t>(what)];
  add({when, sort::fault, static_cast<std::uint8_t>(what), who, none, 0, {}});
}

void trace_log::noted(clock::duration when, std::string_view what) {
  add({when, sort::note, 0, 0, none, 0, std::string(what)});
}

std::string trace_log::line(const entry& e, const std::string& name) {
  char time[32];
  const long long us = e.when.count() / 1000;
  const long long s = us / 1'000'000;
  std::snprintf(time, sizeof time, "%6lld.%06lld  ", s,
                us % 1'000'000);  // tidy: allow output, text
  std::string out = time;
  if (e.kind == sort::note) return out + e.words;
  out += name + "  ";
  if (e.kind == sort::fault) return out + "FAULT " + std::string(fault_names[e.what]);
  out += std::string(call_names[e.what]);
  if (e.fd != none) out += " fd=" + std::to_string(e.fd);
  return out + " = " + std::to_string(e.gave);
}

}  // namespace iolite::simulated
