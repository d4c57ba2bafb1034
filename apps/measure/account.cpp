#include "measure/account.hpp"

#include <fmt/format.h>

#include <charconv>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <unistd.h>

namespace iolite::app {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t processes_max = 100'000;

// Names in a directory of /proc; none where it cannot be read.
std::vector<std::string> entries(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator i(path, error), end; !error && i != end; i.increment(error))
    names.push_back(i->path().filename().string());
  return names;
}

double cpu_time_us(pid_t process) {
  clockid_t clock = {};
  timespec t = {};
  if (::clock_getcpuclockid(process, &clock) != 0 || ::clock_gettime(clock, &t) != 0) return 0;
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

struct ticks {
  double user = 0, system = 0;                    // of the process
  double of_dead_children = 0;  // both
  bool there = false;
};

// Fields 14 to 17 of /proc/PID/stat, after a name in parentheses that may hold anything.
ticks ticks_of(pid_t process) {
  const std::string text = whole_file(fmt::format("/proc/{}/stat", process));
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(text.substr(name_end + 1));
  std::string state, skipped;
  fields >> state;
  for (int i = 4; i < 14; ++i) fields >> skipped;
  ticks t;
  double dead_user = 0, dead_system = 0;
  fields >> t.user >> t.system >> dead_user >> dead_system;
  t.of_dead_children = dead_user + dead_system;
  t.there = bool(fields) && state != "Z" && state != "X";
  return t;
}

std::uint64_t switches_of(pid_t process) {
  const std::string folder = fmt::format("/proc/{}/task", process);
  std::uint64_t sum = 0;
  for (const std::string& thread : entries(folder)) {
    const std::string status = whole_file(fmt::format("{}/{}/status", folder, thread));
    sum += number_after(status, "\nvoluntary_ctxt_switches:") +
           number_after(status, "\nnonvoluntary_ctxt_switches:");
  }
  return sum;
}

// False: it has ended.
bool add(account& sum, pid_t process) {
  const ticks t = ticks_of(process);
  if (!t.there) return false;
  const double tick_us = 1e6 / static_cast<double>(::sysconf(_SC_CLK_TCK));
  const std::string status = whole_file(fmt::format("/proc/{}/status", process));
  sum.cpu_us += cpu_time_us(process) + t.of_dead_children * tick_us;
  sum.user_us += t.user * tick_us;
  sum.system_us += t.system * tick_us;
  sum.context_switches += switches_of(process);
  sum.rss_bytes += number_after(status, "\nVmRSS:") * 1024;
  sum.threads += number_after(status, "\nThreads:");
  sum.descriptors += entries(fmt::format("/proc/{}/fd", process)).size();
  ++sum.processes;
  return true;
}

}  // namespace

std::string whole_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::uint64_t number_after(const std::string& text, std::string_view key) {
  const auto at = text.find(key);
  if (at == std::string::npos) return 0;
  const auto digit = text.find_first_of("0123456789", at + key.size());
  std::uint64_t n = 0;
  if (digit != std::string::npos)
    std::from_chars(text.data() + digit, text.data() + text.size(), n);
  return n;
}

// Each thread has those that it has forked.
std::vector<pid_t> children_of(pid_t process) {
  std::vector<pid_t> all;
  const std::string folder = fmt::format("/proc/{}/task", process);
  for (const std::string& thread : entries(folder)) {
    std::istringstream list(whole_file(fmt::format("{}/{}/children", folder, thread)));
    all.insert(all.end(), std::istream_iterator<pid_t>(list), {});
  }
  return all;
}

std::expected<account, std::string> account_of(pid_t process) {
  account sum;
  if (!add(sum, process)) return std::unexpected(fmt::format("there is no process {}", process));
  std::vector<pid_t> left = children_of(process);
  while (!left.empty() && sum.processes < processes_max) {
    const pid_t next = left.back();
    left.pop_back();
    if (!add(sum, next)) continue;
    const std::vector<pid_t> more = children_of(next);
    left.insert(left.end(), more.begin(), more.end());
  }
  return sum;
}

}  // namespace iolite::app
