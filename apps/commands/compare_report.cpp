#include "commands/compare.hpp"
#include "terminal/options.hpp"
#include "terminal/table.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace iolite::app {

namespace {

double cpu_each(const round& r) { return each(r.server.cpu_us, r.load); }

std::string latency(const round& r, double q) {
  return fmt::format("{:.0f}", static_cast<double>(r.load.latency.quantile_ns(q)) / 1e3);
}

// The kinds of calls that matter, most frequent first: `recv 1.00 send 1.00 epoll_wait 0.03`.
std::string frequent_calls(const round& r) {
  std::vector<std::pair<double, std::string>> kinds;
  if (!r.server.calls) return {};
  for (const auto& [name, count] : *r.server.calls)
    kinds.emplace_back(each(static_cast<double>(count), r.load), name);
  std::ranges::sort(kinds, std::greater<>());
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(kinds.size(), 4); ++i) {
    if (kinds[i].first < 0.005) break;
    text += fmt::format("{}{} {:.2f}", i > 0 ? " " : "", kinds[i].second, kinds[i].first);
  }
  return text;
}

struct shown_column {
  column head;
  bool always;  // else in the wide table only
  std::string (*cell)(const compare_row&, const round&);
};

std::string fixed(double value, int digits) { return fmt::format("{:.{}f}", value, digits); }

std::string spread(const compare_row& row) {
  const interval cpu = row.cpu();
  return cpu.known ? fmt::format("{:.0f}%", cpu.spread_percent()) : "-";
}

const std::vector<shown_column>& columns() {
  using row = compare_row;
  static const std::vector<shown_column> all = {
      {{"MODEL"}, true, [](const row& m, const round&) { return m.model.model; }},
      {{"req/s", align::right},
       true,
       [](const row&, const round& r) { return fixed(requests_per_second(r.load), 0); }},
      {{"p50 us", align::right}, true, [](const row&, const round& r) { return latency(r, 0.5); }},
      {{"p99 us", align::right}, true, [](const row&, const round& r) { return latency(r, 0.99); }},
      {{"CPU us", align::right},
       true,
       [](const row&, const round& r) { return fixed(cpu_each(r), 2); }},
      {{"user", align::right},
       false,
       [](const row&, const round& r) { return fixed(each(r.server.user_us, r.load), 2); }},
      {{"sys", align::right},
       false,
       [](const row&, const round& r) { return fixed(each(r.server.system_us, r.load), 2); }},
      {{"+-", align::right}, true, [](const row& m, const round&) { return spread(m); }},
      {{"calls", align::right},
       true,
       [](const row&, const round& r) {
         return fixed(each(static_cast<double>(r.server.all_calls()), r.load), 2);
       }},
      {{"switches", align::right},
       true,
       [](const row&, const round& r) {
         return fixed(each(static_cast<double>(r.server.context_switches), r.load), 3);
       }},
      {{"RSS", align::right},
       false,
       [](const row&, const round& r) {
         return fixed(static_cast<double>(r.server.rss_bytes) / 1048576, 1);
       }},
      {{"threads", align::right},
       false,
       [](const row&, const round& r) { return std::to_string(r.server.threads); }},
      {{"CALLS BY KIND"}, false, [](const row&, const round& r) { return frequent_calls(r); }},
  };
  return all;
}

std::string reason_for(const compare_row& row) {
  if (!row.model.available) return "not available: " + row.model.reason;
  return row.failure.empty() ? "not measured" : "failed: " + row.failure;
}

// With a rank each, where there are intervals: models that tie share it.
class rank_cells {
 public:
  explicit rank_cells(const std::vector<compare_row>& rows) {
    std::vector<interval> all;
    all.reserve(rows.size());
    for (const compare_row& r : rows) all.push_back(r.good() ? r.cpu() : interval());
    known_ = std::ranges::any_of(all, &interval::known);
    ranks_ = ranks(all);
  }
  [[nodiscard]] bool known() const noexcept { return known_; }
  [[nodiscard]] std::string at(std::size_t i) const { return std::to_string(ranks_[i]); }

