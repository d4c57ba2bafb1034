#include "compare.hpp"
#include "options.hpp"
#include "table.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace iolite::app {

namespace {

double cpu_each(const round& r) { return each(r.server.cpu_us(), r.load); }

std::string latency(const round& r, double q) {
  return fmt::format("{:.0f}", static_cast<double>(r.load.latency.quantile_ns(q)) / 1e3);
}

// The kinds of calls that matter, most frequent first: `recv 1.00 send 1.00 epoll_wait 0.03`.
std::string frequent_calls(const round& r) {
  std::vector<std::pair<double, std::string>> kinds;
  for (const auto& [name, count] : r.server.calls)
    kinds.emplace_back(each(static_cast<double>(count), r.load), name);
  std::ranges::sort(kinds, std::greater<>());
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(kinds.size(), 4); ++i) {
    if (kinds[i].first < 0.005) break;
    text += fmt::format("{}{} {:.2f}", i > 0 ? " " : "", kinds[i].second, kinds[i].first);
  }
  return text;
}

std::vector<std::string> cells(const compare_row& row, const round& r) {
  const double calls = each(static_cast<double>(r.server.all_calls()), r.load);
  return {row.model.model,
          fmt::format("{:.0f}", requests_per_second(r.load)),
          latency(r, 0.5),
          latency(r, 0.99),
          fmt::format("{:.2f}", cpu_each(r)),
          fmt::format("{:.2f}", each(r.server.user_us, r.load)),
          fmt::format("{:.2f}", each(r.server.system_us, r.load)),
          row.rounds.size() > 1 ? fmt::format("{:.0f}%", row.spread_percent()) : "-",
          fmt::format("{:.2f}", calls),
          fmt::format("{:.3f}", each(static_cast<double>(r.server.context_switches), r.load)),
          fmt::format("{:.1f}", static_cast<double>(r.server.rss_bytes) / 1048576),
          std::to_string(r.server.threads),
          frequent_calls(r)};
}

std::string reason_for(const compare_row& row) {
  if (!row.model.available) return "not available: " + row.model.reason;
  return row.failure.empty() ? "not measured" : "failed: " + row.failure;
}

// The one with the least CPU per request, and whether the next is really behind it.
std::string winner(const std::vector<compare_row>& rows) {
  std::vector<const compare_row*> good;
  for (const compare_row& r : rows)
    if (r.median() && r.failure.empty()) good.push_back(&r);
  if (good.empty()) return "No model was measured.\n";
  std::ranges::sort(good, {}, [](const compare_row* r) { return cpu_each(*r->median()); });
  const compare_row& best = *good[0];
  const double least = cpu_each(*best.median());
  std::string text =
      fmt::format("Least server CPU per request: {}, {:.2f} us", best.model.model, least);
  if (good.size() > 1) {
    const double next = cpu_each(*good[1]->median());
    const double more = least > 0 ? 100 * (next - least) / least : 0;
    const double spread = std::max({best.spread_percent(), good[1]->spread_percent(), 2.0});
    text +=
        more > spread
            ? fmt::format("; next {}, {:.2f} us, {:.0f}% more", good[1]->model.model, next, more)
            : fmt::format("; no difference seen to {}, {:.2f} us", good[1]->model.model, next);
  }
  return text + ". Differences within the spread mean nothing.\n";
}

constexpr const char* legend =
    "us: microseconds. CPU, user, sys, calls, switches: of the server, for each request; user and\n"
    "sys are the system's estimate of how CPU splits. The row is the round of median CPU, +- half\n"
    "the distance of the extremes. RSS in MiB, of processes the sum of their proportional "
    "shares.\n";

}  // namespace

const round* compare_row::median() const {
  if (rounds.empty()) return nullptr;
  std::vector<const round*> order;
  order.reserve(rounds.size());
  for (const round& r : rounds) order.push_back(&r);
  std::ranges::sort(order, {}, [](const round* r) { return cpu_each(*r); });
  return order[(order.size() - 1) / 2];
}

double compare_row::spread_percent() const {
  if (rounds.empty()) return 0;
  const auto [least, most] = std::ranges::minmax(rounds, {}, cpu_each);
  const double middle = cpu_each(*median());
  return middle > 0 ? 100 * (cpu_each(most) - cpu_each(least)) / 2 / middle : 0;
}

std::string rows_as_text(const std::vector<compare_row>& rows, const workload& w, bool pinned) {
  table t({{"MODEL"},
           {"req/s", align::right},
           {"p50 us", align::right},
           {"p99 us", align::right},
           {"CPU us", align::right},
           {"user", align::right},
           {"sys", align::right},
           {"+-", align::right},
           {"calls", align::right},
           {"switches", align::right},
           {"RSS", align::right},
           {"threads", align::right},
           {"CALLS BY KIND"}});
  for (const compare_row& row : rows) {
    const round* r = row.median();
    if (r && row.failure.empty()) t.add(cells(row, *r));
    else t.add_note({row.model.model}, reason_for(row));
  }
  return fmt::format("{}: {}, {} connections, {} B, depth {}\n\n", w.name, w.what, w.connections,
                     w.message_bytes, w.depth) +
         t.text() + "\n" + legend +
         (pinned ? "The server had one core, pool and prefork all of them; the client the rest.\n"
                 : "Nothing was pinned: server and client shared the cores.\n") +
         winner(rows);
}

nlohmann::ordered_json rows_as_json(const std::vector<compare_row>& rows, const workload& w) {
  auto out = nlohmann::ordered_json::array();
  for (const compare_row& row : rows) {
    const round* r = row.median();
    auto json = row_as_json(row.model.model, w.name, r ? r->load : load_result(),
                            r ? std::optional(r->server) : std::nullopt);
    json["errors"] = row.errors;
    json["rounds"] = row.rounds.size();
    json["spread_percent"] = row.spread_percent();
    json["syscalls_by_kind"] = nlohmann::ordered_json::object();
    if (r)
      for (const auto& [name, count] : r->server.calls)
        json["syscalls_by_kind"][name] = each(static_cast<double>(count), r->load);
    json["available"] = row.model.available;
    json["reason"] = row.model.available ? row.failure : row.model.reason;
    out.push_back(std::move(json));
  }
  return out;
}

}  // namespace iolite::app
