#include "commands/compare.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace iolite::app {

const std::vector<workload>& workload::all() {
  static const std::vector<workload> list = {
      {.name = "ping-pong", .what = "one small message after the other"},
      {.name = "pipeline", .what = "many small messages at a time", .connections = 16, .depth = 16},
      {.name = "large", .what = "large messages", .connections = 16, .message_bytes = 16384},
      {.name = "idle", .what = "few active among many idle", .connections = 16, .idle = 500},
      {.name = "churn", .what = "connect, one message, close", .connections = 16, .churn = 1},
      {.name = "slow", .what = "every fourth sends its messages in pieces", .slow = true},
  };
  return list;
}

const workload* workload::find(const std::string& name) {
  // As they were called first.
  const std::string meant = name == "echo" ? "ping-pong" : name == "bulk" ? "large" : name;
  const auto found = std::ranges::find(all(), meant, &workload::name);
  return found == all().end() ? nullptr : &*found;
}

std::string workload::size_text() const {
  std::string text = fmt::format("{} connections", connections);
  if (idle > 0) text += fmt::format(" and {} idle", idle);
  return text + fmt::format(", {} B, depth {}", message_bytes, depth);
}

}  // namespace iolite::app
