// iolite serve: a service on addresses, under a model.
#include "commands/commands.hpp"
#include "measure/report.hpp"
#include "services/services.hpp"
#include "terminal/options.hpp"
#include "terminal/output.hpp"

#include "iolite/serve.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <climits>
#include <memory>

namespace iolite::app {

namespace {

struct serve_arguments {
  std::string service;
  serve_options options;
  unsigned report_fd = 0;  // 0: none
};

const service* find_service(std::string_view name) {
  for (const service& s : services())
    if (s.name == name) return &s;
  return nullptr;
}

void announce(const serve_arguments& a, const model_choice& choice,
              const std::vector<endpoint>& addresses) {
  if (a.options.model.starts_with("auto")) complain(choice.why);
  std::string lines;
  for (const endpoint& at : addresses)
    lines += fmt::format("listening on {} ({}, {})\n", at.to_string(), a.service, choice.model);
  // A reader that went away is no reason not to serve.
  (void)print(lines);
  if (a.report_fd > 0) report_ready(static_cast<int>(a.report_fd), choice, addresses);
}

// An address that cannot be read is wrong usage; one that cannot be bound, and a descriptor that
// does not listen, are failures.
std::optional<std::string> unreadable_address(const std::vector<std::string>& addresses) {
  for (const std::string& text : addresses) {
    if (text.starts_with("fd:")) continue;
    if (const auto at = endpoint::parse(text); !at) return at.error().message;
  }
  return std::nullopt;
}

int run_serve(serve_arguments a) {
  if (const auto wrong = unreadable_address(a.options.listen)) return wrong_usage(*wrong);
  if (const auto c = choose(a.options.model);
      !c && c.error().code == std::errc::invalid_argument && !a.options.model.starts_with("auto"))
    return wrong_usage(c.error().message);
  raise_descriptor_limit();
  if (a.report_fd > 0) share_system_calls();
  a.options.log = [](std::string_view line) { complain(line); };
  a.options.on_listening = [&a](const model_choice& choice, const std::vector<endpoint>& at) {
    announce(a, choice, at);
  };
  const auto report = serve(find_service(a.service)->handler, a.options);
  if (!report) return failed(report.error().message);
  if (a.report_fd > 0) report_drained(static_cast<int>(a.report_fd));
  return status_done;
}

std::string service_list() {
  std::string text = "Services:\n";
  for (const service& s : services()) text += fmt::format("  {:<9} {}\n", s.name, s.what);
  return text;
}

}  // namespace

void add_serve(CLI::App& app, action& chosen) {
  auto args = std::make_shared<serve_arguments>();
  serve_options& o = args->options;
  o.listen = {"127.0.0.1:7000"};
  CLI::App& c = *app.add_subcommand("serve", "run a service under any I/O model");
  c.add_option("service", args->service, "which one, see below")
      ->required()
      ->type_name("SERVICE")
      ->check([](const std::string& name) {
        return find_service(name) ? std::string()
                                  : fmt::format("there is no service '{}': take echo, upper, "
                                                "discard or chargen",
                                                name);
      });
  c.add_option("--model", o.model, "ENGINE[/PLACEMENT], see `iolite models`")
      ->type_name("MODEL")
      ->default_str("auto");
  c.add_option("--listen", o.listen,
               "where; may be repeated: 127.0.0.1:7000, [::1]:7000, :7000, unix:/run/x.sock; or "
               "fd:3, a socket that listens already")
      ->type_name("ADDRESS")
      ->default_str("127.0.0.1:7000")
      ->expected(1)
      ->take_all();
  c.add_flag("--public", o.allow_public, "allow addresses that other machines can reach");
  add_count(c, "--workers", o.workers, 0, 1024,
            "pool, prefork: how many; 0 is one a core (blocking: 16)");
  add_count(c, "--connections-max", o.connections_max, 1, 10'000'000,
            "accept no more than this at a time");
  add_duration(c, "--spin", o.engine.spin,
               "event loops: ask again for so long before sleeping, while that pays; 50us is much");
  add_duration(c, "--idle-timeout", o.idle_timeout,
               "end a connection when no byte has moved for so long; 0: never");
  add_duration(c, "--connection-timeout", o.connection_timeout,
               "end a connection that has lasted so long; 0: never");
  add_count(c, "--rate-min", o.rate_min, 0, 1'000'000'000,
            "end a connection whose peer moves fewer bytes per second in the middle of something");
  add_duration(c, "--drain-timeout", o.drain_timeout,
               "after SIGINT or SIGTERM, busy connections have this long to finish");
  add_count(c, "--report-fd", args->report_fd, 3, INT_MAX, "for `iolite compare`")->group("");
  c.footer(service_list() +
           "\nExamples:\n  iolite serve echo\n"
           "  iolite serve upper --model epoll/pool --listen :7000 --listen unix:/tmp/upper.sock");
  c.callback([args, &chosen] { chosen = [args] { return run_serve(*args); }; });
}

}  // namespace iolite::app
