#include "terminal/options.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <span>

namespace iolite::app {

namespace {

struct unit {
  std::string_view name;
  double factor;
};

// A number and what follows it, or nothing where the text does not begin with a number.
struct quantity {
  bool valid = false;
  double number = 0;
  std::string_view rest;
};

quantity read_quantity(std::string_view text) {
  quantity q;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [stop, error] = std::from_chars(begin, end, q.number, std::chars_format::fixed);
  q.valid = error == std::errc() && std::isfinite(q.number) && q.number >= 0;
  q.rest = std::string_view(stop, static_cast<std::size_t>(end - stop));
  return q;
}

const unit* find_unit(std::span<const unit> units, std::string_view name) {
  for (const unit& u : units)
    if (u.name == name) return &u;
  return nullptr;
}

constexpr std::array<unit, 6> time_units = {
    {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};
constexpr std::array<unit, 5> size_units = {
    {{"", 1}, {"B", 1}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}}};

constexpr double rate_least = 1e-9;
constexpr double rate_most = 1e9;
constexpr double minutes_most = 1e8;

template <class T, class Parse>
CLI::Option* add_parsed(CLI::App& to, const std::string& name, T& into, const std::string& help,
                        Parse parse, const std::string& type, const std::string& shown_default) {
  CLI::Option* option = to.add_option_function<std::string>(
      name,
      [&into, name, parse](const std::string& text) {
        const parsed<T> value = parse(text);
        if (!value) throw CLI::ValidationError(name, value.error());
        into = *value;
      },
      help);
  option->type_name(type);
  if (!shown_default.empty()) option->default_str(shown_default);
  return option;
}

}  // namespace

parsed<clock::duration> parse_duration(std::string_view text) {
  const quantity q = read_quantity(text);
  const unit* u = find_unit(time_units, q.rest);
  if (q.valid && q.number == 0 && q.rest.empty()) return clock::duration::zero();
  if (!q.valid || !u)
    return std::unexpected(
        fmt::format("'{}' is not a duration; write it like 250ms, 10s or 5m", text));
  const double ns = q.number * u->factor;
  if (ns > 9e18) return std::unexpected(fmt::format("'{}' is too long", text));
  return std::chrono::duration_cast<clock::duration>(
      std::chrono::nanoseconds(static_cast<std::int64_t>(std::llround(ns))));
}

parsed<std::size_t> parse_size(std::string_view text) {
  const quantity q = read_quantity(text);
  const unit* u = find_unit(size_units, q.rest);
  const double bytes = u ? q.number * u->factor : 0;
  if (!q.valid || !u || bytes != std::floor(bytes))
    return std::unexpected(
        fmt::format("'{}' is not a size; write it like 64, 16KiB or 1MiB", text));
  if (bytes > 1e15) return std::unexpected(fmt::format("'{}' is too large", text));
  return static_cast<std::size_t>(bytes);
}

parsed<double> parse_rate(std::string_view text) {
  const quantity q = read_quantity(text);
  if (!q.valid || q.number <= 0 || (!q.rest.empty() && q.rest != "/s"))
    return std::unexpected(fmt::format("'{}' is not a rate; write it like 1000/s", text));
  if (q.number < rate_least || q.number > rate_most)
    return std::unexpected(
        fmt::format("'{}' is not a rate from {} to {} a second", text, rate_least, rate_most));
  return q.number;
}

parsed<double> parse_minutes(std::string_view text) {
  const quantity q = read_quantity(text);
  if (q.valid && q.rest.empty() && q.number > 0 && q.number <= minutes_most) return q.number;
  return std::unexpected(
      fmt::format("'{}' is not a number of minutes; write it like 5 or 0.5", text));
}

// From one of a million on, which is as many connections as there can be.
parsed<double> parse_share(std::string_view text) {
  const quantity q = read_quantity(text);
  const double share = q.rest == "%" ? q.number / 100 : q.number;
  if (q.valid && (q.rest.empty() || q.rest == "%") && share >= 1e-6 && share <= 1) return share;
  return std::unexpected(fmt::format("'{}' is not a share; write it like 25% or 0.25", text));
}

parsed<std::uint64_t> parse_whole(std::string_view text) {
  std::uint64_t n = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [stop, error] = std::from_chars(begin, end, n);
  if (error == std::errc() && stop == end && !text.empty()) return n;
  return std::unexpected(fmt::format("'{}' is not a whole number", text));
}

parsed<std::uint64_t> parse_count(std::string_view text, std::uint64_t least, std::uint64_t most) {
  const auto n = parse_whole(text);
  if (n && *n >= least && *n <= most) return n;
  return std::unexpected(
      fmt::format("'{}' is not a whole number from {} to {}", text, least, most));
}

parsed<std::string> parse_name(std::string_view text) {
  if (text.empty()) return std::unexpected("'' names nothing");
  return std::string(text);
}

std::string duration_text(clock::duration length) {
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(length).count();
  if (ns % 1'000'000'000 == 0) return fmt::format("{}s", ns / 1'000'000'000);
  if (ns % 1'000'000 == 0) return fmt::format("{}ms", ns / 1'000'000);
  if (ns % 1'000 == 0) return fmt::format("{}us", ns / 1'000);
  return fmt::format("{}ns", ns);
}

std::string size_text(std::size_t bytes) {
  if (bytes >= 1048576 && bytes % 1048576 == 0) return fmt::format("{}MiB", bytes / 1048576);
  if (bytes >= 1024 && bytes % 1024 == 0) return fmt::format("{}KiB", bytes / 1024);
  return fmt::format("{}", bytes);
}

CLI::Option* add_duration(CLI::App& to, const std::string& name, clock::duration& into,
                          const std::string& help, clock::duration least) {
  const auto parse = [least](std::string_view text) -> parsed<clock::duration> {
    const auto length = parse_duration(text);
    if (!length || *length >= least) return length;
    return std::unexpected(fmt::format("'{}' is too short", text));
  };
  const bool none = into == clock::duration::zero();
  return add_parsed(to, name, into, help, parse, "DURATION", none ? "" : duration_text(into));
}

CLI::Option* add_size(CLI::App& to, const std::string& name, std::size_t& into,
                      const std::string& help, std::size_t least) {
  const auto parse = [least](std::string_view text) -> parsed<std::size_t> {
    const auto bytes = parse_size(text);
    if (!bytes || *bytes >= least) return bytes;
    return std::unexpected(fmt::format("'{}' is too small: at least {}", text, size_text(least)));
  };
  return add_parsed(to, name, into, help, parse, "SIZE", into ? size_text(into) : "");
}

CLI::Option* add_rate(CLI::App& to, const std::string& name, double& into,
                      const std::string& help) {
  return add_parsed(to, name, into, help, &parse_rate, "RATE", {});
}

CLI::Option* add_minutes(CLI::App& to, const std::string& name, double& into,
                         const std::string& help) {
  return add_parsed(to, name, into, help, &parse_minutes, "MINUTES", {});
}

CLI::Option* add_count(CLI::App& to, const std::string& name, std::uint64_t& into,
                       std::uint64_t least, std::uint64_t most, const std::string& help) {
  const auto parse = [least, most](std::string_view text) {
    return parse_count(text, least, most);
  };
  return add_parsed(to, name, into, help, parse, "N", into ? std::to_string(into) : "");
}

CLI::Option* add_count(CLI::App& to, const std::string& name, unsigned& into, unsigned least,
                       unsigned most, const std::string& help) {
  const auto parse = [least, most](std::string_view text) -> parsed<unsigned> {
    const auto n = parse_count(text, least, most);
    if (!n) return std::unexpected(n.error());
    return static_cast<unsigned>(*n);
  };
  return add_parsed(to, name, into, help, parse, "N", into ? std::to_string(into) : "");
}

CLI::Option* add_whole(CLI::App& to, const std::string& name, std::optional<std::uint64_t>& into,
                       const std::string& help) {
  return add_parsed(to, name, into, help,
                    [](std::string_view text) -> parsed<std::optional<std::uint64_t>> {
                      return parse_whole(text);
                    },
                    "N", {});
}

CLI::Option* add_name(CLI::App& to, const std::string& name, std::string& into,
                      const std::string& help) {
  return add_parsed(to, name, into, help, &parse_name, "NAME", into);
}

CLI::Option* add_text(CLI::App& to, const std::string& name, const std::string& type,
                      const std::string& help,
                      std::function<std::expected<void, std::string>(const std::string&)> take) {
  const auto checked = [name, take = std::move(take)](const std::string& text) {
    const auto taken = take(text);
    if (!taken) throw CLI::ValidationError(name, taken.error());
  };
  return to.add_option_function<std::string>(name, checked, help)->type_name(type);
}

CLI::Option* add_json(CLI::App& to, std::string& into) {
  return add_name(to, "--json", into, "write the results as JSON to a file; - is standard output")
      ->type_name("FILE|-");
}

}  // namespace iolite::app