 private:
  bool known_ = false;
  std::vector<unsigned> ranks_;
};

table table_of(const std::vector<compare_row>& rows, bool wide) {
  const rank_cells rank(rows);
  std::vector<column> heads;
  for (const shown_column& c : columns())
    if (wide || c.always) heads.push_back(c.head);
  const std::ptrdiff_t from_end = wide ? 1 : 0;  // before what has no end: the calls by kind
  if (rank.known()) heads.insert(heads.end() - from_end, {"rank", align::right});
  table t(std::move(heads));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const round* const r = rows[i].median();
    if (!r || !rows[i].good()) continue;
    std::vector<std::string> cells;
    for (const shown_column& c : columns())
      if (wide || c.always) cells.push_back(c.cell(rows[i], *r));
    if (rank.known()) cells.insert(cells.end() - from_end, rank.at(i));
    t.add(std::move(cells));
  }
  return t;
}

constexpr const char* legend =
    "us: microseconds. CPU, calls, switches: of the server, for each request. The row\n"
    "is the round of median CPU, +- half the width of the median's interval of 95 %.\n"
    "Models whose intervals overlap tie: they share a rank. --wide shows everything.\n";

constexpr const char* wide_legend =
    "us: microseconds. CPU, user, sys, calls, switches: of the server, for each request; user and\n"
    "sys are the system's estimate of how CPU splits. The row is the round of median CPU, +- half\n"
    "the width of the median's interval of 95 %; models whose intervals overlap tie, and share a\n"
    "rank. RSS in MiB, of processes the sum of their proportional shares.\n";

}  // namespace

const round* compare_row::median() const {
  if (rounds.empty()) return nullptr;
  std::vector<const round*> order;
  order.reserve(rounds.size());
  for (const round& r : rounds) order.push_back(&r);
  std::ranges::sort(order, {}, [](const round* r) { return cpu_each(*r); });
  return order[(order.size() - 1) / 2];
}

interval compare_row::cpu() const {
  std::vector<double> samples;
  samples.reserve(rounds.size());
  for (const round& r : rounds) samples.push_back(cpu_each(r));
  return bootstrap_median(std::move(samples));
}

std::string rows_as_text(const std::vector<compare_row>& rows, const workload& w,
                         table_style style) {
  std::string text = fmt::format("{}: {}, {}\n\n", w.name, w.what, w.size_text()) +
                     table_of(rows, style.wide).text();
  for (const compare_row& row : rows)
    if (!row.good()) text += fmt::format("{}  {}\n", row.model.model, reason_for(row));
  return text + "\n" + (style.wide ? wide_legend : legend) +
         (style.pinned ? "The server had one core, pool and prefork all; the client the rest.\n"
                       : "Nothing was pinned: server and client shared the cores.\n") +
         recommendation(rows, w);
}

nlohmann::ordered_json rows_as_json(const std::vector<compare_row>& rows, const workload& w) {
  auto out = nlohmann::ordered_json::array();
  for (const compare_row& row : rows) {
    const round* r = row.median();
    auto json = row_as_json(row.model.model, w.name, r ? r->load : load_result(),
                            r ? std::optional(r->server) : std::nullopt);
    json["errors"] = row.errors;
    json["rounds"] = row.rounds.size();
    const interval cpu = row.cpu();
    json["spread_percent"] = cpu.spread_percent();
    if (cpu.known) json["cpu_us_interval"] = {cpu.least, cpu.middle, cpu.most};
    json["syscalls_by_kind"] = nlohmann::ordered_json::object();
    if (r && r->server.calls)
      for (const auto& [name, count] : *r->server.calls)
        json["syscalls_by_kind"][name] = each(static_cast<double>(count), r->load);
    json["available"] = row.model.available;
    json["reason"] = row.model.available ? row.failure : row.model.reason;
    out.push_back(std::move(json));
  }
  return out;
}

}  // namespace iolite::app
