// Which model to take for a workload, and why: from the rows of `iolite compare`.
#include "commands/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace iolite::app {

namespace {

struct candidate {
  const compare_row* row;
  interval cpu;

  [[nodiscard]] double calls() const {
    const round& r = *row->median();
    return each(static_cast<double>(r.server.all_calls()), r.load);
  }
  [[nodiscard]] double switches() const {
    const round& r = *row->median();
    return each(static_cast<double>(r.server.context_switches), r.load);
  }
  [[nodiscard]] double p99_us() const {
    return static_cast<double>(row->median()->load.latency.quantile_ns(0.99)) / 1e3;
  }
};

std::string range_text(const interval& i) {
  if (!i.known) return {};
  return fmt::format(" ({:.2f}..{:.2f})", i.least, i.most);
}

std::string figures(const candidate& c) {
  return fmt::format("{:.2f} system calls and {:.2f} context switches, p99 {:.0f} us", c.calls(),
                     c.switches(), c.p99_us());
}

// The model's names, with commas: "a", "a and b", "a, b and c".
std::string names(const std::vector<candidate>& all) {
  std::string text;
  for (std::size_t i = 0; i < all.size(); ++i)
    text += (i == 0 ? "" : i + 1 == all.size() ? " and " : ", ") + all[i].row->model.model;
  return text;
}

}  // namespace

std::string recommendation(const std::vector<compare_row>& rows, const workload& w) {
  std::vector<candidate> all;
  for (const compare_row& r : rows)
    if (r.good()) all.push_back({&r, r.cpu()});
  if (all.empty()) return "No model was measured.\n";
  std::ranges::sort(all, {}, [](const candidate& c) { return c.cpu.middle; });
  const candidate& best = all.front();
  std::string text =
      fmt::format("For {} take {}: {:.2f} us of server CPU for each request{},\n{}.\n", w.name,
                  best.row->model.model, best.cpu.middle, range_text(best.cpu), figures(best));
  std::vector<candidate> ties;
  const candidate* next = nullptr;
  for (const candidate& c : std::span(all).subspan(1)) {
    if (!best.cpu.below(c.cpu)) ties.push_back(c);
    else if (!next) next = &c;
  }
  if (!ties.empty())
    text += fmt::format("It ties with {}: their intervals overlap.\n", names(ties));
  if (next)
    text +=
        fmt::format("The runner-up, {}, costs {:.2f} us more ({:.0f} %): {}.\n",
                    next->row->model.model, next->cpu.middle - best.cpu.middle,
                    100 * (next->cpu.middle - best.cpu.middle) / best.cpu.middle, figures(*next));
  return text;
}

}  // namespace iolite::app
