// Pieces of a gathering send, as sendmsg(2) and io_uring take them.
#pragma once
#include "iolite/core/operation.hpp"

#include <algorithm>
#include <array>
#include <climits>
#include <sys/socket.h>
#include <sys/uio.h>

namespace iolite {

// The next pieces of a send; what has no room here goes in another call. The header points into
// itself: it stays where it is until the kernel has taken it over.
class gathered {
 public:
  static constexpr std::size_t pieces_max = 32;  // a call costs what copying some 20 KiB does
  static_assert(pieces_max <= IOV_MAX);

  gathered() = default;
  gathered(const gathered&) = delete;
  gathered& operator=(const gathered&) = delete;

  // From op.moved on.
  void take_from(const operation& op) noexcept {
    std::array<piece, pieces_max> pieces;
    header_ = {};
    header_.msg_iov = parts_.data();
    header_.msg_iovlen = op.payload.pieces->pieces_after(op.moved, std::span(pieces));
    std::transform(pieces.begin(), pieces.begin() + header_.msg_iovlen, parts_.begin(),
                   [](piece p) { return iovec{const_cast<std::byte*>(p.data()), p.size()}; });
  }
  [[nodiscard]] const msghdr& header() const noexcept { return header_; }

 private:
  msghdr header_;  // both are filled by take_from(): nothing is cleared for each call
  std::array<iovec, pieces_max> parts_;
};

// The first remaining piece, for callers that cannot gather.
inline piece next_piece(const operation& op) noexcept {
  std::array<piece, 1> one;
  op.payload.pieces->pieces_after(op.moved, std::span(one));
  return one[0];
}

}  // namespace iolite
