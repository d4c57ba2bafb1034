// What an RPC client and its server send each other: lines.
//
//   7 echo hello     call 7, or its answer; answers come in any order
//   7                nobody waits for the answer of call 7 any more
#pragma once
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

struct rpc_line {
  std::uint64_t call = 0;
  std::optional<std::string_view> text = {};

  // Nothing: it is no such line.
  static std::optional<rpc_line> parse(std::string_view line) {
    rpc_line out;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), out.call);
    if (error != std::errc()) return std::nullopt;
    line.remove_prefix(static_cast<std::size_t>(end - line.data()));
    if (line.starts_with(' ')) out.text = line.substr(1);
    else if (!line.empty()) return std::nullopt;
    return out;
  }
};
