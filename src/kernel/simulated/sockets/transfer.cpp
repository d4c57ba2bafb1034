// How bytes get from one socket to its peer: buffers, segments, ends and resets. See
// socket_file.hpp.
#include "kernel/simulated/sockets/socket_file.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <netinet/in.h>
#include <netinet/tcp.h>

namespace iolite::simulated {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t segment_max = 65536;
constexpr int tries_max = 15;  // tcp_retries2

// What a buffer of the kernel is made of, for unix sockets: unix_stream_sendmsg() and
// alloc_skb_with_frags() in Linux, with pages of 4 KiB. Bytes that do not fit into its head lie in
// pages of their own.
constexpr std::size_t page = 4096;
constexpr std::size_t head_max = page - 320;  // SKB_MAX_HEAD(0)
constexpr std::size_t buffer_max = head_max + 32768;  // UNIX_SKB_FRAGS_SZ

std::size_t cost_of_buffer(std::size_t bytes) noexcept {
  const std::size_t beyond = bytes - std::min(bytes, head_max);
  const std::size_t paged = std::min(bytes, (beyond + page - 1) / page * page);
  const std::size_t head = std::bit_ceil(std::max<std::size_t>(bytes - paged + 320, 512));
  return 256 + head + (paged + page - 1) / page * page;
}

}  // namespace

// --- what the program does ---

long socket_file::receive(std::span<std::byte> into, int flags, address* from) {
  if (stage_ == stage::connecting) return -EAGAIN;
  if (stage_ == stage::fresh || stage_ == stage::listening) return is_unix() ? -EINVAL : -ENOTCONN;
  // Nothing is reported for a sender without a name, nor on TCP.
  if (from && is_unix() && !peer_.path.empty()) *from = peer_;
  if (into.empty() && visible() > 0) return 0;
  if (visible() > 0) {
    // What is hidden comes a little later, as if the wire had been slower.
    if (wrong(fault_kind::again)) return hide(received_.size()), -EAGAIN;
    std::size_t n = std::min(into.size(), visible());
    if ((flags & MSG_PEEK) != 0) return static_cast<long>(received_.peek(into.first(n)));
    if (n > 1 && wrong(fault_kind::short_receive)) {
      n = world().draws.extent().from_one_to(n - 1);
      hide(received_.size() - n);
    }
    received_.take(into.first(n));
    was_read(n);
    return static_cast<long>(n);
  }
  if (hidden_ > 0) return -EAGAIN;
  if (end_received_ && !is_unix()) return 0;
  if (error_ != 0) return -take_error();
  return no_more_in_ || stage_ == stage::failed ? 0 : -EAGAIN;
}

long socket_file::send(std::span<const std::byte> from, const address* to) {
  if (to && is_unix()) return stage_ == stage::connected ? -EISCONN : -EOPNOTSUPP;
  if (stage_ == stage::connecting) return -EAGAIN;
  if (stage_ == stage::fresh || stage_ == stage::listening) return is_unix() ? -ENOTCONN : -EPIPE;
  if (is_unix() && no_more_out_) return -EPIPE;
  if (error_ != 0) return -take_error();
  if (no_more_out_) return -EPIPE;
  if (from.empty()) return 0;
  const std::size_t all = buffer_bytes(SO_SNDBUF);
  std::size_t room = all - std::min(all, held());
  if (is_unix() && room > 0) room = from.size();  // the last one may go beyond
  if (room > 0 && wrong(fault_kind::again)) choke();
  wants_room_ = wants_room_ || room < from.size() || choked_;
  send_found_none_ = send_found_none_ || room < from.size() || choked_;
  if (room == 0 || choked_) return -EAGAIN;
  std::size_t n = std::min(room, from.size());
  if (n > 1 && wrong(fault_kind::short_send)) n = world().draws.extent().from_one_to(n - 1);
  if (is_unix()) {
    if (other_.expired()) return -EPIPE;
    n = send_unix(from.first(n));
  } else {
    unsent_.append(from.first(n));
    transmit();
  }
  return static_cast<long>(n);
}

// Buffer after buffer, while there is room for the first byte of the next.
std::size_t socket_file::send_unix(std::span<const std::byte> from) {
  const shared other = other_.lock();
  const std::size_t all = buffer_bytes(SO_SNDBUF);
  std::size_t sent = 0;
  while (sent < from.size() && other->charged_ < all) {
    const std::size_t n = std::min({from.size() - sent, all / 2 - 64, buffer_max});
    other->received_.append(from.subspan(sent, n));
    other->buffers_.push_back({n, cost_of_buffer(n)});
    other->charged_ += other->buffers_.back().cost;
    sent += n;
  }
  send_found_none_ = send_found_none_ || sent < from.size();
  other->changed(POLLIN);
  return sent;
}

