// See datagram_file.hpp: what the program does. Where udp(7) leaves a choice the answers are those
// of Linux, which the differential tests compare.
#include "kernel/simulated/sockets/datagram_file.hpp"

#include <algorithm>

namespace iolite::simulated {
namespace {

// What the length fields of udp(7) and ip(7), ipv6(7) leave.
constexpr std::size_t bytes_max = 65'507, bytes_max_6 = 65'527;

}  // namespace

short datagram_file::readiness() const {
  int bits = error_ != 0 ? POLLERR : 0;
  if (no_more_in_) bits |= POLLIN | POLLRDHUP;
  if (no_more_in_ && no_more_out_) bits |= POLLHUP;
  if (!received_.empty() && !hidden_) bits |= POLLIN;
  if (is_writable()) bits |= POLLOUT;
  else wants_room_ = true;
  return static_cast<short>(bits);
}

std::string datagram_file::describe() const {
  if (!bound_) return "datagram socket without a port";
  std::string out = "datagrams at " + local_.to_string();
  if (peer_) out += ", with " + peer_->to_string();
  if (!received_.empty()) out += ", " + std::to_string(received_.size()) + " to read";
  return out;
}

// --- names ---

int datagram_file::bind(const address& at) {
  const int r = any_socket::bind(at);
  if (r < 0) return r;
  keeps_address_ = !at.is_wildcard();
  keeps_port_ = at.port != 0;
  return r;
}

int datagram_file::prepare_to_send() {
  if (bound_ || !of().at.is_up) return 0;  // send() says what is wrong
  address any;
  any.family = domain();
  return bind_port(any) < 0 ? -EAGAIN : 0;  // inet_autobind() in Linux
}

// The owner of the address, and our own address on the way there.
int datagram_file::find_way(const address& to, host*& there, address& from) const {
  there = world().net.find(of().at, to);
  from = local_;
  if (local_.is_wildcard()) return choose_source(to, there, from) ? 0 : -ENETUNREACH;
  return local_.is_loopback() && there != &of().at ? -EINVAL : 0;
}

int datagram_file::connect(const address& to) {
  if (const int r = prepare_to_send(); r < 0) return r;
  const address wanted = meant_by(to);
  host* there = nullptr;
  address from;
  if (const int r = find_way(wanted, there, from); r < 0) return r;
  local_ = from;
  peer_ = wanted;
  return 0;
}

int datagram_file::disconnect() {
  peer_.reset();
  if (!keeps_port_) {
    leave_ports();
    local_.port = 0;
  }
  if (!keeps_address_) local_.ip = {};
  return 0;
}

// --- transfers ---

std::size_t datagram_file::bytes_arrived() const {
  return received_.empty() ? 0 : received_.front().bytes.size();
}

// Of nothing into nothing, read(2) takes no datagram; recv(2) would.
long datagram_file::read(std::span<std::byte> into) {
  if (into.empty()) return 0;
  return receive(into, (status_flags & O_NONBLOCK) != 0 ? MSG_DONTWAIT : 0, nullptr);
}

long datagram_file::receive(std::span<std::byte> into, int flags, address* from) {
  if (error_ != 0) return -take_error();
  if (received_.empty() || hidden_) {
    return no_more_in_ && (flags & MSG_DONTWAIT) == 0 ? 0 : -EAGAIN;
  }
  if (!no_more_in_ && wrong(fault_kind::again)) return hide(), -EAGAIN;
  const datagram& d = received_.front();
  const std::size_t n = std::min(into.size(), d.bytes.size());
  std::copy_n(d.bytes.begin(), n, into.begin());
  if (from) *from = d.from;
  const std::size_t told = (flags & MSG_TRUNC) != 0 ? d.bytes.size() : n;
  if ((flags & MSG_PEEK) == 0) {
    queued_ -= cost_of(d.bytes.size());
    received_.pop_front();
  }
  return static_cast<long>(told);
}

long datagram_file::send(std::span<const std::byte> from, const address* to) {
  datagram d;
  if (to) d.to = meant_by(*to);
  else if (peer_) d.to = *peer_;
  else return -EDESTADDRREQ;
  if (to && to->port == 0) return -EINVAL;
  if (from.size() > (domain() == AF_INET ? bytes_max : bytes_max_6)) return -EMSGSIZE;
  host* there = nullptr;
  if (const int r = find_way(d.to, there, d.from); r < 0) return r;
  if (error_ != 0) return -take_error();
  if (no_more_out_) return -EPIPE;
  const bool has_room = held_ < buffer_bytes(SO_SNDBUF) && !choked_;
  if (has_room && wrong(fault_kind::again)) choke();
  wants_room_ = wants_room_ || !has_room || choked_;
  if (!has_room || choked_) return -EAGAIN;
  d.bytes.assign(from.begin(), from.end());
  if (there) put_on_wire(std::move(d), *there);
  else note_lost(world(), d, "nobody has the address");  // the neighbours are asked in vain
  return static_cast<long>(from.size());
}

// Half of the buffer: sock_writeable() in Linux.
bool datagram_file::is_writable() const { return !choked_ && held_ * 2 < buffer_bytes(SO_SNDBUF); }

void datagram_file::take(datagram d) {
  // The last one may go beyond: as on Linux, which so takes one however small the buffer is.
  if (queued_ > buffer_bytes(SO_RCVBUF)) return note_lost(world(), d, "no room");
  queued_ += cost_of(d.bytes.size());
  received_.push_back(std::move(d));
  if (!hidden_) changed(POLLIN);
}

void datagram_file::hide() {
  hidden_ = true;
  const auto me = self();
  world().time.after(a_little_later(), [me] {
    me->hidden_ = false;
    me->changed(POLLIN);
  });
}

void datagram_file::choke() {
  choked_ = true;
  const auto me = self();
  world().time.after(a_little_later(), [me] {
    me->choked_ = false;
    me->changed(POLLOUT);
  });
}

// --- ends ---

// Of a socket that is not connected it is said that it fails, and it is done: inet_shutdown().
int datagram_file::shutdown(int how) {
  if (how < SHUT_RD || how > SHUT_RDWR) return -EINVAL;
  no_more_in_ = no_more_in_ || how != SHUT_WR;
  no_more_out_ = no_more_out_ || how != SHUT_RD;
  changed_by_us(POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
  return peer_ ? 0 : -ENOTCONN;
}

void datagram_file::closed() {
  leave_ports();
  received_.clear();
  queued_ = 0;
}

void datagram_file::vanish() {
  closed();
  error_ = ENETDOWN;
  no_more_in_ = no_more_out_ = true;
}

}  // namespace iolite::simulated
