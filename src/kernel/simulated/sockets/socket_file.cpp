// See socket_file.hpp. The answers are those of Linux, where socket(7), tcp(7) and unix(7) leave a
// choice: the differential tests compare them.
#include "kernel/simulated/sockets/socket_file.hpp"

#include <algorithm>
#include <cstdio>

namespace iolite::simulated {

socket_file::socket_file(site& of, int domain) noexcept : any_socket(of, domain, SOCK_STREAM) {}

socket_file::~socket_file() { leave_names(); }

void socket_file::join_unix(const shared& a, const shared& b) {
  a->other_ = b;
  b->other_ = a;
  a->stage_ = b->stage_ = stage::connected;
  a->there_ = b->there_ = &a->of().at;
  a->peer_ = b->local_;
  b->peer_ = a->local_;
}

short socket_file::readiness() const {
  switch (stage_) {
  case stage::fresh: return POLLOUT | POLLHUP;
  case stage::listening: return static_cast<short>(listener_readiness());
  case stage::connecting: return 0;
  case stage::connected:
  case stage::failed: break;
  }
  int bits = error_ != 0 ? POLLERR : 0;
  if (no_more_in_ && no_more_out_) bits |= POLLHUP;
  if (no_more_in_) bits |= POLLIN | POLLRDHUP;
  if (visible() > 0) bits |= POLLIN;
  if (is_writable() || (no_more_out_ && !is_unix())) bits |= POLLOUT;
  else wants_room_ = true;
  return static_cast<short>(bits);
}

int socket_file::listener_readiness() const {
  int bits = accepted_.empty() ? 0 : POLLIN;
  if (no_more_in_) bits |= POLLIN | POLLRDHUP;
  if (no_more_in_ && no_more_out_) bits |= POLLHUP;
  return bits;
}

std::string socket_file::describe() const {
  switch (stage_) {
  case stage::fresh: return "socket without a connection";
  case stage::listening:
    return "listening on " + local_.to_string() + ", " + std::to_string(accepted_.size()) +
           " in the queue";
  case stage::connecting: return local_.to_string() + " connecting to " + peer_.to_string();
  case stage::failed: return local_.to_string() + ", connection to " + peer_.to_string() + " lost";
  case stage::connected: break;
  }
  std::string out = local_.to_string() + " to " + peer_.to_string();
  if (const std::size_t n = received_.size(); n > 0) out += ", " + std::to_string(n) + " B to read";
  if (const std::size_t n = on_their_way(); n > 0) {
    out += ", " + std::to_string(n) + " B on their way";
  }
  if (end_received_) out += ", the peer has ended";
  return out;
}

// --- names ---

int socket_file::bind(const address& at) {
  if (!is_unix()) return any_socket::bind(at);
  if (at.path.empty()) return bound_ ? 0 : bind_somewhere();
  return at.path[0] == '\0' ? bind_abstract(at) : bind_path(at);
}

// What is there already is found first: unix_bind_bsd() in Linux.
int socket_file::bind_path(const address& at) {
  disk& storage = of().at.storage;
  disk::content made;
  if (const int r = storage.bind(at.path, *this, made); r < 0) return r;
  if (bound_) return storage.unlink(at.path), -EINVAL;
  path_file_ = std::move(made);
  local_ = at;
  bound_ = true;
  return 0;
}

int socket_file::bind_abstract(const address& at) {
  if (bound_) return -EINVAL;
  if (!of().at.abstract_names.try_emplace(at.path, this).second) return -EADDRINUSE;
  local_ = at;
  bound_ = true;
  return 0;
}

// A name of five digits that nobody has: unix(7), "Autobind feature".
int socket_file::bind_somewhere() {
  address at;
  at.family = AF_UNIX;
  do {
    char name[8];
    std::snprintf(name, sizeof name, "%05x", static_cast<unsigned>(world().random.below(1 << 20)));
    at.path = std::string(1, '\0') + name;
  } while (of().at.abstract_names.contains(at.path));
  return bind_abstract(at);
}

void socket_file::leave_names() {
  if (!is_unix()) return leave_ports();
  if (!std::exchange(bound_, false)) return;
  if (path_file_) path_file_->bound = nullptr;  // the file stays until it is unlinked
  else of().at.abstract_names.erase(local_.path);
  path_file_.reset();
}

// Finds the socket that has bound the name: 0 or -errno.
int socket_file::find_bound(const address& to, socket_file*& out) const {
  const host& here = of().at;
  any_socket* found = nullptr;
  if (to.path.empty() || to.path[0] == '\0') {
    const auto it = here.abstract_names.find(to.path);
    if (it != here.abstract_names.end()) found = it->second;
  } else {
    disk::content at_path;
    if (const int r = here.storage.find(to.path, at_path); r < 0) return r;
    found = at_path->bound;  // of a file that is no socket: nobody
  }
  out = static_cast<socket_file*>(found);  // unix datagram sockets are not simulated
  return found ? 0 : -ECONNREFUSED;
}

// --- listening and connecting ---

int socket_file::listen(int backlog) {
  if (stage_ != stage::fresh && stage_ != stage::listening) return -EINVAL;
  if (is_unix() && !bound_) return -EINVAL;
  if (!bound_) {
    address any;
    any.family = domain();
    if (const int r = bind_port(any); r < 0) return r;
  }
  backlog_ = static_cast<std::size_t>(std::clamp(backlog, 0, 4096));
  stage_ = stage::listening;
  return 0;
}

std::shared_ptr<any_socket> socket_file::accept() {
  if (accepted_.empty()) return nullptr;
  shared out = std::move(accepted_.front());
  accepted_.pop_front();
  return out;
}

int socket_file::connect(const address& to) {
  if (is_unix()) return connect_unix(to);
  switch (stage_) {
  case stage::connected: return std::exchange(untold_, false) ? 0 : -EISCONN;
  case stage::connecting: return -EALREADY;
  case stage::listening: return -EISCONN;
  case stage::failed: {
    const int error = take_error();
    stage_ = stage::fresh;
    no_more_in_ = no_more_out_ = false;
    return error != 0 ? -error : -ECONNABORTED;
  }
  case stage::fresh: break;
  }
  if (to.port == 0) return -ECONNREFUSED;
  peer_ = meant_by(to);
  if (peer_.is_link_local() && peer_.scope == 0) return -EINVAL;
  there_ = world().net.find(of().at, peer_);
  if (!bound_) {
    address from;
    if (!choose_source(peer_, there_, from)) return -ENETUNREACH;
    if (const int r = bind_port(from); r < 0) return r == -EADDRINUSE ? -EADDRNOTAVAIL : r;
  }
  stage_ = stage::connecting;
  send_opening(0);
  return -EINPROGRESS;
}

int socket_file::connect_unix(const address& to) {
  socket_file* listener = nullptr;
  if (const int r = find_bound(to, listener); r < 0) return r;
  if (listener->stage_ != stage::listening || listener->no_more_in_) return -ECONNREFUSED;
  if (listener->queue_is_full()) return -EAGAIN;
  if (stage_ != stage::fresh) return stage_ == stage::listening ? -EINVAL : -EISCONN;
  const auto child = std::make_shared<socket_file>(listener->of(), AF_UNIX);
  child->local_ = listener->local_;
  join_unix(self(), child);
  listener->accepted_.push_back(child);
  listener->changed(POLLIN);
  changed(POLLOUT);
  return 0;
}

// --- ending ---

int socket_file::shutdown(int how) {
  if (how < SHUT_RD || how > SHUT_RDWR) return -EINVAL;
  if (stage_ == stage::listening && !is_unix()) {
    if (how == SHUT_WR) return 0;
    close_listener();
    leave_names();
    stage_ = stage::fresh;
    changed_by_us(POLLIN | POLLHUP);
    return 0;
  }
  if (stage_ == stage::listening) return shut_down_listener(how);
  if (stage_ != stage::connected) return is_unix() ? 0 : -ENOTCONN;
  if (has_ended_both_ways()) return -ENOTCONN;
  const shared other = other_.lock();
  if (how != SHUT_WR) {
    no_more_in_ = true;
    if (is_unix() && other) other->no_more_out_ = true;
  }
  if (how != SHUT_RD && !std::exchange(no_more_out_, true)) {
    if (is_unix() && other) other->end_arrives();
    else if (!is_unix()) transmit();
  }
  changed_by_us(POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
  if (is_unix() && other) other->changed_by_us(POLLOUT | POLLIN | POLLHUP);
  return 0;
}

// Newcomers are refused; queued connections may still be accepted.
int socket_file::shut_down_listener(int how) {
  no_more_in_ = no_more_in_ || how != SHUT_WR;
  no_more_out_ = no_more_out_ || how != SHUT_RD;
  changed_by_us(POLLIN | POLLRDHUP | POLLHUP);
  return 0;
}

void socket_file::close_listener() {
  for (const shared& child : std::exchange(accepted_, {})) {
    if (!is_unix()) {
      child->send_reset();
    } else if (const shared client = child->other_.lock()) {
      client->reset_arrives(ECONNRESET);
    }
    child->stage_ = stage::failed;
  }
}

void socket_file::closed() {
  closed_ = true;
  if (stage_ == stage::listening) {
    close_listener();
    stage_ = stage::fresh;  // a handshake in progress finds no listener
  }
  if (stage_ != stage::connected) {
    if (stage_ == stage::connecting) stage_ = stage::failed;  // an answer finds nobody
    leave_names();
    return;
  }
  const shared other = other_.lock();
  if (is_unix()) {
    leave_names();
    stage_ = stage::failed;
    if (!other) return;
    if (!received_.empty()) other->error_ = ECONNRESET;
    other->no_more_out_ = other->no_more_in_ = other->end_received_ = true;
    other->changed_by_us(POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
    other->changed(POLLHUP);
    return;
  }
  if (linger_seconds_ == 0 || !received_.empty()) return send_reset();
  if (end_sent_ && wire_.empty()) return;
  keep();
  no_more_out_ = true;
  transmit();
}

}  // namespace iolite::simulated
