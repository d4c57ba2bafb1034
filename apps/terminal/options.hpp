// How durations, sizes and rates are written on the command line, and options that take them.
#pragma once
#include "iolite/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
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

// Numbers are written in full: no sign, no exponent, no blanks, no `inf` and no `nan`.

// 250ms, 10s, 5m, 2h; 0 is a duration without a unit. At most 2500000h, which is 285 years.
[[nodiscard]] parsed<clock::duration> parse_duration(std::string_view text);
// 64, 64B, 16KiB, 1MiB, 1GiB. Bytes, at most 10^15.
[[nodiscard]] parsed<std::size_t> parse_size(std::string_view text);
// 1000/s, or 1000. Per second, from one in 31 years to 10^9.
[[nodiscard]] parsed<double> parse_rate(std::string_view text);
// 5, 0.5. Above zero, at most 10^8, which is 190 years.
[[nodiscard]] parsed<double> parse_minutes(std::string_view text);
// 0 ... 2^64 - 1.
[[nodiscard]] parsed<std::uint64_t> parse_whole(std::string_view text);
[[nodiscard]] parsed<std::uint64_t> parse_count(std::string_view text, std::uint64_t least,
                                                std::uint64_t most);
// 25%, 0.25. Above zero, at most all.
[[nodiscard]] parsed<double> parse_share(std::string_view text);
// The name of a file, a model or the like, or a list of them: not empty.
[[nodiscard]] parsed<std::string> parse_name(std::string_view text);

[[nodiscard]] std::string duration_text(clock::duration length);
[[nodiscard]] std::string size_text(std::size_t bytes);

// Options of these kinds; `into` keeps its value when the option is absent, and is the default that
// the help shows. Every option whose text is not free is made by one of these.
CLI::Option* add_duration(CLI::App& to, const std::string& name, clock::duration& into,
                          const std::string& help, clock::duration least = clock::duration::zero());
CLI::Option* add_size(CLI::App& to, const std::string& name, std::size_t& into,
                      const std::string& help, std::size_t least = 0);
CLI::Option* add_rate(CLI::App& to, const std::string& name, double& into, const std::string& help);
CLI::Option* add_minutes(CLI::App& to, const std::string& name, double& into,
                         const std::string& help);
// A whole number from `least` to `most`; zero as the initial value is no default to be shown.
CLI::Option* add_count(CLI::App& to, const std::string& name, unsigned& into, unsigned least,
                       unsigned most, const std::string& help);
CLI::Option* add_count(CLI::App& to, const std::string& name, std::uint64_t& into,
                       std::uint64_t least, std::uint64_t most, const std::string& help);
// A whole number of 64 bits.
CLI::Option* add_whole(CLI::App& to, const std::string& name, std::optional<std::uint64_t>& into,
                       const std::string& help);
CLI::Option* add_name(CLI::App& to, const std::string& name, std::string& into,
                      const std::string& help);
// Any other text; `take` keeps what it means, or says what is wrong with it.
CLI::Option* add_text(CLI::App& to, const std::string& name, const std::string& type,
                      const std::string& help,
                      std::function<std::expected<void, std::string>(const std::string&)> take);
// --json FILE|-
CLI::Option* add_json(CLI::App& to, std::string& into);

}  // namespace iolite::app
