// The hosts of a world and the links between them: who has which address, how long a segment takes,
// what does not get through.
#pragma once
#include "iolite/clock.hpp"
#include "kernel/simulated/disk/disk.hpp"
#include "kernel/simulated/sockets/address.hpp"
#include "kernel/simulated/world/random.hpp"

#include <map>
#include <memory>
#include <vector>

namespace iolite::simulated {

class any_socket;
class process;

struct host {
  // Sockets by port.
  using port_table = std::map<std::uint16_t, std::vector<any_socket*>>;

  std::size_t number = 0;
  std::string name;
  std::vector<address> addresses;  // besides loopback
  // Of TCP, connected ones included while the port is theirs alone; of UDP.
  port_table ports, datagram_ports;
  // Unix sockets by names that are no paths: the abstract namespace, unix(7).
  std::map<std::string, any_socket*> abstract_names;
  disk storage;
  std::map<long, process*> processes;  // by pid, until they are waited for
  any_socket* sockets = nullptr;  // all of them: see any_socket::next_on_host()
  bool is_up = true;
  clock::duration clock_ahead{};  // of the world's
  clock::duration sync_max = std::chrono::milliseconds(10);  // fsync(2) takes so long at most

  [[nodiscard]] bool owns(const address& a) const noexcept;
};

struct link {
  clock::duration latency_min = std::chrono::microseconds(50);
  clock::duration latency_max = std::chrono::milliseconds(1);
  std::uint64_t bytes_per_second = 0;  // 0: no limit
};

class network {
 public:
  host& add(std::string name);
  // Whose address it is, as seen from `from`; null: nobody's.
  [[nodiscard]] host* find(const host& from, const address& to) noexcept;
  [[nodiscard]] const std::vector<std::unique_ptr<host>>& hosts() const noexcept { return hosts_; }

  void set_default(link l) noexcept { usual_ = l; }
  // Both directions.
  void set_link(const host& a, const host& b, link l);
  // Nothing gets from `from` to `to`, until it does again.
  void block(const host& from, const host& to, bool on);
  [[nodiscard]] bool blocked(const host& from, const host& to) const;
  [[nodiscard]] clock::duration latency(const host& from, const host& to, random_source& random);
  // The latency, and what `bytes` take on a link of limited bandwidth, after those before them.
  [[nodiscard]] clock::duration transit(const host& from, const host& to, std::size_t bytes,
                                        clock::time_point now, random_source& random);
  // How long it is until the link has taken `bytes`, after those before them.
  [[nodiscard]] clock::duration occupy(const host& from, const host& to, std::size_t bytes,
                                       clock::time_point now);

  // Of TCP sockets that do not set theirs, in bytes.
  std::size_t send_buffer = 2'626'560;
  std::size_t receive_buffer = 1'048'576;
  // The range of ephemeral ports.
  std::uint16_t ports_first = 32768, ports_last = 60999;
  // Sockets that are closed and have something to send yet, by a number of their own.
  std::map<std::uint64_t, std::shared_ptr<void>> lingering;
  std::uint64_t numbers = 0;

 private:
  using pair = std::pair<std::size_t, std::size_t>;
  [[nodiscard]] const link& between(const host& from, const host& to) const;
  std::vector<std::unique_ptr<host>> hosts_;
  link usual_;
  std::map<pair, link> links_;
  std::map<pair, bool> blocked_;
  std::map<pair, clock::time_point> busy_until_;
};

}  // namespace iolite::simulated
