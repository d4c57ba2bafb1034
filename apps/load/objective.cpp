#include "load/objective.hpp"

#include "terminal/options.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace iolite::app {

namespace {

constexpr unsigned tries_max = 40;
constexpr double rate_least = 1;  // a second: below, a trial has no requests
constexpr double rate_most = 1e9;

std::optional<double> parse_quantile(std::string_view name) {
  if (name == "max") return 1;
  if (!name.starts_with('p')) return std::nullopt;
  name.remove_prefix(1);
  double percent = 0;
  const auto [stop, error] =
      std::from_chars(name.data(), name.data() + name.size(), percent, std::chars_format::fixed);
  if (error != std::errc() || stop != name.data() + name.size()) return std::nullopt;
  if (!(percent > 0 && percent < 100)) return std::nullopt;
  return percent / 100;
}

}  // namespace

std::expected<objective, std::string> objective::parse(std::string_view text) {
  const std::size_t equals = text.find('=');
  const auto quantile = parse_quantile(text.substr(0, equals));
  if (equals == std::string_view::npos || !quantile)
    return std::unexpected(
        fmt::format("'{}' is not an objective; write it like p99=5ms or max=1s", text));
  const auto limit = parse_duration(text.substr(equals + 1));
  if (!limit) return std::unexpected(limit.error());
  if (*limit <= clock::duration::zero())
    return std::unexpected(fmt::format("'{}': nothing is answered within no time", text));
  return objective{*quantile, *limit};
}

std::string objective::text() const {
  const std::string name = quantile == 1 ? "max" : fmt::format("p{:g}", quantile * 100);
  return fmt::format("{}={}", name, duration_text(limit));
}

bool objective::met_by(const load_result& r) const {
  if (r.errors > 0 || r.latency.count() == 0) return false;
  const std::uint64_t ns = quantile == 1 ? r.latency.max_ns() : r.latency.quantile_ns(quantile);
  return ns <= static_cast<std::uint64_t>(limit.count());
}

std::optional<double> rate_search::next() const noexcept {
  if (tries_ == tries_max || next_ < rate_least || next_ > rate_most) return std::nullopt;
  if (met_ > 0 && missed_ > 0 && missed_ <= met_ * (1 + precision_)) return std::nullopt;
  return next_;
}

void rate_search::tried(bool met) noexcept {
  ++tries_;
  (met ? met_ : missed_) = next_;
  if (missed_ == 0) next_ = met_ * 2;
  else if (met_ == 0) next_ = missed_ / 2;
  else next_ = std::sqrt(met_ * missed_);
}

}  // namespace iolite::app
