// See shrink.hpp.
#include "iolite/simulate/shrink.hpp"

#include "simulate/ddmin.hpp"
#include "simulate/report_text.hpp"

#include <unordered_set>

namespace iolite::simulate {
namespace {

// In the order they happened, each once.
std::vector<std::uint64_t> numbers_of(const report& r) {
  std::vector<std::uint64_t> out;
  std::unordered_set<std::uint64_t> seen;
  for (const injected_fault& f : r.injected) {
    if (seen.insert(f.number).second) out.push_back(f.number);
  }
  return out;
}

}  // namespace

std::optional<shrunk> shrink(std::uint64_t seed, const options& o,
                             const std::function<report(std::uint64_t, const options&)>& run,
                             std::size_t runs_max) {
  shrunk out;
  out.least = run(seed, o);
  out.runs = 1;
  if (out.least.ok()) return std::nullopt;
  out.before = out.least.injected.size();
  out.only = numbers_of(out.least);
  const auto fails = [&](std::vector<std::uint64_t>& part) {
    options less = o;
    less.only = part;
    ++out.runs;
    report r = run(seed, less);
    if (r.ok()) return false;
    part = numbers_of(r);  // what was allowed and did not happen is of no use
    out.least = std::move(r);
    return true;
  };
  out.minimal = ddmin(out.only, fails, runs_max);
  return out;
}

std::string shrunk::to_string() const {
  std::string text = std::to_string(before) + " faults, of which it takes " +
                     std::to_string(least.injected.size()) + (minimal ? "" : " or less") + " (" +
                     std::to_string(runs) + " runs)\n";
  for (const injected_fault& f : least.injected) {
    text += "  " + std::to_string(f.number) + "  after " + seconds_text(f.when) + ": " + f.what;
    if (!f.program.empty()) text += " of " + f.program;
    text += "\n";
  }
  return text;
}

}  // namespace iolite::simulate
