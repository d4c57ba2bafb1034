#include "measure/machine.hpp"

#include "terminal/output.hpp"

#include "iolite/models.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <fstream>
#include <optional>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace iolite::app {

namespace {

// The first line of a file in /proc or /sys, or nothing.
std::optional<std::string> first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  std::ranges::replace(line, '\t', ' ');
  return line;
}

// The value of `Key:  value` in a file in /proc.
std::optional<std::string> field(const std::string& path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ':') continue;
    const auto begin = line.find_first_not_of(" \t", key.size() + 1);
    return begin == std::string::npos ? std::string() : line.substr(begin);
  }
  return std::nullopt;
}

long long number(const std::optional<std::string>& text) {
  long long n = -1;
  if (text) std::from_chars(text->data(), text->data() + text->size(), n);
  return n;
}

std::string mebibytes(const std::optional<std::string>& kibibytes) {
  const long long k = number(kibibytes);
  return k < 0 ? "unknown" : fmt::format("{} MiB", k / 1024);
}

finding kernel_release() {
  utsname u = {};
  if (::uname(&u) != 0) return {"kernel", "unknown", verdict::limited, ""};
  return {"kernel", fmt::format("{} {} {}", u.sysname, u.release, u.machine), verdict::good, ""};
}

finding cores() {
  cpu_set_t allowed;
  const int usable =
      ::sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 0;
  const long online = ::sysconf(_SC_NPROCESSORS_ONLN);
  finding f{"cores", fmt::format("{} usable of {}", usable, online), verdict::good, ""};
  if (usable == 1) {
    f.state = verdict::limited;
    f.remedy = "server and client share one core: compare measures both together; give it two";
  }
  return f;
}

finding memory() {
  return {"memory",
          fmt::format("{}, {} available", mebibytes(field("/proc/meminfo", "MemTotal")),
                      mebibytes(field("/proc/meminfo", "MemAvailable"))),
          verdict::good, ""};
}

std::string limit_text(rlim_t value) {
  return value == RLIM_INFINITY ? "unlimited" : fmt::format("{}", value);
}

// Below `enough`, `remedy` says what to do.
finding limit(const char* what, int resource, rlim_t enough, const char* remedy) {
  rlimit r = {};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &r) != 0)
    return {what, "unknown", verdict::limited, ""};
  finding f{what, fmt::format("{}, at most {}", limit_text(r.rlim_cur), limit_text(r.rlim_max)),
            verdict::good, ""};
  if (r.rlim_cur < enough) {
    f.state = verdict::limited;
    f.remedy = remedy;
  }
  return f;
}

finding sysctl(const char* name, long long enough, const char* remedy) {
  std::string path = "/proc/sys/";
  for (const char* p = name; *p; ++p) path += *p == '.' ? '/' : *p;
  const auto value = first_line(path);
  finding f{name, value.value_or("not there"), verdict::good, ""};
  if (value && number(value) < enough) {
    f.state = verdict::limited;
    f.remedy = remedy;
  }
  return f;
}

finding local_ports() {
  const auto range = first_line("/proc/sys/net/ipv4/ip_local_port_range");
  finding f{"net.ipv4.ip_local_port_range", range.value_or("unknown"), verdict::good, ""};
  if (!range) return f;
  const auto blank = range->find(' ');
  const long long low = number(range);
  const auto high_at = blank == std::string::npos ? blank : range->find_first_not_of(' ', blank);
  const long long high = high_at == std::string::npos ? -1 : number(range->substr(high_at));
  f.value = fmt::format("{} to {}: {} connections to one address", low, high, high - low + 1);
  if (high - low < 20'000) {
    f.state = verdict::limited;
    f.remedy = "for more clients: sysctl -w net.ipv4.ip_local_port_range='16384 65535'";
  }
  return f;
}

finding io_uring_sysctl() {
  const auto value = first_line("/proc/sys/kernel/io_uring_disabled");
  finding f{"kernel.io_uring_disabled", value.value_or("not there (before Linux 6.6)"),
            verdict::good, ""};
  if (value && *value != "0") {
    f.state = verdict::missing;
    f.remedy = "allow it: sysctl -w kernel.io_uring_disabled=0";
  }
  return f;
}

finding seccomp() {
  const auto mode = field("/proc/self/status", "Seccomp");
  if (!mode || *mode == "0") return {"seccomp", "off", verdict::good, ""};
  return {"seccomp", *mode == "1" ? "strict" : "filtering", verdict::limited,
          "a filter may refuse io_uring; in a container: --security-opt seccomp=unconfined, or a "
          "profile that allows io_uring_setup, io_uring_enter and io_uring_register"};
}

