// Delta debugging: the ddmin of A. Zeller and R. Hildebrandt, "Simplifying and isolating
// failure-inducing input" (2002).
#pragma once
#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace iolite::simulate {

// Makes `items` smaller while fails(part) holds; it holds for `items` as they are. At the end none
// can be left out alone. `fails` may take away what it finds to be of no use: what it leaves in
// `part` fails too. False: `tries` were used up before.
template <class T, class Fails>
bool ddmin(std::vector<T>& items, Fails fails, std::size_t tries) {
  using place = std::ptrdiff_t;
  std::vector<T> part;
  if (items.empty()) return true;
  if (tries == 0) return false;
  --tries;
  if (fails(part)) return items.clear(), true;
  for (std::size_t pieces = 2; items.size() > 1;) {
    pieces = std::min(pieces, items.size());
    bool smaller = false;
    // Each piece alone, then all but one piece; of two pieces these are the same.
    for (std::size_t i = 0; i < (pieces > 2 ? 2 * pieces : pieces) && !smaller; ++i) {
      const std::size_t piece = i % pieces;
      const auto from = items.begin() + static_cast<place>(items.size() * piece / pieces);
      const auto to = items.begin() + static_cast<place>(items.size() * (piece + 1) / pieces);
      part.assign(i < pieces ? from : items.begin(), i < pieces ? to : from);
      if (i >= pieces) part.insert(part.end(), to, items.end());
      if (tries == 0) return false;
      --tries;
      if (!fails(part)) continue;
      smaller = true;
      items.swap(part);
      pieces = i < pieces ? 2 : std::max<std::size_t>(pieces - 1, 2);
    }
    if (smaller) continue;
    if (pieces == items.size()) return true;
    pieces *= 2;
  }
  return true;
}

}  // namespace iolite::simulate
