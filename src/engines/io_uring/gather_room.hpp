// Where the pieces of gathering sends are listed until an io_uring has taken them over: the list is
// read as the submission is handed over, and then no more (IORING_FEAT_SUBMIT_STABLE, Linux 5.5).
// So there is one for each submission that may wait.
#pragma once
#include "core/gather.hpp"
#include "engines/io_uring/ring.hpp"

#include <memory>
#include <new>

namespace iolite {

class gather_room {
 public:
  // False: no memory. It is taken when it is first needed.
  bool prepare(const ring& r) noexcept {
    if (!lists_) lists_.reset(new (std::nothrow) gathered[r.entries()]);
    return lists_ != nullptr;
  }
  // `sqe` is the newest of those that wait.
  void fill(const ring& r, io_uring_sqe& sqe, const operation& op) noexcept {
    if (r.unsubmitted() == 1) next_ = 0;
    gathered& pieces = lists_[next_++ % r.entries()];
    pieces.take_from(op);
    sqe.opcode = IORING_OP_SENDMSG;
    sqe.addr = reinterpret_cast<std::uint64_t>(&pieces.header());
    sqe.len = 1;
  }

 private:
  std::unique_ptr<gathered[]> lists_;
  unsigned next_ = 0;
};

}  // namespace iolite