finding container() {
  std::vector<std::string> hints;
  if (::access("/.dockerenv", F_OK) == 0) hints.emplace_back("docker");
  if (::access("/run/.containerenv", F_OK) == 0) hints.emplace_back("podman");
  // NOLINTBEGIN(concurrency-mt-unsafe): no thread of this program changes the environment.
  if (const char* name = std::getenv("container")) hints.emplace_back(name);
  if (std::getenv("KUBERNETES_SERVICE_HOST")) hints.emplace_back("kubernetes");
  // NOLINTEND(concurrency-mt-unsafe)
  const auto group = first_line("/proc/self/cgroup").value_or("");
  for (const char* word : {"docker", "kubepods", "lxc"})
    if (group.find(word) != std::string::npos) hints.emplace_back(word);
  return {"container", hints.empty() ? "no sign of one" : fmt::format("{}", fmt::join(hints, " ")),
          verdict::good, ""};
}

finding perf_events() {
  const auto value = first_line("/proc/sys/kernel/perf_event_paranoid");
  finding f{"kernel.perf_event_paranoid", value.value_or("not there (no perf events)"),
            verdict::good, ""};
  if (!value || number(value) > 2) {
    f.state = verdict::limited;
    f.remedy =
        "iolite trace cannot see when a thread wakes; sysctl -w kernel.perf_event_paranoid=2";
  }
  return f;
}

finding real_time_signals() {
  const int count = SIGRTMAX - SIGRTMIN + 1;
  finding f{"real-time signals", fmt::format("{} ({} to {})", count, SIGRTMIN, SIGRTMAX),
            verdict::good, ""};
  if (count < 1) f = {f.what, "none", verdict::missing, "the signal engine needs one"};
  return f;
}

finding reuse_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  const bool ok = fd >= 0 && ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (ok) return {"SO_REUSEPORT", "works", verdict::good, ""};
  return {"SO_REUSEPORT", error_text(error), verdict::missing,
          "pool and prefork placements need it (Linux 3.9)"};
}

void add_engines(std::vector<finding>& to) {
  std::vector<std::string> seen;
  for (const model_info& m : models()) {
    if (std::ranges::find(seen, m.engine) != seen.end()) continue;
    seen.push_back(m.engine);
    const availability a = available(m.engine);
    finding f{"engine " + m.engine, "works", a.ok ? verdict::good : verdict::missing,
              a.ok ? "" : a.reason};
    if (!a.ok) f.value = "not available";
    else if (!m.features.empty()) f.value = fmt::format("works: {}", fmt::join(m.features, " "));
    to.push_back(std::move(f));
  }
}

finding automatic() {
  if (const auto c = choose("auto"))
    return {"auto takes", c->model + ": " + c->why, verdict::good, ""};
  else return {"auto takes", "nothing", verdict::missing, c.error().message};
}

}  // namespace

std::vector<finding> examine_machine() {
  std::vector<finding> all = {
      kernel_release(),
      cores(),
      memory(),
      limit("open files (RLIMIT_NOFILE)", RLIMIT_NOFILE, 4096,
            "about one connection each; for this shell: ulimit -n $(ulimit -Hn)"),
      limit("locked memory (RLIMIT_MEMLOCK)", RLIMIT_MEMLOCK, rlim_t{64} * 1024,
            "io_uring rings were charged to it before Linux 5.12; ulimit -l, or memlock in "
            "limits.conf(5)"),
      limit("queued signals (RLIMIT_SIGPENDING)", RLIMIT_SIGPENDING, 1024,
            "the signal engine queues one a descriptor; ulimit -i 4096"),
      sysctl("net.core.somaxconn", 1024,
             "bursts of connections are cut short; sysctl -w net.core.somaxconn=4096"),
      local_ports(),
      io_uring_sysctl(),
      perf_events(),
      seccomp(),
      container(),
      real_time_signals(),
      reuse_port(),
  };
  add_engines(all);
  all.push_back(automatic());
  return all;
}

const char* word_for(verdict v) {
  switch (v) {
  case verdict::good: return "ok";
  case verdict::limited: return "limited";
  case verdict::missing: return "missing";
  }
  return "";
}

nlohmann::ordered_json findings_as_json(const std::vector<finding>& all) {
  auto out = nlohmann::ordered_json::array();
  for (const finding& f : all)
    out.push_back(
        {{"what", f.what}, {"found", f.value}, {"state", word_for(f.state)}, {"remedy", f.remedy}});
  return out;
}

}  // namespace iolite::app
