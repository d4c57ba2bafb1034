// See connections.hpp.
#include "serve/connections.hpp"

#include "iolite/system_descriptor.hpp"
#include "iolite/time.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <sys/socket.h>
#include <utility>

namespace iolite {

connection_table::entry::entry(connection_table& table, int number) noexcept
    : stream_owner{&table}, table_(table), fd_(number) {}

void connection_table::entry::enter(place at) noexcept {
  at.hand_over();
  entered_ = true;
  const std::lock_guard hold(table_.lock_);
  next_ = table_.first_;
  if (next_) next_->prev_ = this;
  table_.first_ = this;
  if (table_.draining_) table_.os_.shutdown(fd_, table_.cut_ ? SHUT_RDWR : SHUT_RD);
}

connection_table::entry::~entry() {
  if (!entered_) return;
  const std::lock_guard hold(table_.lock_);
  (prev_ ? prev_->next_ : table_.first_) = next_;
  if (next_) next_->prev_ = prev_;
  table_.one_less();
}

void connection_table::entry::owns(stream& s) noexcept {
  const std::lock_guard hold(table_.lock_);
  has_stream_ = true;
  s.set_owner(this);
}

void connection_table::entry::runs_on(engine* e, bool alone) noexcept {
  const std::lock_guard hold(table_.lock_);
  on_ = e;
  alone_ = alone;
  if (table_.cut_ && on_ && alone_) on_->request_cancel();  // it came too late to be cut
}

void connection_table::entry::needs(std::shared_ptr<engine> on,
                                    std::shared_ptr<const void> server) noexcept {
  engine_ = std::move(on);
  server_ = std::move(server);
}

void connection_table::entry::close_stream() noexcept {
  if (of) of->close();
}

// Nobody shuts down a number that is used again. With the lock held.
void connection_table::entry::forget_number() noexcept {
  const int number = std::exchange(fd_, -1);
  if (number >= 0) table_.signals_.connection_closes(number);
}

// Whoever comes last, the end of the handler or that of the stream.
void connection_table::entry::let_go(std::unique_lock<std::mutex>& hold) noexcept {
  if (has_stream_ || has_handler_) return;
  hold.unlock();
  const std::shared_ptr<const void> until_the_end = std::move(server_);
  engine_.reset();  // before the table says that the connection has ended
  delete this;
}

void connection_table::handler_over::operator()(entry* e) const noexcept {
  std::unique_lock hold(e->table_.lock_);
  e->has_handler_ = false;
  e->let_go(hold);
}

void connection_table::close(detail::stream_owner& s, engine& on, int fd, bool tcp) noexcept {
  auto& e = static_cast<entry&>(s);
  {
    const std::lock_guard hold(lock_);
    e.forget_number();
  }
  end(on, fd, tcp);
  released(s);
}

void connection_table::released(detail::stream_owner& s) noexcept {
  auto& e = static_cast<entry&>(s);
  std::unique_lock hold(lock_);
  e.forget_number();
  e.has_stream_ = false;
  e.let_go(hold);
}

bool connection_table::ending() const noexcept { return draining() || signals_.connection_ends(); }

// --- the end of a connection ---

void connection_table::end(engine& on, int fd, bool tcp) noexcept {
  const int number = ending() ? on.expose(fd) : -1;
  if (number < 0) return on.close(fd);
  if (number == fd) on.forget(fd);
  else on.close(fd);  // there are two for the socket
  turn_away(number, tcp);
}

void connection_table::turn_away(int fd, bool tcp) noexcept {
  const std::lock_guard hold(lock_);
  if (cut_) os_.close(fd);
  else if (lingering_.take(fd, tcp)) lingers_.wake_all();
}

// With the lock held.
void connection_table::none_lingers_now() noexcept {
  settled_.wake_all();
  if (live_ == 0) emptied_.wake_all();
}

// False: none lingers any more.
bool connection_table::look_at_lingering() noexcept {
  const std::lock_guard hold(lock_);
  lingering_.look();
  if (!lingering_.empty()) return true;
  none_lingers_now();
  return false;
}

task<void> connection_table::let_linger() {
  using std::chrono::milliseconds;
  for (;;) {
    auto some = detail::condition_wait(lingers_, [this]() noexcept { return !lingering_.empty(); });
    if (const auto r = co_await some; !r) co_return;
    for (clock::duration pause = milliseconds(1); look_at_lingering();) {
      auto a_while = sleep(pause);
      if (const auto r = co_await a_while; !r) co_return;
      pause = std::min<clock::duration>(2 * pause, milliseconds(20));
    }
  }
}

task<void> connection_table::until_none_lingers() {
  detail::bare_scope lookers;
  lookers.spawn(let_linger());
  auto all_have_ended = none_lingers();
  static_cast<void>(co_await all_have_ended);
  lookers.cancel();
  co_await lookers.join();
}

void connection_table::drain() noexcept {
  const std::lock_guard hold(lock_);
  draining_ = true;
  for (const entry* e = first_; e; e = e->next_) {
    if (e->fd_ >= 0) os_.shutdown(e->fd_, SHUT_RD);
    if (e->on_) e->on_->wake();  // signal-driven I/O is not told of what this process does itself
  }
}

unsigned connection_table::cut() noexcept {
  const std::lock_guard hold(lock_);
  unsigned entries = 0;
  for (const entry* e = first_; e; e = e->next_) {
    ++entries;
    if (e->fd_ >= 0) os_.shutdown(e->fd_, SHUT_RDWR);
    if (e->on_ && e->alone_) e->on_->request_cancel();
  }
  if (published_) std::exchange(published_, nullptr)->store(0, std::memory_order_relaxed);
  entries += lingering_.size();
  lingering_.cut();
  none_lingers_now();
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

void connection_table::count_in(std::atomic<unsigned>& out) noexcept {
  const std::lock_guard hold(lock_);
  now_ = &out;
  tell_live();
}

// With the lock held.
void connection_table::tell_live() noexcept {
  for (std::atomic<unsigned>* const told : {published_, now_}) {
    if (told) told->store(live_, std::memory_order_relaxed);
  }
}

// With the lock held.
void connection_table::one_less() noexcept {
  --live_;
  ++ended_;
  tell_live();
  changed_.wake_all();
  if (live_ == 0 && lingering_.empty()) emptied_.wake_all();
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
  connection(loop_connections& of_loop, connection_table::place at) noexcept
      : child_task(of_loop.handlers_), stream_owner{&of_loop.running_} {
    at.hand_over();
    of_loop.live_.fetch_add(1, std::memory_order_relaxed);
  }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection() {
    all().live_.fetch_sub(1, std::memory_order_relaxed);
    all().table_.went();
  }
  [[nodiscard]] loop_connections& all() const noexcept {
    return static_cast<home_of_streams*>(home)->of;
  }
  [[nodiscard]] stream* its_stream() const noexcept { return detail::stream_owner::of; }
};
static_assert(sizeof(child_task) + sizeof(detail::stream_owner) <= 136);

void loop_connections::start(const handler& handle, serving& server, stream s,
                             connection_table::place at) {
  auto record = std::make_unique<connection>(*this, std::move(at));
  if (table_.draining()) on_.os().shutdown(system_descriptor(s).number(), SHUT_RD);
  s.set_owner(record.get());
  std::optional<task<void>> handled;
  try {
    handled.emplace(handle(std::move(s), server));
  } catch (...) {
    s.close();
    over(*record.release());
    return failed_(std::current_exception());
  }
  handlers_.start(std::move(*handled), *record);
  static_cast<void>(record.release());  // over by now, maybe
}

// The record stays for as long as the stream, which somebody keeps.
void loop_connections::over(child_task& c) noexcept {
  auto& record = static_cast<connection&>(c);
  if (!record.its_stream()) {
    delete &record;
    return;
  }
  record.home = &kept_;
  record.prev = nullptr;
  record.next = std::exchange(first_kept_, &record);
  if (record.next) record.next->prev = &record;
}

void loop_connections::forget_kept(connection& c) noexcept {
  (c.prev ? c.prev->next : first_kept_) = c.next;
  if (c.next) c.next->prev = c.prev;
  delete &c;
}

void loop_connections::home_of_streams::close(detail::stream_owner& s, engine& on, int fd,
                                              bool tcp) noexcept {
  of.table_.end(on, fd, tcp);
  released(s);
}

void loop_connections::home_of_streams::released(detail::stream_owner& s) noexcept {
  if (kept) of.forget_kept(static_cast<connection&>(s));
}

void loop_connections::close_kept() noexcept {
  while (first_kept_) static_cast<connection*>(first_kept_)->its_stream()->close();
}

void loop_connections::drain() noexcept {
  shut_down(SHUT_RD);
  on_.wake();  // signal-driven I/O is not told of what this process does itself
}

unsigned loop_connections::cut() noexcept {
  auto live = static_cast<unsigned>(handlers_.live());
  for (const child_task* c = first_kept_; c; c = c->next) ++live;
  shut_down(SHUT_RDWR);
  handlers_.cancel();
  return live;
}

void loop_connections::shut_down(int how) noexcept {
  const child_task* const lists[] = {handlers_.first_child(), first_kept_};
  for (const child_task* c : lists) {
    for (; c; c = c->next) {
      const stream* const s = static_cast<const connection*>(c)->its_stream();
      if (s) on_.os().shutdown(system_descriptor(*s).number(), how);
    }
  }
}

}  // namespace iolite
