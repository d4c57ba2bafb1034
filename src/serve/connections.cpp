// See connections.hpp.
#include "serve/connections.hpp"

#include "core/direct_descriptor.hpp"
#include "iolite/engine.hpp"
#include "iolite/system_descriptor.hpp"
#include "serve/signals.hpp"

#include <utility>

namespace iolite {

connection_table::entry::entry(connection_table& table, int fd) noexcept : table_(table), fd_(fd) {
  const std::lock_guard hold(table_.lock_);
  next_ = table_.first_;
  if (next_) next_->prev_ = this;
  table_.first_ = this;
  ++table_.live_;
  if (table_.draining_) end(SHUT_RD, engine::current());
}

// A direct descriptor can be ended on its engine's thread only: each worker's loop drains and cuts,
// and does so for its own.
void connection_table::entry::end(int how, engine* owner) const noexcept {
  if (fd_ < 0) return;
  if (!direct::is(fd_)) return void(table_.os_.shutdown(fd_, how));
  if (!owner || owner != engine::current()) return;
  const system_descriptor socket(*owner, fd_);
  table_.os_.shutdown(socket.number(), how);
}

connection_table::entry::~entry() {
  const std::lock_guard hold(table_.lock_);
  (prev_ ? prev_->next_ : table_.first_) = next_;
  if (next_) next_->prev_ = prev_;
  --table_.live_;
  ++table_.ended_;
  table_.changed_.wake_all();
  if (table_.live_ == 0) table_.emptied_.wake_all();
}

void connection_table::entry::closing(int) noexcept {
  const std::lock_guard hold(table_.lock_);
  fd_ = -1;
}

bool connection_table::entry::ending() const noexcept {
  return table_.draining_.load(std::memory_order_relaxed) || stop_signals::connection_ends();
}

void connection_table::entry::runs_on(engine* e, bool alone) noexcept {
  const std::lock_guard hold(table_.lock_);
  on_ = e;
  alone_ = alone;
}

void connection_table::drain() noexcept {
  const std::lock_guard hold(lock_);
  draining_ = true;
  for (const entry* e = first_; e; e = e->next_) {
    e->end(SHUT_RD, e->on_);
    if (e->on_) e->on_->wake();  // signal-driven I/O is not told of what this process does itself
  }
}

unsigned connection_table::cut() noexcept {
  const std::lock_guard hold(lock_);
  for (const entry* e = first_; e; e = e->next_) {
    e->end(SHUT_RDWR, e->on_);
    if (e->on_ && e->alone_) e->on_->request_cancel();
  }
  return std::exchange(cut_, true) ? 0 : live_;
}

bool connection_table::full() const noexcept {
  const std::lock_guard hold(lock_);
  return live_ >= most_;
}

std::uint64_t connection_table::ended() const noexcept {
  const std::lock_guard hold(lock_);
  return ended_;
}

}  // namespace iolite
