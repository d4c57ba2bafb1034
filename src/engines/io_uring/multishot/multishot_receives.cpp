// See multishot_receives.hpp.
#include "engines/io_uring/multishot/multishot_receives.hpp"

#include "base/assert.hpp"
#include "core/direct_descriptor.hpp"
#include "core/perform.hpp"
#include "engines/io_uring/direct_files.hpp"
#include "kernel/ring_names.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

namespace iolite {
namespace {

constexpr std::uint8_t often = 4;  // receives that had to wait
constexpr std::uint8_t by_itself = 255;
constexpr std::uint16_t term = 256;  // messages
constexpr std::uint32_t much = 64 * 1024;  // bytes that nobody asks for
constexpr std::uint32_t many = 64;  // parts, of all that stand
constexpr std::uint32_t large = 4096;  // bytes: not to be copied

}  // namespace

std::optional<engine::started> multishot_receives::start(operation& op) noexcept {
  if (op.kind == op_kind::ready) {
    const bool reads = (op.wanted & interest::read) != interest::none;
    if (!reads || !find(op.fd) || !stop(op.fd)) return std::nullopt;
    op.outcome = static_cast<int>(interest::read);
    return engine::started::done;
  }
  receiving* const r = find_or_make(op.fd);
  if (!r) return std::nullopt;
  op.outcome = take(*r, op);
  if (op.outcome != -EAGAIN) return engine::started::done;
  r->asks = &op;  // what follows may bring something for it
  if (!r->stands && (r->left == 0 || !submit(*r))) {
    r->asks = nullptr;
    drop(*r);
    return std::nullopt;
  }
  if (r->left == 0) r->end(by_, tag(*r));
  return engine::started::pending;
}

std::optional<int> multishot_receives::cancel(operation& op) noexcept {
  receiving* const r = find(op.fd);
  if (!r || r->asks != &op) return std::nullopt;
  r->asks = nullptr;
  const int came = take(*r, op);
  return came == -EAGAIN ? -ECANCELED : came;
}

bool multishot_receives::note(const io_uring_cqe& cqe) noexcept {
  if (!is_tag(cqe.user_data)) return false;
  receiving& r = *of_tag(cqe.user_data);
  std::byte* const at = leased_.taken(cqe);
  r.multishot_request::note(cqe);
  if (!r.stands) --stand_;
  if (r.fd < 0) {
    if (at) on_.buffers()->give(at);
    recycle(r);
    return true;
  }
  if (at) add(r, at, static_cast<std::uint32_t>(cqe.res));
  else if (cqe.res == -EINVAL) known_ = false;
  if (cqe.res == -EINVAL || cqe.res == -ENOBUFS) {
    r.left = 0;
  } else if (cqe.res <= 0 && cqe.res != -ECANCELED && cqe.res != -EINTR) {
    r.over = true;
    r.result = cqe.res;
  }
  if ((r.asks || r.unread > much) && !std::exchange(r.told, true)) {
    r.next_news = 0;
    (news_ != 0 ? records_[last_news_].next_news : news_) = r.number;
    last_news_ = r.number;
  }
  return true;
}

operation* multishot_receives::next() noexcept {
  while (news_ != 0) {
    receiving& r = records_[news_];
    news_ = r.next_news;
    r.told = false;
    if (r.fd < 0) {
      recycle(r);
      continue;
    }
    if (r.unread > much) {
      r.left = 0;
      r.end(by_, tag(r));
    }
    if (r.asks && (!r.stands || r.has_come())) return std::exchange(r.asks, nullptr);
  }
  if (unread_parts_ > many) end_unasked();
  return nullptr;
}

void multishot_receives::end_unasked() noexcept {
  each([this](receiving& r) {
    if (!r.stands || r.asks || r.fd < 0) return;
    r.left = 0;
    r.end(by_, tag(r));
  });
}

bool multishot_receives::stop(int fd) noexcept {
  if (how_ == engine_options::receiving::each) return false;
  if (observed* const o = observe(fd)) o->waited = by_itself;
  receiving* const r = find(fd);
  if (!r) return false;
  r->left = 0;
  r->end_now(by_, tag(*r));
  return r->has_come();
}

std::size_t multishot_receives::unread(int fd) noexcept {
  const receiving* const r = find(fd);
  return r ? r->unread : 0;
}

void multishot_receives::end_all() noexcept {
  each([this](receiving& r) { r.end(by_, tag(r)); });  // all by one call
  each([this](receiving& r) { r.end_now(by_, tag(r)); });
}

void multishot_receives::forget(int fd) noexcept {
  observed* const o = find_observed(fd);
  if (!o) return;
  if (o->number != 0) drop(records_[o->number]);
  *o = {};
}

void multishot_receives::close() noexcept {
  each([this](receiving& r) {
    if (r.fd >= 0) drop(r);
  });
  leased_.close();
}

void multishot_receives::begin_turn() noexcept {
  ++turn_;
  if (stand_ > 0 && leased_.is_open()) leased_.stock();  // else others may need the buffers
}

void multishot_receives::handed_over(const operation& op) noexcept {
  if (how_ != engine_options::receiving::observed) return;
  if (observed* const o = observe(op.fd)) o->turn = turn_;
}

void multishot_receives::came_back(const operation& op) noexcept {
  if (how_ != engine_options::receiving::observed) return;
  observed* const o = find_observed(op.fd);
  if (!o || o->waited == by_itself) return;
  if (o->turn == turn_) o->waited = 0;
  else if (o->waited < often) ++o->waited;
}

multishot_receives::observed* multishot_receives::find_observed(int fd) noexcept {
  auto& table = observed_[direct::is(fd) ? 1 : 0];
  return table.holds(direct::slot_of(fd)) ? &table[direct::slot_of(fd)] : nullptr;
}

// Null: no memory.
multishot_receives::observed* multishot_receives::observe(int fd) noexcept {
  return observed_[direct::is(fd) ? 1 : 0].get(direct::slot_of(fd));
}

multishot_receives::receiving* multishot_receives::find(int fd) noexcept {
  const observed* const o = find_observed(fd);
  return o && o->number != 0 ? &records_[o->number] : nullptr;
}

multishot_receives::receiving* multishot_receives::find_or_make(int fd) noexcept {
  using how = engine_options::receiving;
  if (how_ == how::each) return nullptr;
  observed* const o = how_ == how::multishot ? observe(fd) : find_observed(fd);
  if (!o) return nullptr;
  if (o->number != 0) return &records_[o->number];
  if (o->waited == by_itself || (how_ == how::observed && o->waited < often) || !known_)
    return nullptr;
  std::uint16_t number = free_;
  if (number != 0) {
    free_ = records_[number].next_free;
  } else {
    if (used_ == UINT16_MAX || !records_.get(used_)) return nullptr;
    number = used_++;
  }
  receiving& r = records_[number];
  r = {};
  r.fd = fd;
  r.number = number;
  r.left = term;
  o->number = number;
  o->waited = 0;
  return &r;
}

bool multishot_receives::submit(receiving& r) noexcept {
  if (!leased_.prepare() || !leased_.is_open()) {
    known_ = false;
    return false;
  }
  io_uring_sqe& sqe = by_.take(tag(r));
  direct_files::name(sqe, r.fd);
  sqe.opcode = IORING_OP_RECV;
  sqe.ioprio = ring_receive_multishot;
  sqe.flags |= IOSQE_BUFFER_SELECT;
  sqe.buf_group = buffer_ring::multishot;
  r.stands = true;
  ++stand_;
  return true;
}

// A place among the parts. Without memory for one the stream ends: nothing may be left out of it.
void multishot_receives::add(receiving& r, const std::byte* at, std::uint32_t bytes) noexcept {
  std::uint32_t place = free_part_;
  if (place != 0) {
    free_part_ = parts_[place].next;
  } else {
    try {
      parts_.resize(std::max<std::size_t>(parts_.size() + 1, 2));
    } catch (const std::bad_alloc&) {
      on_.buffers()->give(at);
      r.over = true;
      r.result = -ENOMEM;
      return;
    }
    place = static_cast<std::uint32_t>(parts_.size() - 1);
  }
  parts_[place] = {static_cast<std::uint32_t>(at - on_.buffers()->memory()), bytes, 0};
  (r.first != 0 ? parts_[r.last].next : r.first) = place;
  r.last = place;
  r.unread += bytes;
  ++unread_parts_;
  ++counts_.multishot_receives;
  if (r.left > 0) --r.left;
}

// What has come goes to `op`: its outcome. -EAGAIN: nothing has.
int multishot_receives::take(receiving& r, operation& op) noexcept {
  if (r.first == 0) {
    if (!r.over) return -EAGAIN;
    const int result = r.result;
    drop(r);
    return result;
  }
  part& p = parts_[r.first];
  std::byte* const at = on_.buffers()->memory() + p.at + r.skipped;
  if (!op.picks_buffer && p.bytes - r.skipped >= large) {
    r.left = 0;
    find_observed(r.fd)->waited = by_itself;
  }
  const auto n =
      static_cast<std::uint32_t>(std::min<std::size_t>(p.bytes - r.skipped, left_of(op)));
  if (op.picks_buffer) {
    op.payload = at;
    on_.buffers()->hold(at);
  } else {
    std::memcpy(op.payload.bytes + op.moved, at, n);
  }
  r.unread -= n;
  r.skipped += n;
  if (r.skipped == p.bytes) take_off(r);
  return static_cast<int>(n);
}

// The first of its parts.
void multishot_receives::take_off(receiving& r) noexcept {
  const std::uint32_t place = r.first;
  on_.buffers()->give(on_.buffers()->memory() + parts_[place].at);
  r.first = std::exchange(parts_[place].next, free_part_);
  r.skipped = 0;
  --unread_parts_;
  free_part_ = place;
}

// Nobody asks for it any more.
void multishot_receives::drop(receiving& r) noexcept {
  r.end(by_, tag(r));  // may bring more
  find_observed(r.fd)->number = 0;
  r.fd = -1;
  while (r.first != 0) take_off(r);
  recycle(r);
}

void multishot_receives::recycle(receiving& r) noexcept {
  if (r.fd >= 0 || r.stands || r.told) return;
  IOLITE_ASSERT(!r.asks, "a waiting receive is completed before its record is dropped");
  r.next_free = free_;
  free_ = r.number;
}

}  // namespace iolite
