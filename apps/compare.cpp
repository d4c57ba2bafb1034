// iolite compare: the same handler on every model, side by side.
#include "compare.hpp"
#include "commands.hpp"
#include "load.hpp"
#include "options.hpp"
#include "output.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <sched.h>
#include <unistd.h>

namespace iolite::app {

namespace {

using namespace std::chrono_literals;

const std::vector<std::string> default_models = {
    "blocking/thread", "blocking/process", "blocking/pool", "nonblocking", "select",   "poll",
    "epoll",           "kqueue",           "signal",        "posix_aio",   "io_uring", "epoll/pool",
    "io_uring/pool"};

const std::vector<workload> workloads = {
    {"echo", "one small message after the other", 64, 64, 1, false},
    {"bulk", "large messages", 16, 16384, 1, false},
    {"pipeline", "many small messages at a time", 16, 64, 16, false},
    {"churn", "connect, one message, close", 16, 64, 1, true},
};

constexpr std::size_t message_bytes_max = std::size_t{16} * 1024 * 1024;

struct compare_arguments {
  std::string models;  // with commas between; empty: default_models
  std::string workload_name = "echo";
  clock::duration duration = 800ms;
  clock::duration spin = clock::duration::zero();
  unsigned rounds = 3;
  unsigned connections = 0;      // 0: the workload's
  std::size_t message_bytes = 0; // likewise
  std::string json_target;
};

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

// Where it is up to, on standard error: one line that changes on a terminal, else a line each.
class progress {
 public:
  explicit progress(std::size_t steps) : steps_(steps), terminal_(::isatty(STDERR_FILENO) == 1) {}
  ~progress() {
    if (terminal_) std::fputs("\r\033[K", stderr);
  }
  void step(const std::string& what) {
    ++step_;
    const std::string line = fmt::format("[{}/{}] {}", step_, steps_, what);
    std::fputs((terminal_ ? "\r\033[K" + line : line + "\n").c_str(), stderr);
    std::fflush(stderr);
  }

 private:
  std::size_t steps_;
  std::size_t step_ = 0;
  bool terminal_;
};

// One round of one model: its own server process, loaded and drained.
void measure(compare_row& row, const workload& w, const compare_arguments& a,
             const core_plan& plan) {
  const auto note = [&row](const std::string& why) {
    ++row.errors;
    if (row.failure.empty()) row.failure = why;
  };
  // A worker of blocking/pool serves one connection to its end, so each needs one.
  const unsigned workers = row.model.model == "blocking/pool" ? w.connections : 0;
  const cpu_set_t* cores = !plan.pinned                 ? nullptr
                           : wants_all_cores(row.model) ? &plan.all
                                                        : &plan.server;
  auto server = server_process::start(row.model.model, workers, a.spin, cores);
  if (!server) return note(server.error());
  load_options o;
  o.to = server->address();
  o.connections = w.connections;
  o.message_bytes = w.message_bytes;
  o.depth = w.depth;
  o.reconnect = w.reconnect;
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

// Rounds go over all models in turn, so that a slow minute of the machine hits all of them.
void measure_all(std::vector<compare_row>& rows, const workload& w, const compare_arguments& a,
                 const core_plan& plan) {
  const auto there = static_cast<std::size_t>(
      std::ranges::count_if(rows, [](const compare_row& r) { return r.model.available; }));
  progress shown(there * a.rounds);
  for (unsigned n = 1; n <= a.rounds; ++n)
    for (compare_row& row : rows) {
      if (!row.model.available) continue;
      shown.step(fmt::format("{}, round {} of {}", row.model.model, n, a.rounds));
      if (!row.failure.empty()) continue;
      measure(row, w, a, plan);
      if (interruptible::signal() != 0) return;
    }
}

workload chosen_workload(const compare_arguments& a) {
  workload w = *std::ranges::find(workloads, a.workload_name, &workload::name);
  if (a.connections > 0) w.connections = a.connections;
  if (a.message_bytes > 0) w.message_bytes = a.message_bytes;
  return w;
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
  auto rows = make_rows(a.models.empty() ? default_models : CLI::detail::split(a.models, ','));
  if (!rows) return wrong_usage(rows.error());
  const workload w = chosen_workload(a);
  if (w.message_bytes > message_bytes_max)
    return wrong_usage(fmt::format("--size: at most {}", size_text(message_bytes_max)));
  if (const auto why = too_many_connections(w.connections)) return failed(*why);
  const core_plan plan;
  if (plan.pinned) (void)::sched_setaffinity(0, sizeof plan.client, &plan.client);
  const interruptible signals;
  measure_all(*rows, w, a, plan);
  int status = status_done;
  if (a.json_target != "-" && !print(rows_as_text(*rows, w, plan.pinned))) status = status_failed;
  if (!a.json_target.empty())
    status = std::max(status, write_json(a.json_target, rows_as_json(*rows, w)));
  if (interruptible::signal() != 0) return 128 + interruptible::signal();
  return std::max(status, complain_of(*rows));
}

std::string workload_list() {
  std::string text = "Workloads, every byte of them checked:\n";
  for (const workload& w : workloads)
    text += fmt::format("  {:<9} {}: {} connections, {} B, depth {}\n", w.name, w.what,
                        w.connections, w.message_bytes, w.depth);
  return text;
}

std::string check_workload(const std::string& name) {
  if (std::ranges::find(workloads, name, &workload::name) != workloads.end()) return {};
  return fmt::format("there is no workload '{}': take echo, bulk, pipeline or churn", name);
}

}  // namespace

void add_compare(CLI::App& app, action& chosen) {
  auto args = std::make_shared<compare_arguments>();
  CLI::App& c = *app.add_subcommand("compare", "the same handler on every model, side by side");
  add_name(c, "--models", args->models, "names with commas between, or `all`; see `iolite models`")
      ->type_name("LIST");
  c.add_option("--workload", args->workload_name, "what the clients do, see below")
      ->type_name("NAME")
      ->default_str("echo")
      ->check(check_workload);
  add_duration(c, "--duration", args->duration, "of a round, after a warm-up", shortest_run);
  add_count(c, "--rounds", args->rounds, 1, 1000, "over all models in turn; the median is shown");
  add_count(c, "--connections", args->connections, 1, 100'000, "instead of the workload's");
  add_size(c, "--size", args->message_bytes, "of a message, instead of the workload's", 1);
  add_duration(c, "--spin", args->spin, "the servers', see `iolite serve --help`");
  add_json(c, args->json_target);
  c.footer(
      workload_list() +
      "\nExamples:\n  iolite compare\n"
      "  iolite compare --models epoll,io_uring --workload bulk --rounds 5 --json result.json");
  c.callback([args, &chosen] { chosen = [args] { return run_compare(*args); }; });
}

}  // namespace iolite::app
