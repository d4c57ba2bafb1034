// UDP: udp(7). A datagram is taken whole or not at all, and travels by itself: what one socket
// sends to one host arrives in order, but for what the faults lose, double or let others overtake.
//
// Nothing tells the sender what has become of it, but for one case: a connected socket learns that
// nobody listens where it sends to, ECONNREFUSED, once for each answer.
//
// Not in it: unix datagrams, broadcast and multicast, recvmsg(2) and what only it tells,
// IP_RECVERR, parts that are collected (MSG_MORE), fragments that are lost one by one.
#pragma once
#include "kernel/simulated/sockets/any_socket.hpp"

#include <deque>
#include <optional>

namespace iolite::simulated {

class datagram_file final : public any_socket {
 public:
  datagram_file(site& of, int domain) noexcept : any_socket(of, domain, SOCK_DGRAM) {}

  [[nodiscard]] short readiness() const override;
  [[nodiscard]] std::string describe() const override;
  void closed() override;
  void vanish() override;
  long read(std::span<std::byte> into) override;
  long write(std::span<const std::byte> from) override { return send(from, nullptr); }

  int bind(const address& at) override;
  int connect(const address& to) override;
  int disconnect() override;
  [[nodiscard]] bool is_fresh() const override { return !peer_; }
  int shutdown(int how) override;
  [[nodiscard]] const address* peer() const override { return peer_ ? &*peer_ : nullptr; }
  [[nodiscard]] std::size_t bytes_arrived() const override;
  long receive(std::span<std::byte> into, int flags, address* from) override;
  long send(std::span<const std::byte> from, const address* to) override;
  int prepare_to_send() override;

 private:
  struct datagram {
    address from, to;
    std::vector<std::byte> bytes;
  };
  struct packet {
    datagram what;
    host *origin, *there;
    std::weak_ptr<datagram_file> sender;
  };

  [[nodiscard]] std::size_t usual_buffer(int) const override { return 212'992; }  // rmem_default
  [[nodiscard]] std::shared_ptr<datagram_file> self() {
    return std::static_pointer_cast<datagram_file>(shared_from_this());
  }
  [[nodiscard]] bool is_writable() const;
  int find_way(const address& to, host*& there, address& from) const;
  void take(datagram d);
  void hide();
  void choke();

  // --- datagram_net.cpp: on the way ---
  void put_on_wire(datagram d, host& there);
  void has_left(std::size_t cost);
  void was_refused(const datagram& d);
  static void arrives(machine& world, packet p);
  static void refuse(machine& world, const packet& p);
  [[nodiscard]] static datagram_file* receiver(const host& at, const datagram& d);
  [[nodiscard]] int fitness(const datagram& d) const;
  static void note_lost(machine& world, const datagram& d, std::string_view why);
  // What it takes of a buffer. The rest is about what Linux needs to keep a small one.
  [[nodiscard]] static std::size_t cost_of(std::size_t bytes) noexcept { return bytes + 768; }

  std::optional<address> peer_;
  bool keeps_address_ = false, keeps_port_ = false;  // that bind(2) has named
  bool no_more_in_ = false, no_more_out_ = false;  // shutdown(2)

  std::deque<datagram> received_;
  std::size_t queued_ = 0;  // of the receive buffer
  bool hidden_ = false;  // a reader does not see it yet

  std::size_t held_ = 0;  // of the send buffer: what the link has not taken yet
  bool choked_ = false;  // no room for the moment
  mutable bool wants_room_ = false;  // somebody has seen that it is not writable
  std::map<const host*, clock::time_point> last_arrival_;
};

}  // namespace iolite::simulated