void socket_file::let_go_of_buffers(std::size_t bytes_read) {
  while (bytes_read > 0 && !buffers_.empty()) {
    buffer& first = buffers_.front();
    const std::size_t n = std::min(first.bytes, bytes_read);
    first.bytes -= n;
    bytes_read -= n;
    if (first.bytes > 0) return;
    charged_ -= first.cost;
    buffers_.pop_front();
  }
}

std::size_t socket_file::usual_buffer(int name) const {
  if (is_unix()) return 212'992;  // net.core.wmem_default
  return name == SO_SNDBUF ? world().net.send_buffer : world().net.receive_buffer;
}

std::size_t socket_file::held() const noexcept {
  if (!is_unix()) return on_their_way();
  const shared other = other_.lock();
  return other ? other->charged_ : 0;
}

std::size_t socket_file::on_their_way() const noexcept {
  if (!is_unix()) return unsent_.size() + unacknowledged_;
  const shared other = other_.lock();
  return other ? other->received_.size() : 0;
}

// Not at the first free byte: a writer is woken when there is room for something. tcp(7) knows a
// third of the buffer, unix(7) three quarters.
bool socket_file::is_writable() const noexcept {
  if (choked_) return false;
  const std::size_t all = buffer_bytes(SO_SNDBUF);
  return is_unix() ? held() * 4 <= all : held() * 3 <= all * 2;
}

void socket_file::hide(std::size_t bytes) {
  if (bytes == 0) return;
  hidden_ = bytes;
  const shared me = self();
  world().time.after(a_little_later(), [me] {
    me->hidden_ = 0;
    me->changed(POLLIN);
  });
}

void socket_file::choke() {
  choked_ = true;
  const shared me = self();
  world().time.after(a_little_later(), [me] {
    me->choked_ = false;
    me->changed(POLLOUT);
  });
}

// Room for the peer: at once between unix sockets, by a message on TCP.
void socket_file::was_read(std::size_t bytes) {
  const shared other = other_.lock();
  let_go_of_buffers(bytes);
  if (!other || bytes == 0) return;
  if (is_unix()) {
    if (other->is_writable()) other->changed(POLLOUT);
    return;
  }
  if (other->unsent_.empty() || std::exchange(other->looks_soon_, true)) return;
  const auto delay = world().net.latency(of().at, other->of().at, world().random);
  world().time.after(delay, [other] {
    other->looks_soon_ = false;
    other->transmit();
  });
}

// --- the wire ---

// Sends what the receiver has room for, cut as the seed likes.
void socket_file::transmit() {
  const shared other = other_.lock();
  while (!unsent_.empty() && stage_ == stage::connected) {
    std::size_t window = segment_max;
    if (other && !other->closed_) {
      const std::size_t room = other->buffer_bytes(SO_RCVBUF);
      window = room - std::min(room, other->received_.size() + in_flight_);
    }
    std::size_t n = std::min({unsent_.size(), window, segment_max});
    if (n == 0) return;
    if (n > 1 && wrong(fault_kind::split)) n = world().draws.extent().from_one_to(n - 1);
    segment s;
    s.bytes = unsent_.take(n);
    unacknowledged_ += n;
    in_flight_ += n;
    put_on_wire(std::move(s));
  }
  if (unsent_.empty() && no_more_out_ && stage_ == stage::connected &&
      !std::exchange(end_sent_, true)) {
    put_on_wire({.end = true});
  }
}

void socket_file::put_on_wire(segment s) {
  machine& w = world();
  clock::duration delay = w.net.transit(of().at, *there_, s.bytes.size(), w.time.now(), w.random);
  if (wrong(fault_kind::delay)) delay += w.draws.extent().between({}, w.faults.delay_max);
  if (!s.bytes.empty() && wrong(fault_kind::reset)) s.reset = true;
  s.answers_end = end_received_;
  last_arrival_ = std::max(last_arrival_ + clock::duration(1), w.time.now() + delay);
  wire_.push_back(std::move(s));
  const shared me = self();
  w.time.at(last_arrival_, [me] { me->segment_is_due(); });
}

