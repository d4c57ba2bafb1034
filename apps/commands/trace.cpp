// iolite trace: one exchange under each model, its two phases measured and drawn.
#include "trace/trace.hpp"
#include "commands/commands.hpp"
#include "load/load.hpp"
#include "page/page.hpp"
#include "terminal/options.hpp"
#include "terminal/output.hpp"

#include "iolite/models.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <memory>
#include <unistd.h>

namespace iolite::app {

namespace {

using namespace std::chrono_literals;

struct trace_arguments {
  std::string models;  // with commas between; empty: every one that is available
  std::size_t bytes = trace::options{}.bytes;
  clock::duration delay = trace::options{}.delay;
  unsigned rounds = trace::options{}.rounds;
  bool over_unix = false, sizes = false, ascii = false;
  std::string json_target, svg_target, events_target, report_target;

  // Something else is written to standard output than the figure.
  [[nodiscard]] bool quiet() const {
    return std::ranges::any_of(
        std::array{&json_target, &svg_target, &events_target, &report_target},
        [](const std::string* s) { return *s == "-"; });
  }
};

// A model and why it is not measured, in the order asked for. What a placement adds to an engine
// has no part in one exchange.
std::expected<std::vector<trace_row>, std::string> rows_for(const trace_arguments& a) {
  const std::vector<model_info> known = models();
  std::vector<trace_row> rows;
  const auto add = [&rows](const model_info& m) {
    if (std::ranges::find(rows, m.engine, &trace_row::model) != rows.end()) return;
    trace_row r;
    r.model = m.engine;
    r.available = m.available;
    r.reason = m.reason;
    rows.push_back(std::move(r));
  };
  if (a.models.empty() || a.models == "all") {
    for (const model_info& m : known)
      if (m.available || !a.models.empty()) add(m);
    return rows;
  }
  for (const std::string& name : CLI::detail::split(a.models, ',')) {
    const auto meant = name.starts_with("auto") ? choose(name) : model_choice{name, name, {}, {}};
    const std::string wanted = meant ? meant->model : name;
    const auto m = std::ranges::find_if(
        known, [&](const model_info& i) { return i.model == wanted || i.engine == wanted; });
    if (m == known.end())
      return std::unexpected(fmt::format("there is no model '{}'; iolite models lists them", name));
    add(*m);
  }
  return rows;
}

// How far it is, on standard error while that is a terminal.
class shown_progress {
 public:
  ~shown_progress() {
    if (terminal_) std::fputs("\r\033[K", stderr);
  }
  void operator()(double share) {
    const int percent = static_cast<int>(share * 100);
    if (!terminal_ || percent == last_) return;
    last_ = percent;
    std::fputs(fmt::format("\r\033[Kmeasuring: {} %", percent).c_str(), stderr);
    std::fflush(stderr);
  }

