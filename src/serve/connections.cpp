// See connections.hpp.
#include "serve/connections.hpp"

#include "iolite/system_descriptor.hpp"
#include "serve/signals.hpp"

#include <memory>
#include <optional>
#include <sys/socket.h>
#include <utility>

namespace iolite {

connection_table::entry::entry(connection_table& table, int number, place at) noexcept
    : stream_owner{table, number}, table_(table) {
  at.hand_over();
  const std::lock_guard hold(table_.lock_);
  next_ = table_.first_;
  if (next_) next_->prev_ = this;
  table_.first_ = this;
  if (table_.draining_ && fd >= 0) table_.os_.shutdown(fd, table_.cut_ ? SHUT_RDWR : SHUT_RD);
}

connection_table::entry::~entry() {
  const std::lock_guard hold(table_.lock_);
  (prev_ ? prev_->next_ : table_.first_) = next_;
  if (next_) next_->prev_ = prev_;
  table_.one_less();
}

void connection_table::closing(detail::stream_owner& s) noexcept {
  const std::lock_guard hold(lock_);
  stop_signals::connection_closes(s.fd);
  s.fd = -1;
}

bool connection_table::ending() const noexcept {
  return draining() || stop_signals::connection_ends();
}

void connection_table::entry::runs_on(engine* e, bool alone) noexcept {
  const std::lock_guard hold(table_.lock_);
  on_ = e;
  alone_ = alone;
  if (table_.cut_ && on_ && alone_) on_->request_cancel();  // it came too late to be cut
}

void connection_table::drain() noexcept {
  const std::lock_guard hold(lock_);
  draining_ = true;
  for (const entry* e = first_; e; e = e->next_) {
    if (e->fd >= 0) os_.shutdown(e->fd, SHUT_RD);
    if (e->on_) e->on_->wake();  // signal-driven I/O is not told of what this process does itself
  }
}

unsigned connection_table::cut() noexcept {
  const std::lock_guard hold(lock_);
  unsigned entries = 0;
  for (const entry* e = first_; e; e = e->next_) {
    ++entries;
    if (e->fd >= 0) os_.shutdown(e->fd, SHUT_RDWR);
    if (e->on_ && e->alone_) e->on_->request_cancel();
  }
  if (published_) std::exchange(published_, nullptr)->store(0, std::memory_order_relaxed);
  return std::exchange(cut_, true) ? 0 : entries;
}

connection_table::place connection_table::admit() noexcept {
  const std::lock_guard hold(lock_);
  if (live_ >= most_) return {};
  ++live_;
  tell_live();
  return place(*this);
}

void connection_table::went() noexcept {
  const std::lock_guard hold(lock_);
  one_less();
}

void connection_table::publish(std::atomic<unsigned>& out) noexcept {
  const std::lock_guard hold(lock_);
  published_ = &out;
  tell_live();
}

// With the lock held.
void connection_table::tell_live() noexcept {
  if (published_) published_->store(live_, std::memory_order_relaxed);
}

// With the lock held.
void connection_table::one_less() noexcept {
  --live_;
  ++ended_;
  tell_live();
  changed_.wake_all();
  if (live_ == 0) emptied_.wake_all();
}

unsigned connection_table::live() const noexcept {
  const std::lock_guard hold(lock_);
  return live_;
}

bool connection_table::was_cut() const noexcept {
  const std::lock_guard hold(lock_);
  return cut_;
}

std::uint64_t connection_table::ended() const noexcept {
  const std::lock_guard hold(lock_);
  return ended_;
}

// --- those of a loop ---

// All that is kept for a connection beside its handler's frame.
struct loop_connections::connection final : child_task, detail::stream_owner {
  connection(loop_connections& all, int number, connection_table::place at) noexcept
      : child_task(all.handlers_), stream_owner{all, number} {
    at.hand_over();
    all.live_.fetch_add(1, std::memory_order_relaxed);
  }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection() {
    auto& all = static_cast<loop_connections&>(home);
    all.live_.fetch_sub(1, std::memory_order_relaxed);
    all.table_.went();
  }
};
static_assert(sizeof(child_task) + sizeof(detail::stream_owner) <= 136);

void loop_connections::start(const std::function<task<void>(stream)>& handle, stream s,
                             connection_table::place at) {
  auto record = std::make_unique<connection>(*this, s.native_handle(), std::move(at));
  if (table_.draining()) on_.os().shutdown(system_descriptor(s).number(), SHUT_RD);
  s.set_owner(record.get());
  std::optional<task<void>> handled;
  try {
    handled.emplace(handle(std::move(s)));
  } catch (...) {
    return failed_(std::current_exception());
  }
  handlers_.start(std::move(*handled), *record);
  static_cast<void>(record.release());  // over by now, maybe
}

bool loop_connections::ending() const noexcept { return table_.ending(); }

void loop_connections::over(child_task& c) noexcept { delete static_cast<connection*>(&c); }

void loop_connections::drain() noexcept {
  shut_down(SHUT_RD);
  on_.wake();  // signal-driven I/O is not told of what this process does itself
}

unsigned loop_connections::cut() noexcept {
  const int live = handlers_.live();
  shut_down(SHUT_RDWR);
  handlers_.cancel();
  return static_cast<unsigned>(live);
}

void loop_connections::shut_down(int how) noexcept {
  for (const child_task* c = handlers_.first_child(); c; c = c->next) {
    const int fd = static_cast<const connection*>(c)->fd;
    if (fd >= 0) on_.os().shutdown(system_descriptor(on_, fd).number(), how);
  }
}

}  // namespace iolite
