// See subjects.hpp.
#include "trace/subjects.hpp"

#include "iolite/time.hpp"
#include "models/backends.hpp"

#include <cerrno>
#include <exception>
#include <fcntl.h>

namespace iolite::trace {
namespace {

task<bool> receive_all(stream& s, std::span<std::byte> into) {
  const auto got = co_await s.recv_all(into);
  co_return got.has_value();
}

// Into a buffer that is larger than the message, as a handler has it: a receive that fills its
// buffer makes an engine ask at once whether there is more.
task<bool> receive_message(stream& s, std::span<std::byte> into, std::size_t bytes) {
  for (std::size_t got = 0; got < bytes;) {
    const auto n = co_await s.recv(into.subspan(got));
    if (!n || *n == 0) co_return false;
    got += *n;
  }
  co_return true;
}

task<bool> exchange_once(stream& s, std::span<std::byte> into, std::size_t bytes,
                         clock::duration rest) {
  const bool received = co_await receive_message(s, into, bytes);
  if (!received) {
    static_cast<void>(s.shutdown_write());  // the peer waits for an answer
    co_return false;
  }
  const auto answered = co_await s.send_all("a");
  if (rest > clock::duration::zero()) co_await iolite::sleep(rest);
  co_return answered.has_value();
}

task<> run_timers(engine& e, traced_engine::timers& t) {
  const clock::time_point begin = e.now();
  for (unsigned i = 1; i <= t.due; ++i) {
    const auto slept = co_await iolite::sleep_until(begin + i * t.apart);
    if (!slept) co_return;
    t.ran.push_back(e.now());
  }
}

// The timers are no child of an in_scope(): on a blocking engine that would be a thread of its own,
// and the question is what else the thread that waits can do.
struct on_the_same_thread final : child_keeper {
  void threw(const std::exception_ptr&) noexcept override {}
  void over(child_task&) noexcept override {}
};

task<bool> exchange_beside(engine& e, stream& s, std::span<std::byte> into, std::size_t bytes,
                           traced_engine::timers& t) {
  on_the_same_thread keeper;
  detail::bare_scope beside(e, &keeper);
  child_task record(beside);
  beside.start(run_timers(e, t), record);
  const bool good = co_await exchange_once(s, into, bytes, clock::duration::zero());
  beside.cancel();
  co_await beside.join();
  co_return good;
}

// A receive that stands, from an earlier operation, would hide when this one begins to wait.
constexpr engine_options options_of_trace{.receives = engine_options::receiving::each};

}  // namespace

traced_engine::~traced_engine() {
  stream_.close();
  if (peer_fd_ >= 0) os_.close(peer_fd_);
}

result<void> traced_engine::open(bool over_unix, std::size_t bytes, observer& o) {
  // As a connection of blocking/thread has it: a receive is one plain call.
  auto made = name_ == "blocking" ? make_plain_blocking(os_, options_of_trace.lease_memory)
                                  : make_engine_on(os_, name_, options_of_trace);
  if (!made) return std::unexpected(made.error().code);
  auto pair = connect_pair(os_, over_unix, bytes);
  if (!pair) return std::unexpected(pair.error());
  peer_fd_ = pair->peer;
  engine_ = std::move(*made);
  engine_->observe(&o);
  if (engine_->traits().needs_nonblocking) {
    const int flags = os_.fcntl(pair->ours, F_GETFL);
    os_.fcntl(pair->ours, F_SETFL, flags | O_NONBLOCK);
  }
  stream_ = stream(*engine_, pair->ours, !over_unix);
  buffer_.resize(bytes + 4096);
  return {};
}

bool traced_engine::receive_and_answer(std::size_t bytes, clock::duration rest) {
  return engine_->run(exchange_once(stream_, buffer_, bytes, rest));
}

bool traced_engine::receive_beside(timers& t, std::size_t bytes) {
  t.ran.reserve(t.due);
  return engine_->run(exchange_beside(*engine_, stream_, buffer_, bytes, t));
}

// The kernel counts what it needs to keep the bytes as well, and twice what is asked for.
void traced_engine::make_room(std::size_t bytes) noexcept {
  const int wanted = static_cast<int>(2 * bytes);
  os_.setsockopt(peer_fd_, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted);
  os_.setsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &wanted, sizeof wanted);
}

bool traced_engine::receive(std::size_t bytes) {
  return engine_->run(receive_all(stream_, std::span(buffer_).first(bytes)));
}

}  // namespace iolite::trace
