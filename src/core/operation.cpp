// How an operation is awaited and how it prints itself.
#include "iolite/core/operation.hpp"

#include "base/assert.hpp"
#include "core/direct_descriptor.hpp"
#include "iolite/scope.hpp"
#include "iolite/time.hpp"

#include <algorithm>
#include <cstdio>

namespace iolite {
namespace {

// +3ms, -20us, +1.5s: the largest unit in which it is at least one.
std::string relative(clock::duration d) {
  const auto ns = static_cast<double>(d.count());
  const double size = ns < 0 ? -ns : ns;
  char out[32];
  if (size >= 1e9) std::snprintf(out, sizeof out, "%+.4gs", ns / 1e9);
  else if (size >= 1e6) std::snprintf(out, sizeof out, "%+.4gms", ns / 1e6);
  else std::snprintf(out, sizeof out, "%+.4gus", ns / 1e3);
  return out;
}

}  // namespace

std::string to_string(const operation& op, clock::time_point now) {
  std::string out = name_of(op.kind);
  if (direct::is(op.fd)) out += " direct=" + std::to_string(direct::slot_of(op.fd));
  else if (op.fd >= 0) out += " fd=" + std::to_string(op.fd);
  if (moves_bytes(op.kind)) {
    out += " " + std::to_string(op.moved) + "/" + std::to_string(op.size);
  }
  if (op.state == op_state::done) out += " = " + std::to_string(op.outcome);
  if (op.cancel_requested) out += " cancelled";
  if (op.deadline != never) out += " deadline=" + relative(op.deadline - now);
  return out;
}

void operation::destroyed_while_pending() const noexcept {
  detail::rule_broken(
      "a frame is destroyed only when its operations are done: join the scope first");
}

bool awaitable_operation::begin(std::coroutine_handle<> h, const context& c) noexcept {
  IOLITE_ASSERT(state != op_state::pending, "an operation is awaited once at a time");
  waiter = h;
  in_ = c.in;
  if (in_) in_->enter(*this);
  return c.on->start(*this) == engine::started::pending;
}

bool awaitable_operation::begin_over(std::coroutine_handle<> h, const context& c,
                                     int result) noexcept {
  IOLITE_ASSERT(state != op_state::pending, "an operation is awaited once at a time");
  waiter = h;
  in_ = c.in;
  if (in_) in_->enter(*this);
  return c.on->end_early(*this, result) == engine::started::pending;
}

void detail::give_way(std::coroutine_handle<> h, child_task& t) noexcept {
  t.enter(t.own);
  t.own.kind = op_kind::event;
  t.own.outcome = 0;
  t.own.waiter = h;
  t.of->on->resume_later(t.own);
}

int awaitable_operation::end() noexcept {
  if (in_) std::exchange(in_, nullptr)->leave();
  cancel_requested = false;  // the request was for this time
  return outcome;
}

// --- time.hpp ---

sleep_operation::sleep_operation(clock::time_point until) noexcept : until_(until) {
  kind = op_kind::sleep;
}

sleep_operation::sleep_operation(clock::duration length) noexcept : length_(length) {
  kind = op_kind::sleep;
}

void sleep_operation::set_deadline(const context& c) noexcept {
  deadline = std::min(until_, deadline_after(c.on->now(), length_));
}

result<void> sleep_operation::await_resume() noexcept {
  const int r = end();
  if (r < 0) return failure(r);
  return {};
}

}  // namespace iolite
