// How durations, sizes and rates are written on the command line, and options that take them.
#pragma once
#include "iolite/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace iolite::app {

// What is wrong with a text, and what would be right.
template <class T>
using parsed = std::expected<T, std::string>;

// 250ms, 10s, 5m, 2h; 0 is a duration without a unit.
[[nodiscard]] parsed<clock::duration> parse_duration(std::string_view text);
// 64, 64B, 16KiB, 1MiB, 1GiB. Bytes.
[[nodiscard]] parsed<std::size_t> parse_size(std::string_view text);
// 1000/s, or 1000. Per second, above zero.
[[nodiscard]] parsed<double> parse_rate(std::string_view text);

// 0 ... 2^64 - 1.
[[nodiscard]] parsed<std::uint64_t> parse_whole(std::string_view text);

[[nodiscard]] std::string duration_text(clock::duration length);
[[nodiscard]] std::string size_text(std::size_t bytes);

// Options of these kinds; `into` keeps its value when the option is absent, and is the default that
// the help shows.
CLI::Option* add_duration(CLI::App& to, const std::string& name, clock::duration& into,
                          const std::string& help);
CLI::Option* add_size(CLI::App& to, const std::string& name, std::size_t& into,
                      const std::string& help);
CLI::Option* add_rate(CLI::App& to, const std::string& name, double& into, const std::string& help);
// A whole number from `least` to `most`; zero as the initial value is no default to be shown.
CLI::Option* add_count(CLI::App& to, const std::string& name, unsigned& into, unsigned least,
                       unsigned most, const std::string& help);
// A whole number of 64 bits.
CLI::Option* add_whole(CLI::App& to, const std::string& name, std::optional<std::uint64_t>& into,
                       const std::string& help);
// --json FILE|-
CLI::Option* add_json(CLI::App& to, std::string& into);

}  // namespace iolite::app
