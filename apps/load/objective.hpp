// The highest rate at which a server still meets an objective.
#pragma once
#include "load/load.hpp"

#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace iolite::app {

// "99 % of all requests are answered within 5 ms."
struct objective {
  double quantile = 0.99;  // 1: the slowest
  clock::duration limit = std::chrono::milliseconds(5);

  // p99=5ms, p99.9=20ms, max=1s.
  [[nodiscard]] static std::expected<objective, std::string> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
  // Requests without an answer count as long as they have waited; an error is a failure.
  [[nodiscard]] bool met_by(const load_result& r) const;
};

// Which rate to try next, by what was found out about the others. It doubles until the objective is
// missed and halves until it is met, then goes on in the middle of the two, on a logarithmic scale.
class rate_search {
 public:
  // Found when the rates that meet and miss the objective differ by less than a share `precision`.
  rate_search(double first, double precision) noexcept : next_(first), precision_(precision) {}

  // Nothing: the search is over.
  [[nodiscard]] std::optional<double> next() const noexcept;
  void tried(bool met) noexcept;
  // The highest that met the objective, 0 without; the lowest that did not, 0 without.
  [[nodiscard]] double met() const noexcept { return met_; }
  [[nodiscard]] double missed() const noexcept { return missed_; }

 private:
  double next_;
  double precision_;
  double met_ = 0;
  double missed_ = 0;
  unsigned tries_ = 0;
};

}  // namespace iolite::app
