// The decisions of one execution, and which to take in the next: depth first.
#pragma once
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

namespace interleavings {

class decisions {
 public:
  // A new execution, which repeats the first decisions of the last one.
  void begin() { next_ = 0; }
  // Which of `options` to take at `step`, a count of all that the program did; -1: this is not the
  // program that ran before.
  int choose(std::uint64_t step, int options) {
    if (replays_) return fixed(step, options);
    if (next_ == taken_.size()) taken_.push_back({step, 0, options});
    const one& d = taken_[next_++];
    return d.step == step && d.options == options ? d.chosen : -1;
  }
  // Turns to the next execution; false: there is none.
  bool advance() {
    taken_.resize(next_);
    while (!taken_.empty() && taken_.back().chosen + 1 == taken_.back().options) taken_.pop_back();
    if (taken_.empty()) return false;
    ++taken_.back().chosen;
    return true;
  }
  void clear() { taken_.clear(); }

  // `step:chosen ...` of those that are not the first option: it depends on nothing but the
  // program.
  [[nodiscard]] std::string to_string() const {
    std::ostringstream out;
    for (std::size_t i = 0; i < next_; ++i) {
      const one& d = taken_[i];
      if (d.chosen != 0) out << (out.tellp() > 0 ? " " : "") << d.step << ':' << d.chosen;
    }
    return out.tellp() > 0 ? out.str() : "0:0";
  }
  static decisions replaying(const std::string& schedule) {
    decisions it;
    it.replays_ = true;
    std::istringstream in(schedule);
    one d;
    for (char colon = 0; in >> d.step >> colon >> d.chosen;) it.taken_.push_back(d);
    return it;
  }

 private:
  struct one {
    std::uint64_t step = 0;
    int chosen = 0;
    int options = 0;
  };

  int fixed(std::uint64_t step, int options) {
    if (next_ == taken_.size() || taken_[next_].step != step) return 0;
    const int chosen = taken_[next_++].chosen;
    return chosen < options ? chosen : -1;
  }

  std::vector<one> taken_;
  std::size_t next_ = 0;
  bool replays_ = false;
};

}  // namespace interleavings
