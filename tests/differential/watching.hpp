// Scripts for selectors: descriptors of some kinds are watched while things happen to them. After
// each step a facility must report what poll(2) says.
#pragma once
#include "subjects.hpp"

#include <optional>
#include <string>
#include <vector>

namespace iolite_test::differential {

enum class deed : std::uint8_t {
  add,
  modify,
  remove,
  happen,  // then the selector looks
  wake,    // it happens in another thread while the selector waits, and must end that wait
  replace,  // another descriptor, which mostly gets the same number
  look,    // with little room
};

struct step {
  deed what = deed::look;
  std::size_t which = 0;  // of the script's descriptors
  unsigned events = 0;    // add, modify: what is asked; look: how many fit
  change c = change::data;
  kind k = kind::tcp;  // replace
};

struct watching_script {
  std::uint64_t seed = 0;
  bool modes = false;  // edge and oneshot, against a set of epoll(7)
  std::vector<kind> of;
  std::vector<step> steps;
  [[nodiscard]] std::string to_string() const;
};

[[nodiscard]] watching_script make_watching_script(std::uint64_t seed);
// The facilities of this system, as iolite_selector_open() knows them.
[[nodiscard]] std::vector<std::string> watching_facilities();
// What differs from poll(2), in words, or nothing.
[[nodiscard]] std::optional<std::string> play(const watching_script& s,
                                              const std::string& facility);

}  // namespace iolite_test::differential
