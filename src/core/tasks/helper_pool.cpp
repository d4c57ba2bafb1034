// See helper_pool.hpp.
#include "core/tasks/helper_pool.hpp"

#include "core/process.hpp"
#include "iolite/core/engine.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <exception>
#include <sys/prctl.h>
#include <utility>

namespace iolite {
namespace {

constexpr auto line_moves_within = std::chrono::milliseconds(100);

// Of an operation: its `source_state`.
enum stage : std::size_t { called, in_line, answered };

// With the lock held: whoever takes it back waits until we let go of the engine.
void answer(operation& op) noexcept {
  op.source_state = answered;
  op.on->post(op, 0);
}

}  // namespace

detail::helper_pool::helper_pool(kernel& os, pool_limits limits, bool joins)
    : made_after(fork_count()), os_(os), limits_(std::move(limits)), joins_(joins) {
  if (joins_) to_join_.reserve(limits_.limit);
}

// --- calls: with the lock held ---

int detail::helper_pool::prepare_one() {
  if (idle_ <= waiting_) {
    try {
      if (helpers_ < most()) start_helper();
      else start_watch();
    } catch (const std::system_error& e) {
      if (helpers_ == 0) return -e.code().value();
    }
  }
  const bool has_room = waiting_ < idle_ || waiting_ - idle_ < limits_.queue_max;
  return has_room ? 0 : -ENOBUFS;
}

void detail::helper_pool::add(operation& op) noexcept {
  op.source_state = in_line;
  line_.push(op);
  ++waiting_;
  if (idle_ > 0) tell(1);
}

bool detail::helper_pool::forget(operation& op) noexcept {
  const std::lock_guard hold(lock);
  auto& call = static_cast<offload_operation&>(op);
  if (op.source_state == called && call.owned()) return call.leave(), true;
  if (op.source_state != in_line) return false;
  op.source_state = called;
  line_.remove(op);
  --waiting_;
  return true;
}

// --- the end ---

void detail::helper_pool::process_ends() noexcept {
  const std::lock_guard hold(lock);
  ending_ = true;
  tell(limits_.limit);
  std::atomic_ref(end_).store(1);
  os_.futex_wake(&end_, 1);
}

void detail::helper_pool::end() noexcept {
  process_ends();
  for (os_thread& t : to_join_) t.join();
}

// --- helpers ---

// Those that hang are not counted, as far as the limit allows.
unsigned detail::helper_pool::most() const noexcept {
  return std::min(limits_.threads + hanging_, limits_.limit);
}

void detail::helper_pool::start_helper() {
  os_thread made(os_, [this] { help(); });
  if (joins_) to_join_.push_back(std::move(made));  // there is room
  else made.detach();
  ++helpers_;
  ++idle_;
}

void detail::helper_pool::start_watch() {
  if (watched_ || helpers_ == limits_.limit) return;
  os_thread(os_, [this] { watch(); }).detach();
  watched_ = true;
}

void detail::helper_pool::help() noexcept {
  if (!limits_.name.empty()) {
    os_.prctl(PR_SET_NAME, reinterpret_cast<long>(limits_.name.c_str()));
  }
  std::unique_lock hold(lock);
  while (auto* const op = static_cast<offload_operation*>(await_call(hold))) {
    make(*op, hold);
    if (helpers_ > most()) {
      --helpers_;
      return;
    }
    ++idle_;
  }
}

// `op`, or what it owns, may be gone as soon as the lock is free.
void detail::helper_pool::make(offload_operation& op, std::unique_lock<std::mutex>& hold) noexcept {
  op.source_state = called;
  --waiting_;
  --idle_;
  ++taken_;
  const std::uint64_t began = hangs_seen_;
  owned_call* const owned = op.owned();
  hold.unlock();
  if (owned) owned->call();
  else op.call();
  hold.lock();
  if (owned && owned->left) {
    hold.unlock();
    delete owned;
    hold.lock();
  } else {
    answer(op);
  }
  if (began != hangs_seen_) --hanging_;
}

operation* detail::helper_pool::await_call(std::unique_lock<std::mutex>& hold) noexcept {
  while (line_.empty() && !ending_) {
    const std::uint32_t seen = news_;
    hold.unlock();
    os_.futex_wait(&news_, seen, nullptr);
    hold.lock();
  }
  return line_.pop();
}

void detail::helper_pool::tell(unsigned helpers) noexcept {
  std::atomic_ref(news_).fetch_add(1, std::memory_order_relaxed);  // the lock orders it
  os_.futex_wake(&news_, static_cast<int>(helpers));
}

// While calls are in line: those at work hang when none of them has taken the next for a while.
void detail::helper_pool::watch() noexcept {
  std::unique_lock hold(lock);
  while (!ending_ && !line_.empty() && helpers_ < limits_.limit) {
    const std::uint64_t before = taken_;
    hold.unlock();
    pause();
    hold.lock();
    if (taken_ != before || idle_ > 0) continue;
    hanging_ = helpers_;
    ++hangs_seen_;
    try {
      while (helpers_ < most() && idle_ < waiting_) start_helper();
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): it is tried again
    }
  }
  watched_ = false;
}

void detail::helper_pool::pause() noexcept {
  const clock::time_point until = os_.now() + line_moves_within;
  for (clock::time_point now = os_.now(); now < until; now = os_.now()) {
    if (std::atomic_ref(end_).load() != 0) return;
    const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(until - now).count();
    const timespec left{0, ns};
    os_.futex_wait(&end_, 0, &left);
  }
}

}  // namespace iolite
