// See strand.hpp.
#include "kernel/simulated/strands/strand.hpp"

#include "kernel/simulated/strands/switch.hpp"

#include <cxxabi.h>
#include <utility>

namespace iolite::simulated {

strand::strand() : saved_(prepare_own_stack()) {}

strand::strand(std::move_only_function<strand&()> body)
    : stack_(std::in_place), sanitized_(stack_->memory()), lent_(&state_), body_(std::move(body)) {
  const auto enter = [](void* me) { begin(*static_cast<strand*>(me)); };
  saved_ = prepare_stack(stack_->memory(), enter, this);
}

strand::~strand() { forget_stack(saved_); }

void strand::change(strand& from, strand& to, bool over) noexcept {
  if (!from.stack_) from.lent_ = detail::lent_thread_state;  // a world may be run inside another
  auto& here = *reinterpret_cast<exceptions*>(abi::__cxa_get_globals());
  from.exceptions_ = std::exchange(here, to.exceptions_);
  detail::lent_thread_state = to.lent_;
  from.sanitized_.leave_for(to.sanitized_, over);
  switch_stack(from.saved_, to.saved_);
  from.sanitized_.arrive();
}

void strand::begin(strand& me) noexcept {
  me.sanitized_.arrive();
  strand& next = std::exchange(me.body_, nullptr)();
  change(me, next, true);
}

void strand::abandon() noexcept {
  if (stack_) stack_->abandon();
}

}  // namespace iolite::simulated