 private:
  bool terminal_ = ::isatty(STDERR_FILENO) == 1;
  int last_ = -1;
};

void add_engines(trace::session& s, std::vector<trace_row>& rows) {
  for (trace_row& r : rows) {
    if (!r.available) continue;
    if (const auto added = s.add(r.model); !added) r.reason = added.error().message();
  }
}

void put_figures(std::vector<trace_row>& rows, const std::vector<trace::subject>& measured) {
  for (const trace::subject& m : measured)
    *std::ranges::find(rows, m.engine, &trace_row::model) = row_of(m);
}

// What the signal has cut short, each model that failed, and where none is to be had, why.
int complain_of(const trace_run& run) {
  int status = status_done;
  for (const trace_row& r : run.rows) {
    if (!r.available) status = failed(fmt::format("{} is not available: {}", r.model, r.reason));
    else if (!r.reason.empty()) status = failed(fmt::format("{}: {}", r.model, r.reason));
  }
  if (const int number = interruptible::signal(); number != 0) {
    std::size_t most = 0;
    for (const trace_row& r : run.rows) most = std::max(most, r.rounds);
    complain(fmt::format("interrupted: {} of {} rounds were measured", most, run.rounds));
    return 128 + number;
  }
  return status;
}

int write_files(const trace_run& run, const trace_arguments& a, const report& page) {
  int status = status_done;
  const auto keep_worst = [&status](int one) { status = std::max(status, one); };
  if (!a.json_target.empty()) keep_worst(write_json(a.json_target, as_json(run)));
  if (!a.svg_target.empty()) keep_worst(write_result(a.svg_target, figure_svg(run)));
  if (!a.events_target.empty()) keep_worst(write_json(a.events_target, chrome_events(run)));
  keep_worst(page.write("trace", as_json(run)));
  return status;
}

text_style style_for(const trace_arguments& a) {
  text_style s = usual_style();
  s.ascii = s.ascii || a.ascii;
  return s;
}

int run_exchanges(trace::session& s, std::vector<trace_row> rows, const trace_arguments& a,
                  const report& page, std::atomic<bool>& stop) {
  add_engines(s, rows);
  shown_progress shown;
  put_figures(rows, s.measure([&](double share) {
    if (interruptible::signal() != 0) stop = true;
    shown(share);
  }));
  const trace_run run{.bytes = a.bytes,
                      .delay = s.delay(),
                      .rounds = a.rounds,
                      .over_unix = a.over_unix,
                      .exact = s.is_exact(),
                      .sees_switches = s.sees_switches(),
                      .rows = std::move(rows),
                      .missing = s.missing()};
  int status = status_done;
  if (!a.quiet() && !print(figure_text(run, style_for(a)))) status = status_failed;
  status = std::max(status, write_files(run, a, page));
  return std::max(status, complain_of(run));
}

int run_sizes(trace::session& s, std::vector<trace_row> rows, const trace_arguments& a,
              const report& page) {
  add_engines(s, rows);
  constexpr std::size_t kib = 1024;
  const std::vector<std::size_t> sizes = {64, kib, 16 * kib, 64 * kib, 256 * kib, 1024 * kib};
  const auto all = s.copy_costs(sizes, a.rounds);
  int status = status_done;
  if (!a.quiet() && !print(sizes_text(all, style_for(a)))) status = status_failed;
  if (!a.json_target.empty()) status = std::max(status, write_json(a.json_target, sizes_json(all)));
  return std::max(status, page.write("trace", sizes_json(all)));
}

int run_trace(const trace_arguments& a) {
  const report page(a.report_target);
  if (!page.possible()) return status_failed;
  std::atomic<bool> stop = false;
  const interruptible signals;
  // Before anything else makes threads: those are not seen.
  trace::session s({.bytes = a.bytes,
                    .delay = a.delay,
                    .rounds = a.rounds,
                    .over_unix = a.over_unix,
                    .stop = &stop});
  auto rows = rows_for(a);
  if (!rows) return wrong_usage(rows.error());
  if (a.sizes) return run_sizes(s, std::move(*rows), a, page);
  return run_exchanges(s, std::move(*rows), a, page, stop);
}

std::string check_size(const trace_arguments& a) {
  if (a.bytes <= trace::bytes_max) return {};
  return fmt::format("--size: at most {}; --sizes measures the copy of larger messages",
                     size_text(trace::bytes_max));
}

}  // namespace

void add_trace(CLI::App& app, action& chosen) {
  auto args = std::make_shared<trace_arguments>();
  CLI::App& c = *app.add_subcommand(
      "trace", "one exchange under each model: who waits, who copies, who is free meanwhile");
  add_name(c, "--models", args->models, "names with commas between, or `all`; see `iolite models`")
      ->type_name("LIST");
  add_size(c, "--size", args->bytes, "of the message", 1);
  add_duration(c, "--delay", args->delay, "from the call to the arrival of the message", 1ms);
  add_count(c, "--rounds", args->rounds, 1, 10'000, "over all models in turn; medians are shown");
  c.add_flag("--unix", args->over_unix, "over a unix socket instead of TCP");
  c.add_flag("--sizes", args->sizes,
             "instead: what the copy costs from 64 B to 1 MiB, and whose processor time");
  c.add_flag("--ascii", args->ascii, "no other characters; the default where the locale is such");
  add_json(c, args->json_target);
  add_report(c, args->report_target);
  add_name(c, "--svg", args->svg_target, "draw the figure into a file; - is standard output")
      ->type_name("FILE|-");
  add_name(c, "--trace", args->events_target,
           "write a typical round of each model as Chrome trace events, for ui.perfetto.dev")
      ->type_name("FILE|-");
  c.footer("Examples:\n  iolite trace\n"
           "  iolite trace --models blocking,epoll,io_uring --rounds 200 --svg phases.svg\n"
           "  iolite trace --sizes\n\nHow it is measured, and how exactly: docs/trace.md.");
  c.callback([args, &chosen] {
    chosen = [args] {
      if (const std::string wrong = check_size(*args); !wrong.empty()) return wrong_usage(wrong);
      return run_trace(*args);
    };
  });
}

}  // namespace iolite::app
