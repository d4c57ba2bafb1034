// See script.hpp.
#include "script.hpp"

#include "kernel/simulated/world/random.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace iolite_test::differential {
namespace {

constexpr std::array<std::string_view, acts> names = {
    "open",     "message", "early", "silence",         "too_little", "exchange",
    "frames",   "beyond",  "end",   "close",           "unread",     "cut",
    "cancel",   "empty",   "sleep", "cancelled_sleep", "refused",    "lonely_accept",
    "long_wait"};
// How often, one against the other.
constexpr std::array<unsigned, acts> weights = {30, 30, 12, 4, 3, 8, 6, 3, 6, 6,
                                                4,  3,  5,  4, 3, 3, 3, 2, 2};

// What is known of a connection between moves.
struct link_state {
  struct side {
    std::size_t due = 0;  // sent and not received
    bool ended = false;
  };
  bool open = false;
  side ways[2];  // forth, back
};

bool is_alone(act a) noexcept { return a >= act::sleep; }

// Whether it fits, and what it does to the connection.
bool fits(move& m, link_state& l) {
  if (is_alone(m.what)) return true;
  if (m.what == act::open) return !std::exchange(l.open, true);
  link_state::side& out = l.ways[m.forth ? 0 : 1];
  link_state::side& back = l.ways[m.forth ? 1 : 0];
  if (!l.open) return false;
  m.due = out.due;
  switch (m.what) {
  case act::message:
    if (out.ended) return false;
    out.due = 0;
    return true;
  case act::early:
    if (out.ended || out.due + m.bytes > 2000) return false;
    out.due += m.bytes;
    return true;
  case act::silence:
  case act::cancel:
  case act::frames: return !out.ended && out.due == 0;
  case act::too_little:
    if (out.ended) return false;
    out.due = 0;
    return true;
  case act::exchange: return !out.ended && !back.ended && out.due == 0 && back.due == 0;
  case act::beyond:
  case act::end:
    if (out.ended) return false;
    out = {0, true};
    return true;
  case act::close:
    if (out.due > 0 || back.due > 0) return false;
    l = {};
    return true;
  case act::unread:
  case act::cut:
    if (out.ended || back.ended || back.due > 0) return false;
    l = {};
    return true;
  default: return true;  // empty
  }
}

std::size_t some_bytes(iolite::simulated::random_source& r) {
  switch (r.below(20)) {
  case 0: return 1 + r.below(300'000);
  case 1: return 1 + r.below(20'000);
  case 2: return 1;
  default: return 1 + r.below(1500);
  }
}

act some_act(iolite::simulated::random_source& r) {
  unsigned all = 0;
  for (const unsigned w : weights) all += w;
  auto at = static_cast<unsigned>(r.below(all));
  std::size_t i = 0;
  while (at >= weights[i]) at -= weights[i++];
  return static_cast<act>(i);
}

move some_move(const script& s, iolite::simulated::random_source& r) {
  move m;
  m.what = some_act(r);
  m.link = r.below(is_alone(m.what) ? static_cast<std::uint64_t>(s.parties) : s.links.size());
  m.forth = r.below(2) == 0;
  m.how = static_cast<way>(r.below(3));
  // What nobody receives meanwhile fits into any buffer.
  const bool lies = m.what == act::early || m.what == act::too_little;
  m.bytes = lies ? 1 + r.below(1000) : some_bytes(r);
  m.more = some_bytes(r);
  return m;
}

}  // namespace

bool script::has_children() const noexcept {
  return std::ranges::any_of(moves, [](const move& m) {
    return m.fits && (m.what == act::exchange || m.what == act::cut || m.what == act::cancel ||
                      m.what == act::cancelled_sleep);
  });
}

std::string script::to_string() const {
  constexpr std::array ways = {"whole", "pieces", "lease"};
  std::string out = "seed " + std::to_string(seed) + ", " + std::to_string(parties) + " parties\n";
  for (std::size_t i = 0; i < moves.size(); ++i) {
    const move& m = moves[i];
    if (!m.fits) continue;
    out += "  " + std::to_string(i) + ": " + std::string(names[static_cast<std::size_t>(m.what)]);
    if (is_alone(m.what)) {
      out += " of " + std::to_string(m.link) + "\n";
      continue;
    }
    const link_plan& l = links[m.link];
    out += std::string(l.tcp ? " tcp " : " unix ") +
           std::to_string(m.forth ? l.connector : l.acceptor) +
           (m.what == act::open ? " with " : " to ") +
           std::to_string(m.forth ? l.acceptor : l.connector);
    if (m.what != act::open) {
      out += ", " + std::to_string(m.bytes) + " B, " + std::to_string(m.more) + " B, " +
             std::to_string(m.due) + " B due, " + ways[static_cast<std::size_t>(m.how)];
    }
    out += "\n";
  }
  return out;
}

script with_moves(const script& s, std::vector<move> moves) {
  script out = s;
  out.moves = std::move(moves);
  std::vector<link_state> states(s.links.size());
  link_state none;
  for (move& m : out.moves) m.fits = fits(m, is_alone(m.what) ? none : states[m.link]);
  return out;
}

script make_script(std::uint64_t seed) {
  iolite::simulated::random_source r(seed);
  script s;
  s.seed = seed;
  s.parties = static_cast<int>(2 + r.below(3));
  for (std::size_t i = 1 + r.below(3); i > 0; --i) {
    const auto a = static_cast<int>(r.below(static_cast<std::uint64_t>(s.parties)));
    const auto apart = 1 + r.below(static_cast<std::uint64_t>(s.parties) - 1);
    const int b = (a + static_cast<int>(apart)) % s.parties;
    s.links.push_back({a, b, r.below(2) == 0});
  }
  std::vector<move> moves;
  for (std::size_t i = 0; i < s.links.size(); ++i) moves.push_back({.what = act::open, .link = i});
  for (std::size_t n = 4 + r.below(16); n > 0; --n) moves.push_back(some_move(s, r));
  return with_moves(s, std::move(moves));
}

}  // namespace iolite_test::differential
