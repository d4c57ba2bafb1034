#include "measure/loaded_server.hpp"

#include "load/load.hpp"

#include "iolite/models.hpp"
#include "iolite/stream.hpp"
#include "iolite/time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sys/wait.h>

namespace iolite::app {

namespace {

using namespace std::chrono_literals;

constexpr auto start_limit = 10s;
constexpr auto start_tick = 20ms;
constexpr auto stop_limit = 6s;
constexpr clock::duration dying_limit = 200ms;

void keep_most(account& most, const account& now) {
  most.rss_bytes = std::max(most.rss_bytes, now.rss_bytes);
  most.threads = std::max(most.threads, now.threads);
  most.descriptors = std::max(most.descriptors, now.descriptors);
  most.processes = std::max(most.processes, now.processes);
}

// What has ended in between is in no sum any more.
double more(double now, double before) { return std::max(0.0, now - before); }

account difference(const account& now, const account& before, const account& most) {
  account d = most;
  d.cpu_us = more(now.cpu_us, before.cpu_us);
  d.user_us = more(now.user_us, before.user_us);
  d.system_us = more(now.system_us, before.system_us);
  d.context_switches =
      now.context_switches - std::min(now.context_switches, before.context_switches);
  return d;
}

enum class listening : std::uint8_t { yes, no, ended };

// Connects until somebody answers, the server has ended, or it takes too long.
task<listening> wait_until_listening(child& server, endpoint at) {
  const auto end = deadline_after(clock::now(), start_limit);
  while (clock::now() < end && interruptible::signal() == 0) {
    const auto made = co_await stream::connect(at, start_limit);
    if (made) co_return listening::yes;
    if (server.ended()) co_return listening::ended;
    const auto slept = co_await sleep(start_tick);
    if (!slept) break;
  }
  co_return listening::no;
}

}  // namespace

std::string end_text(int status) {
  if (WIFSIGNALED(status)) return fmt::format("was killed by signal {}", WTERMSIG(status));
  return fmt::format("ended with status {}", WEXITSTATUS(status));
}

std::expected<loaded_server, std::string> loaded_server::watch(pid_t process) {
  const auto now = account_of(process);
  if (!now) return std::unexpected(now.error());
  return loaded_server(process);
}

std::expected<loaded_server, std::string> loaded_server::start(std::vector<std::string> command,
                                                               const endpoint& at) {
  const std::string name = command.front();
  auto made = child::start_command(std::move(command), nullptr);
  if (!made) return std::unexpected(made.error());
  listening found = listening::no;
  auto loop = make_engine("poll");
  if (!loop) return std::unexpected(loop.error().message);
  (*loop)->run([](child& c, endpoint to, listening& out) -> task<void> {
    out = co_await wait_until_listening(c, to);
  }(*made, at, found));
  if (found == listening::ended)
    return std::unexpected(fmt::format("{} ended before it listened at {}", name, at.to_string()));
  if (found == listening::no)
    return std::unexpected(fmt::format("{} does not listen at {} after {} s; is that its address?",
                                       name, at.to_string(), start_limit.count()));
  loaded_server server(made->id());
  server.child_.emplace(std::move(*made));
  return server;
}

void loaded_server::begin() {
  if (const auto now = account_of(process_)) keep_most(most_, before_ = *now);
}

void loaded_server::look() {
  if (const auto now = account_of(process_)) keep_most(most_, *now);
}

std::expected<account, std::string> loaded_server::end(bool failed) {
  const auto ended =
      child_ ? child_->ended(failed ? dying_limit : clock::duration::zero()) : std::nullopt;
  const auto now = account_of(process_);
  if (ended || !now) {
    return std::unexpected(
        fmt::format("the server {} while it was loaded; what it used is not known",
                    ended ? end_text(ended->status) : "has ended"));
  }
  keep_most(most_, *now);
  return difference(*now, before_, most_);
}

std::expected<void, std::string> loaded_server::stop() {
  if (!child_ || child_->id() < 0) return {};
  const child_exit end = child_->stop(stop_limit);
  const bool by_our_signal = WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGTERM;
  if (by_our_signal || (WIFEXITED(end.status) && WEXITSTATUS(end.status) == 0)) return {};
  return std::unexpected("at its end the server " + end_text(end.status));
}

}  // namespace iolite::app
