// What stands in a ring: one submission that brings one result after another (multishot). What
// comes between two asks waits for the next.
#pragma once
#include "engines/io_uring/submitter.hpp"
#include "iolite/core/operation.hpp"

namespace iolite {

struct multishot_request {
  operation* asks = nullptr;  // for the next
  bool stands = false;  // the kernel has it
  bool ending = false;  // a cancel is on its way

  // Its last completion comes soon.
  void end(submitter& by, std::uint64_t tag) noexcept {
    if (!stands || ending) return;
    ending = true;
    by.ask_to_end(tag);
  }
  // Its last completion has come.
  void end_now(submitter& by, std::uint64_t tag) noexcept {
    constexpr timespec soon{0, 10'000'000};
    end(by, tag);
    while (stands) {
      by.enter_and_set_aside(&soon);
      if (stands) by.ask_to_end(tag);  // it was just being done
    }
  }
  // A completion of it has come.
  void note(const io_uring_cqe& cqe) noexcept {
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) stands = ending = false;
  }
};

}  // namespace iolite
