// Stream sockets, TCP and unix: states, addresses, the calls that make and end connections.
//
// TCP: what is sent becomes segments, which take their time on the wire and arrive in order; the
// receiver's window and the sender's buffer bound what is on its way (see transfer.cpp). Unix: what
// is sent is at once in the peer's queue, and takes up the sender's buffer until it is read.
//
// Not in it: urgent data, passing descriptors, TIME_WAIT.
#pragma once
#include "kernel/simulated/sockets/any_socket.hpp"
#include "kernel/simulated/sockets/bytes.hpp"

#include <deque>
#include <utility>

namespace iolite::simulated {

class socket_file final : public any_socket {
 public:
  socket_file(site& of, int domain) noexcept;
  ~socket_file() override;
  static void join_unix(const std::shared_ptr<socket_file>& a,
                        const std::shared_ptr<socket_file>& b);

  [[nodiscard]] short readiness() const override;
  [[nodiscard]] std::string describe() const override;
  void closed() override;
  void vanish() override;
  long read(std::span<std::byte> into) override { return receive(into, 0, nullptr); }
  long write(std::span<const std::byte> from) override { return send(from, nullptr); }

  // --- socket_file.cpp ---
  int bind(const address& at) override;
  int listen(int backlog) override;
  int connect(const address& to) override;
  [[nodiscard]] std::shared_ptr<any_socket> accept() override;
  [[nodiscard]] int may_accept(bool waits) const override {
    const bool in_vain = waits && no_more_in_ && accepted_.empty();  // shutdown(2)
    return stage_ == stage::listening && !in_vain ? 0 : -EINVAL;
  }
  [[nodiscard]] bool is_fresh() const override { return stage_ == stage::fresh; }
  int shutdown(int how) override;
  [[nodiscard]] const address* peer() const override {
    return stage_ == stage::connected && !has_ended_both_ways() ? &peer_ : nullptr;
  }

  // --- transfer.cpp ---
  [[nodiscard]] std::size_t bytes_arrived() const override { return received_.size(); }
  [[nodiscard]] std::size_t bytes_unsent() const override { return unsent_.size() + in_flight_; }
  long receive(std::span<std::byte> into, int flags, address* from) override;
  long send(std::span<const std::byte> from, const address* to) override;

 private:
  enum class stage : std::uint8_t { fresh, listening, connecting, connected, failed };
  struct segment {
    std::vector<std::byte> bytes;
    bool end = false;  // FIN
    bool reset = false;  // RST
    bool answers_end = false;  // sent after the peer's end had come: acknowledges it
  };
  using shared = std::shared_ptr<socket_file>;

  // Between unix sockets, only after a send that found no room: unix_poll() in Linux tells nobody.
  bool tells_of_room() override { return !is_unix() || std::exchange(send_found_none_, false); }
  [[nodiscard]] shared self() { return std::static_pointer_cast<socket_file>(shared_from_this()); }
  // A connected one shares its port with the listener that it came from.
  [[nodiscard]] bool guards_port() const override { return stage_ != stage::connected; }
  [[nodiscard]] std::size_t usual_buffer(int name) const override;

  // --- socket_file.cpp ---
  int bind_path(const address& at);
  int bind_abstract(const address& at);
  int bind_somewhere();
  int find_bound(const address& to, socket_file*& out) const;
  int connect_unix(const address& to);
  [[nodiscard]] bool queue_is_full() const noexcept {
    return accepted_.size() + opening_ > backlog_;
  }
  void leave_names();
  [[nodiscard]] int listener_readiness() const;
  int shut_down_listener(int how);
  void close_listener();

  // --- handshake.cpp: TCP's ---
  void send_opening(int tries);
  void opening_arrives(const shared& client, host& server, int tries);
  void established(const shared& child);
  void fail(int error);
  [[nodiscard]] static socket_file* listener_at(host& at, const address& to, random_source& random);
  [[nodiscard]] shared make_child(const shared& client);

  // --- transfer.cpp ---
  [[nodiscard]] std::size_t visible() const noexcept { return received_.size() - hidden_; }
  [[nodiscard]] std::size_t held() const noexcept;  // of the sender's buffer
  [[nodiscard]] std::size_t on_their_way() const noexcept;
  std::size_t send_unix(std::span<const std::byte> from);
  void let_go_of_buffers(std::size_t bytes_read);
  [[nodiscard]] bool is_writable() const noexcept;
  void hide(std::size_t bytes);
  void choke();
  void was_read(std::size_t bytes);
  void transmit();
  void put_on_wire(segment s);
  void segment_is_due();
  void try_again(int tries);
  void arrives(segment s);
  void acknowledged(std::size_t bytes);
  void end_arrives();
  void end_is_acknowledged();
  // Linux has forgotten the connection: TCP_CLOSE.
  [[nodiscard]] bool has_ended_both_ways() const noexcept {
    return !is_unix() && end_received_ && end_acknowledged_;
  }
  void reset_arrives(int error);
  void send_reset();
  void keep();
  void let_go();

  stage stage_ = stage::fresh;
  address peer_;
  bool untold_ = false;  // connected, and connect(2) has not said so yet
  mutable bool wants_room_ = false;  // somebody has seen that it is not writable

  disk::content path_file_;  // unix: that bind(2) has made

  // Listening.
  std::size_t backlog_ = 0;
  std::size_t opening_ = 0;  // on their way into the queue
  std::deque<shared> accepted_;

  // Connected.
  std::weak_ptr<socket_file> other_;
  host* there_ = nullptr;
  bool no_more_in_ = false;  // the peer's end has come, or shutdown(SHUT_RD)
  bool no_more_out_ = false;  // shutdown(SHUT_WR)
  bool end_received_ = false;
  byte_queue received_;
  // Unix: what was sent at once is one buffer of the kernel, and takes up the sender's room until
  // all of it is read.
  struct buffer {
    std::size_t bytes, cost;
  };
  std::deque<buffer> buffers_;
  std::size_t charged_ = 0;  // their cost
  std::size_t hidden_ = 0;  // at the end of received_: readers do not see them yet
  bool choked_ = false;  // no room for the moment
  bool send_found_none_ = false;
  bool closed_ = false;  // no descriptor is left: it goes on until all is sent
  std::uint64_t number_ = 0;  // among those that go on; 0: it does not

  // On the way to the peer.
  byte_queue unsent_;
  std::size_t unacknowledged_ = 0;
  std::size_t in_flight_ = 0;
  bool end_sent_ = false;
  bool end_acknowledged_ = false;
  std::deque<segment> wire_;
  clock::time_point last_arrival_ = timeline::start;
  bool held_up_ = false;  // the link is down: the first of wire_ is tried again
  std::size_t due_ = 0;  // segments whose time came meanwhile
  bool looks_soon_ = false;  // transmit() is on the timeline
};

}  // namespace iolite::simulated