void socket_file::segment_is_due() {
  if (wire_.empty()) return;  // a reset has swept it
  ++due_;
  if (held_up_) return;
  if (world().net.blocked(of().at, *there_)) {
    held_up_ = true;
    return try_again(0);
  }
  for (; due_ > 0 && !wire_.empty(); --due_) {
    segment s = std::move(wire_.front());
    wire_.pop_front();
    arrives(std::move(s));
  }
  due_ = 0;
}

// The link was down when the segment would have arrived: sent again after 200 ms, 400 ms ... 120 s.
// A reset is not.
void socket_file::try_again(int tries) {
  if (stage_ != stage::connected) {
    wire_.clear();
    due_ = 0;
    held_up_ = false;
    return;
  }
  const auto pause =
      std::min<clock::duration>(milliseconds(200) * (1LL << tries), std::chrono::seconds(120));
  const shared me = self();
  world().time.after(pause, [me, tries] {
    if (me->wire_.empty()) return;
    if (!me->world().net.blocked(me->of().at, *me->there_)) {
      me->held_up_ = false;
      --me->due_;  // it counts this one
      return me->segment_is_due();
    }
    if (tries + 1 < tries_max) return me->try_again(tries + 1);
    me->reset_arrives(ETIMEDOUT);
  });
}

void socket_file::arrives(segment s) {
  const std::size_t n = s.bytes.size();
  in_flight_ -= n;
  const shared other = other_.lock();
  const shared me = self();
  timeline& time = world().time;
  if (s.reset) {
    if (other) other->reset_arrives(ECONNRESET);
    if (n > 0) reset_arrives(ECONNRESET);  // the network has cut both
    return;
  }
  const auto back = world().net.latency(*there_, of().at, world().random);
  // A closed socket accepts no more data; one that closed after its own end still takes our end.
  const bool refused = other ? (n > 0 && other->closed_) || other->stage_ != stage::connected
                             : n > 0 || !end_received_;
  if (refused) return time.after(back, [me] { me->reset_arrives(ECONNRESET); });
  if (n > 0) {
    other->received_.append(s.bytes);
    // Hidden bytes are at the end: new ones come out with them.
    if (other->hidden_ > 0) other->hidden_ += n;
    else other->changed(POLLIN);
  }
  if (s.answers_end && other) other->end_is_acknowledged();
  if (s.end && other) other->end_arrives();
  time.after(back, [me, n, end = s.end] {
    if (end) me->end_is_acknowledged();
    me->acknowledged(n);
  });
}

void socket_file::acknowledged(std::size_t bytes) {
  unacknowledged_ -= std::min(bytes, unacknowledged_);
  transmit();
  if (wants_room_ && is_writable()) {
    wants_room_ = false;
    changed(POLLOUT);
  }
}

// --- ends ---

void socket_file::keep() { world().net.lingering[number_ = ++world().net.numbers] = self(); }

void socket_file::let_go() {
  if (number_ != 0) world().net.lingering.erase(std::exchange(number_, 0));
}

void socket_file::end_is_acknowledged() {
  end_acknowledged_ = true;
  let_go();
}

void socket_file::end_arrives() {
  end_received_ = true;
  no_more_in_ = true;
  changed(no_more_out_ ? POLLIN | POLLRDHUP | POLLHUP : POLLIN | POLLRDHUP);
}

// What has been received stays; what was to be sent is dropped.
void socket_file::reset_arrives(int error) {
  if (stage_ != stage::connected) return;
  stage_ = stage::failed;
  // Whose peer had ended before learns that nobody reads: tcp_reset() in Linux.
  error_ = end_received_ && error == ECONNRESET && !is_unix() ? EPIPE : error;
  no_more_in_ = no_more_out_ = true;
  unsent_.clear();
  wire_.clear();
  due_ = unacknowledged_ = in_flight_ = 0;
  held_up_ = false;
  let_go();
  changed(POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
}

void socket_file::vanish() {
  accepted_.clear();
  leave_names();
  let_go();
  stage_ = stage::failed;
  error_ = ENETDOWN;
  no_more_in_ = no_more_out_ = true;
  received_.clear();
  buffers_.clear();
  unsent_.clear();
  wire_.clear();
  charged_ = hidden_ = due_ = unacknowledged_ = in_flight_ = 0;
  held_up_ = false;
}

void socket_file::send_reset() {
  if (stage_ != stage::connected) return;
  stage_ = stage::failed;
  no_more_in_ = no_more_out_ = true;
  unsent_.clear();
  let_go();
  // Behind what is on the wire, which is on its way.
  put_on_wire({.reset = true});
}

}  // namespace iolite::simulated
