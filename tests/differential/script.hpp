// A script: what some parties do to each other over connections. The same on every model, since
// what a party sees does not depend on who is faster: each receive is for bytes that are surely
// sent, and where something must not come, its sender waits until the other has looked.
//
// A script is a list of moves. A move that does not fit what was before it (a message on a
// connection that is closed) is passed over, so that any part of a script is a script too.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace iolite_test::differential {

enum class act : std::uint8_t {
  open,  // the acceptor listens and accepts, the connector connects
  message,  // one sends, the other receives it and what it has not received before
  early,  // one sends; it is received later
  silence,  // one receives within a deadline, and nothing comes
  too_little,  // one receives more than there is, within a deadline
  exchange,  // both send and receive at the same time
  frames,  // three messages with their length before them
  beyond,  // one ends its side, the other wants more than there is
  end,  // one ends its side, the other receives up to the end and again
  close,  // one closes after all was received; the other sees the end, and sends in vain
  unread,  // one closes with unread input: the other sees a reset
  cut,  // the same while the other both sends and receives
  cancel,  // a pending receive is cancelled
  empty,  // empty buffers
  sleep,
  cancelled_sleep,
  refused,  // nobody listens there
  lonely_accept,  // nobody connects, within a deadline
  long_wait,  // for an event that nobody sets, within a deadline
};
inline constexpr int acts = static_cast<int>(act::long_wait) + 1;

// How bytes are sent and received.
enum class way : std::uint8_t { whole, pieces, lease };

struct move {
  act what = act::sleep;
  std::size_t link = 0;  // of which connection; of which party, for what is done alone
  bool forth = true;  // from the connector to the acceptor, or back
  way how = way::whole;
  std::size_t bytes = 0, more = 0;
  // From prepare():
  bool fits = false;
  std::size_t due = 0;  // to be received before `bytes`
};

struct link_plan {
  int connector = 0, acceptor = 0;  // parties
  bool tcp = false;
};

struct script {
  std::uint64_t seed = 0;
  int parties = 0;
  std::vector<link_plan> links;
  std::vector<move> moves;

  // Child tasks within a party, which a blocking engine in a simulated world does not have.
  [[nodiscard]] bool has_children() const noexcept;
  [[nodiscard]] std::string to_string() const;  // the moves that fit, a line each
};

[[nodiscard]] script make_script(std::uint64_t seed);
// The same with these moves, and which of them fit.
[[nodiscard]] script with_moves(const script& s, std::vector<move> moves);

}  // namespace iolite_test::differential
