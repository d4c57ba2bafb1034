// See cost.hpp.
#include "support/cost.hpp"

#include <algorithm>
#include <filesystem>
#include <fmt/core.h>
#include <fstream>

namespace tutorial {
namespace {

// The number behind `name` in a file of lines "Name:  123 kB"; 0 when the process has ended.
long field(const std::filesystem::path& file, const std::string& name) {
  std::ifstream in(file);
  for (std::string word; in >> word;) {
    long value = 0;
    if (word == name && in >> value) return value;
  }
  return 0;
}

}  // namespace

cost cost::of(int process) {
  cost sum;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto status = entry.path() / "status";
    if (name != std::to_string(process) && field(status, "PPid:") != process) continue;
    const long memory_kib = field(entry.path() / "smaps_rollup", "Pss_Anon:");
    if (memory_kib == 0) continue;  // it has ended, and its parent has not noticed yet
    ++sum.processes;
    sum.threads += static_cast<int>(field(status, "Threads:"));
    sum.memory_kib += memory_kib;
  }
  return sum;
}

std::string cost::report(const cost& before, int connections) const {
  const double clients = std::max(connections, 1);
  return fmt::format("connections {}, processes {}, threads {}, memory {} KiB; "
                     "per client {:.2f} processes, {:.2f} threads, {:.1f} KiB",
                     connections, processes, threads, memory_kib,
                     (processes - before.processes) / clients, (threads - before.threads) / clients,
                     static_cast<double>(memory_kib - before.memory_kib) / clients);
}

}  // namespace tutorial
