// How long messages are: all the same, evenly distributed, or a mixture.
#pragma once
#include "load/random.hpp"

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace iolite::app {

class message_sizes {
 public:
  struct part {
    std::size_t least = 64;
    std::size_t most = 64;  // all from `least` on equally often
    double weight = 1;  // how often this part is drawn, beside the weights of the others
  };

  message_sizes() : message_sizes({part{}}) {}
  explicit message_sizes(std::size_t always) : message_sizes({part{always, always, 1}}) {}
  explicit message_sizes(std::vector<part> parts);

  // 64, 64..1KiB, or with weights: 64:90,1KiB..16KiB:10. At least a byte.
  [[nodiscard]] static std::expected<message_sizes, std::string> parse(std::string_view text);

  [[nodiscard]] std::size_t draw(random_source& chance) const noexcept;
  [[nodiscard]] std::size_t longest() const noexcept { return longest_; }
  [[nodiscard]] double mean() const noexcept;
  [[nodiscard]] bool fixed() const noexcept {
    return parts_.size() == 1 && parts_[0].least == parts_[0].most;
  }
  // As parse() reads it.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<part> parts_;
  double weights_ = 0;
  std::size_t longest_ = 0;
};

}  // namespace iolite::app
