// iolite compare: the same handler on every model, side by side.
#include "commands/compare.hpp"
#include "commands/commands.hpp"
#include "load/load.hpp"
#include "page/page.hpp"
#include "terminal/options.hpp"
#include "terminal/output.hpp"
#include "terminal/status_line.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>
#include <sched.h>

namespace iolite::app {

namespace {

using namespace std::chrono_literals;

const std::vector<std::string> default_models = {
    "blocking/thread", "blocking/process", "blocking/pool", "nonblocking", "select",   "poll",
    "epoll",           "kqueue",           "signal",        "posix_aio",   "io_uring", "epoll/pool",
    "io_uring/pool"};

constexpr std::size_t message_bytes_max = std::size_t{16} * 1024 * 1024;

struct compare_arguments {
  std::string models;  // with commas between; empty: default_models
  std::string workload_name = "ping-pong";
  clock::duration duration = 250ms;
  clock::duration time = 45s;  // for all rounds
  clock::duration spin = clock::duration::zero();
  unsigned rounds = 0;  // 0: until the interval is narrow enough, or time is up
  unsigned connections = 0;      // 0: the workload's
  std::size_t message_bytes = 0; // likewise
  bool wide = false;
  std::string json_target;
  std::string report_target;
  std::string baseline;

  [[nodiscard]] bool quiet() const { return json_target == "-" || report_target == "-"; }
};

constexpr unsigned rounds_least = 3;
// Half of an interval's width, of its middle: narrower than what matters to a reader.
constexpr double narrow_percent = 1.5;

// Where the server runs and where the client: the first core, and the others.
struct core_plan {
  cpu_set_t all;
  cpu_set_t server;
  cpu_set_t client;
  bool pinned = false;

