// Plays a party of a script, and writes down what it sees: results, bytes, errors, ends. Not times.
#pragma once
#include "script.hpp"

#include "iolite/iolite.hpp"

#include <atomic>
#include <deque>

namespace iolite_test::differential {

// What all parties of one performance share.
class performance {
 public:
  // `settles`: after so long all that was sent is there.
  performance(const script& s, std::string unix_prefix, std::string tcp_address,
              iolite::clock::duration settles);

  // The whole part of party `me`; on any engine.
  [[nodiscard]] iolite::task<> play(int me);
  // What each party has seen, a line each.
  [[nodiscard]] const std::vector<std::vector<std::string>>& seen() const noexcept { return seen_; }

 private:
  friend class part;
  friend class transfers;
  const script& script_;
  const std::string unix_prefix_, tcp_address_;
  const iolite::clock::duration settles_;
  std::vector<std::vector<std::string>> seen_;
  std::deque<iolite::event> first_, second_;  // of each move: for those who wait for each other
  std::atomic<int> playing_;  // parties
  iolite::event over_;
  std::vector<iolite::endpoint> listening_;  // of each move that opens
};

}  // namespace iolite_test::differential
