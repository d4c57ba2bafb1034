// What all sockets have in common: addresses and ports, options, the calls as a process and a ring
// make them. The kinds are socket_file (streams) and datagram_file.
//
// Not in it: paths, which only unix streams have here; what a socket holds, and when it is ready.
#pragma once
#include "kernel/simulated/descriptors/file.hpp"

#include <map>
#include <utility>

namespace iolite::simulated {

class any_socket : public file {
 public:
  any_socket(site& of, int domain, int type) noexcept;
  ~any_socket() override;

  [[nodiscard]] bool may_seem_ready() const noexcept override { return true; }
  [[nodiscard]] bool sends_signals() const noexcept override { return true; }
  void about(struct stat& out) const override;
  [[nodiscard]] unsigned mode_type() const noexcept override { return S_IFSOCK; }
  // Its host has crashed.
  virtual void vanish() = 0;
  [[nodiscard]] any_socket* next_on_host() const noexcept { return next_on_host_; }
  [[nodiscard]] int type() const noexcept { return type_; }  // SOCK_STREAM or SOCK_DGRAM
  [[nodiscard]] const address& local() const noexcept { return local_; }
  [[nodiscard]] virtual const address* peer() const = 0;  // null: it has none

  // --- as the calls of these names; -EAGAIN where they would wait ---
  virtual int bind(const address& at);
  virtual int listen(int) { return -EOPNOTSUPP; }
  virtual int connect(const address& to) = 0;
  // connect(2) to AF_UNSPEC: only datagram sockets have it here.
  virtual int disconnect() { return is_unix() ? -EINVAL : -EAFNOSUPPORT; }
  // The next connection, not yet with a descriptor.
  [[nodiscard]] virtual std::shared_ptr<any_socket> accept() { return nullptr; }
  // -EINVAL, -EOPNOTSUPP: accept(2) makes no sense in this state, or could only wait for ever.
  [[nodiscard]] virtual int may_accept(bool) const { return -EOPNOTSUPP; }
  [[nodiscard]] bool is_listening() const { return may_accept(false) == 0; }
  [[nodiscard]] virtual bool is_fresh() const = 0;  // was never connected
  virtual int shutdown(int how) = 0;
  [[nodiscard]] virtual std::size_t bytes_arrived() const = 0;  // FIONREAD
  [[nodiscard]] virtual std::size_t bytes_unsent() const { return 0; }  // SIOCOUTQ
  // MSG_PEEK, MSG_TRUNC, MSG_DONTWAIT; tells in `from` whom it is from, where recvfrom(2) does.
  virtual long receive(std::span<std::byte> into, int flags, address* from) = 0;
  virtual long send(std::span<const std::byte> from, const address* to) = 0;
  // Before a send, which may wait: inet_send_prepare() in Linux.
  virtual int prepare_to_send() { return 0; }

  // --- options.cpp ---
  int set_option(int level, int name, const void* value, socklen_t bytes);
  int get_option(int level, int name, void* value, socklen_t* bytes);
  [[nodiscard]] std::size_t buffer_bytes(int name) const;  // SO_SNDBUF, SO_RCVBUF

 protected:
  int bind_port(const address& at);
  void leave_ports();
  // The wildcard means this host: ip(7).
  [[nodiscard]] address meant_by(const address& to) const;
  // What `from` is when a socket that is bound to no address sends to `there` (null: nobody).
  // False: there is no way.
  [[nodiscard]] bool choose_source(const address& to, const host* there, address& from) const;
  // Does it keep others from its port, at all?
  [[nodiscard]] virtual bool guards_port() const { return true; }
  [[nodiscard]] virtual std::size_t usual_buffer(int name) const = 0;
  [[nodiscard]] bool has_option(int level, int name) const;

  [[nodiscard]] int domain() const noexcept { return domain_; }
  [[nodiscard]] bool is_unix() const noexcept { return domain_ == AF_UNIX; }
  [[nodiscard]] int take_error() noexcept { return std::exchange(error_, 0); }
  [[nodiscard]] bool wrong(fault_kind k) { return world().goes_wrong(k, of().number); }
  [[nodiscard]] clock::duration a_little_later();  // after a fault

  address local_;
  bool bound_ = false;
  int error_ = 0;  // SO_ERROR
  std::map<std::pair<int, int>, int> options_;  // by level and name
  int linger_seconds_ = -1;  // -1: off

 private:
  [[nodiscard]] host::port_table& ports() const noexcept;
  [[nodiscard]] int protocol() const noexcept;
  [[nodiscard]] int free_port(const address& at) const;
  [[nodiscard]] bool port_taken(const address& at) const;

  const int domain_, type_;
  any_socket *next_on_host_ = nullptr, *previous_on_host_ = nullptr;
};

}  // namespace iolite::simulated
