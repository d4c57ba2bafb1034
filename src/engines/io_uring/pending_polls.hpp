// The ready() operations in the kernel's hands. A poll of a file that is closed goes on for ever:
// it holds the file, and no number leads to it any more. So it is cancelled before.
#pragma once
#include "iolite/core/operation.hpp"

namespace iolite {

class pending_polls {
 public:
  // These two take any operation, and only look at ready().
  void add(operation& op) noexcept {
    if (op.kind == op_kind::ready) list_.push(op);
  }
  void remove(operation& op) noexcept {
    if (op.kind == op_kind::ready) list_.remove(op);
  }
  // `visit` leaves the operation where it is.
  template <class Visit>
  void each_on(int fd, Visit visit) const noexcept {
    for (operation* op = list_.front(); op; op = op->next) {
      if (op->fd == fd) visit(*op);
    }
  }

 private:
  operation_queue list_;
};

}  // namespace iolite