  core_plan() {
    CPU_ZERO(&all);
    CPU_ZERO(&server);
    if (::sched_getaffinity(0, sizeof all, &all) != 0 || CPU_COUNT(&all) < 2) return;
    client = all;
    for (unsigned core = 0; core < CPU_SETSIZE; ++core) {
      if (!CPU_ISSET(core, &all)) continue;
      CPU_SET(core, &server);
      CPU_CLR(core, &client);
      break;
    }
    pinned = true;
  }
};

// A pool has its point on several cores. The others, thread and process too, are compared by what
// they use on one.
bool wants_all_cores(const model_info& m) {
  return m.placement == placement::prefork ||
         (m.placement == placement::pool && m.engine != "blocking");
}

// "epoll" is epoll/shared, "blocking" is blocking/thread, auto is what it takes.
std::string full_name(const std::string& name) {
  if (name.starts_with("auto")) {
    const auto c = choose(name);
    return c ? c->model : name;
  }
  if (name.find('/') != std::string::npos) return name;
  return name + (name == "blocking" ? "/thread" : "/shared");
}

// Rows in the order asked for; the error names what is not a model.
std::expected<std::vector<compare_row>, std::string>
make_rows(const std::vector<std::string>& names) {
  const std::vector<model_info> known = models();
  std::vector<compare_row> rows;
  if (names == std::vector<std::string>{"all"}) {
    for (const model_info& m : known) rows.push_back({.model = m});
    return rows;
  }
  for (const std::string& name : names) {
    const auto m = std::ranges::find(known, full_name(name), &model_info::model);
    if (m == known.end())
      return std::unexpected(fmt::format("there is no model '{}'; iolite models lists them", name));
    rows.push_back({.model = *m});
  }
  return rows;
}

// One round of one model: its own server process, loaded and drained.
void measure(compare_row& row, const workload& w, const compare_arguments& a,
             const core_plan& plan) {
  const auto note = [&row](const std::string& why) {
    ++row.errors;
    if (row.failure.empty()) row.failure = why;
  };
  // A worker of blocking/pool serves one connection to its end, so each needs one.
  const unsigned workers = row.model.model == "blocking/pool" ? w.connections + w.idle : 0;
  const cpu_set_t* cores = !plan.pinned                 ? nullptr
                           : wants_all_cores(row.model) ? &plan.all
                                                        : &plan.server;
  auto server = server_process::start(row.model.model, workers, a.spin, cores);
  if (!server) return note(server.error());
  load_options o;
  o.to = server->address();
  o.connections = w.connections + w.idle;
  o.active = w.idle > 0 ? w.connections : 0;
  o.slow = w.slow ? w.connections / 4 : 0;
  o.sizes = message_sizes(w.message_bytes);
  o.depth = w.depth;
  o.churn = w.churn;
  o.warm_up = std::min<clock::duration>(a.duration / 4, 200ms);
  o.duration = a.duration;
  o.tick = [&server] { server->look(); };
  round r;
  r.load = run_load(o);
  auto figures = server->stop();
  if (r.load.interrupted) return;
  if (r.load.errors > 0) {
    note(r.load.first_error);
    row.errors += r.load.errors - 1;
  }
  if (!figures) return note(figures.error());
  if (r.load.requests == 0 && row.failure.empty())
    note(fmt::format("no answer came within {}", duration_text(a.duration)));
  r.server = std::move(*figures);
  row.rounds.push_back(std::move(r));
}

// Whether another round of this model says more.
bool wants_more(const compare_row& row, unsigned n, const compare_arguments& a) {
  if (!row.model.available || !row.failure.empty()) return false;
  if (a.rounds > 0 || n <= rounds_least) return a.rounds == 0 || n <= a.rounds;
  return row.cpu().spread_percent() > narrow_percent;
}

// Rounds go over all models in turn, so that a slow minute of the machine hits all of them.
void measure_all(std::vector<compare_row>& rows, const workload& w, const compare_arguments& a,
                 const core_plan& plan) {
  const auto end = a.rounds > 0 ? never : deadline_after(clock::now(), a.time);
  status_line line(clock::duration::zero());
  for (unsigned n = 1;; ++n) {
    bool more = false;
    for (compare_row& row : rows) {
      if (!wants_more(row, n, a)) continue;
      if (n > 1 && clock::now() >= end) return;  // each is measured once
      const std::string left = end == never ? fmt::format("of {}", a.rounds) : time_left(end);
      line.show(fmt::format("{}, round {}, {}", row.model.model, n, left));
      measure(row, w, a, plan);
      if (interruptible::signal() != 0) return;
      more = true;
    }
    if (!more) return;
  }
}

workload chosen_workload(const compare_arguments& a) {
  workload w = *workload::find(a.workload_name);
  if (a.connections > 0) w.connections = a.connections;
  if (a.message_bytes > 0) w.message_bytes = a.message_bytes;
  return w;
}

// What is worse than in the saved run is a failure, for CI.
int compare_with_saved(const compare_arguments& a, const std::vector<compare_row>& rows,
                       const workload& w) {
  if (a.baseline.empty()) return status_done;
  const auto all = changes_since(a.baseline, rows, w);
  if (!all) return failed(all.error());
  if (a.json_target != "-" && !print("\n" + changes_as_text(*all, a.baseline)))
    return status_failed;
  const auto worse = std::ranges::count_if(*all, &change::worse);
  if (worse == 0) return status_done;
  return failed(
      fmt::format("{} of {} models cost more CPU than in {}", worse, all->size(), a.baseline));
}

// A line for each model that failed; where none was to be had, why that is so.
int complain_of(const std::vector<compare_row>& rows) {
  int status = status_done;
  for (const compare_row& row : rows)
    if (!row.failure.empty()) status = failed(fmt::format("{}: {}", row.model.model, row.failure));
  if (std::ranges::any_of(rows, [](const compare_row& r) { return r.model.available; }))
    return status;
  const model_info& first = rows.front().model;
  return failed(fmt::format("nothing was measured: {}: {}", first.model, first.reason));
}

int run_compare(const compare_arguments& a) {
  const report page(a.report_target);
  if (!page.possible()) return status_failed;
  auto rows = make_rows(a.models.empty() ? default_models : CLI::detail::split(a.models, ','));
  if (!rows) return wrong_usage(rows.error());
  const workload w = chosen_workload(a);
  if (w.message_bytes > message_bytes_max)
    return wrong_usage(fmt::format("--size: at most {}", size_text(message_bytes_max)));
  if (const auto why = too_many_connections(w.connections + w.idle)) return failed(*why);
  const core_plan plan;
  if (plan.pinned) (void)::sched_setaffinity(0, sizeof plan.client, &plan.client);
  const interruptible signals;
  measure_all(*rows, w, a, plan);
  int status = status_done;
  if (!a.quiet() && !print(rows_as_text(*rows, w, {a.wide, plan.pinned}))) status = status_failed;
  if (!a.json_target.empty())
    status = std::max(status, write_json(a.json_target, rows_as_json(*rows, w)));
  status = std::max(status, page.write("compare", rows_as_json(*rows, w)));
  if (interruptible::signal() != 0) return 128 + interruptible::signal();
  status = std::max(status, complain_of(*rows));
  return std::max(status, compare_with_saved(a, *rows, w));
}

std::string workload_list() {
  std::string text = "Workloads, every byte of them checked:\n";
  for (const workload& w : workload::all())
    text += fmt::format("  {:<9} {}: {}\n", w.name, w.what, w.size_text());
  return text;
}

std::string check_workload(const std::string& name) {
  if (workload::find(name)) return {};
  std::string names;
  for (const workload& w : workload::all()) names += (names.empty() ? "" : ", ") + w.name;
  return fmt::format("there is no workload '{}': take one of {}", name, names);
}

}  // namespace

void add_compare(CLI::App& app, action& chosen) {
  auto args = std::make_shared<compare_arguments>();
  CLI::App& c = *app.add_subcommand("compare", "the same handler on every model, side by side");
  add_name(c, "--models", args->models, "names with commas between, or `all`; see `iolite models`")
      ->type_name("LIST");
  c.add_option("--workload", args->workload_name, "what the clients do, see below")
      ->type_name("NAME")
      ->default_str("ping-pong")
      ->check(check_workload);
  add_duration(c, "--duration", args->duration, "of a round, after a warm-up", shortest_run);
  add_count(c, "--rounds", args->rounds, 1, 1000,
            "so many, instead of until the interval is narrow");
  add_duration(c, "--time", args->time, "for all rounds: they end when every interval is narrow",
               shortest_run);
  add_count(c, "--connections", args->connections, 1, 100'000, "instead of the workload's");
  add_size(c, "--size", args->message_bytes, "of a message, instead of the workload's", 1);
  add_duration(c, "--spin", args->spin, "the servers', see `iolite serve --help`");
  c.add_flag("--wide", args->wide, "all columns; without it the table fits 80");
  add_name(c, "--baseline", args->baseline,
           "a file of --json: what has changed beyond noise; status 1 where it costs more")
      ->type_name("FILE");
  add_json(c, args->json_target);
  add_report(c, args->report_target);
  c.footer(
      workload_list() +
      "\nExamples:\n  iolite compare\n"
      "  iolite compare --models epoll,io_uring --workload large --rounds 5 --report result.html");
  c.callback([args, &chosen] { chosen = [args] { return run_compare(*args); }; });
}

}  // namespace iolite::app
