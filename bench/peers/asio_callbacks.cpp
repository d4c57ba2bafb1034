// Asio's callbacks: an object for each connection, kept by the handlers that wait. Practice: Asio
// manual, Tutorial Daytime.3 (sessions held by shared_from_this) and the C++11 echo and chat
// examples; handlers' memory is recycled by Asio itself ("Custom Memory Allocation"); a
// concurrency hint of 1 for one thread ("Concurrency Hints"). With --threads an io_context and a
// listener in each ("HTTP Server 2"). With --fan each subscriber has a queue, as in the chat
// example.
#include "../loops/listening.h"

#include <asio/basic_socket_acceptor.hpp>
#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>
#include <asio/write.hpp>

#include <deque>
#include <memory>
#include <thread>
#include <unordered_set>
#include <vector>

using protocol = asio::generic::stream_protocol;  // TCP and unix sockets alike
using acceptor = asio::basic_socket_acceptor<protocol>;

namespace {

class echo_session : public std::enable_shared_from_this<echo_session> {
 public:
  echo_session(protocol::socket peer, std::size_t bytes)
      : peer_(std::move(peer)), bytes_(bytes),
        buffer_(std::make_unique_for_overwrite<char[]>(bytes)) {}
  void receive() {
    peer_.async_read_some(asio::buffer(buffer_.get(), bytes_),
                          [self = shared_from_this()](std::error_code e, std::size_t n) {
                            if (!e) self->send(n);
                          });
  }

 private:
  void send(std::size_t n) {
    asio::async_write(peer_, asio::buffer(buffer_.get(), n),
                      [self = shared_from_this()](std::error_code e, std::size_t) {
                        if (!e) self->receive();
                      });
  }

  protocol::socket peer_;
  const std::size_t bytes_;
  const std::unique_ptr<char[]> buffer_;
};

class fan_session;
using message = std::shared_ptr<const std::vector<char>>;
using room = std::unordered_set<std::shared_ptr<fan_session>>;

class fan_session : public std::enable_shared_from_this<fan_session> {
 public:
  fan_session(protocol::socket peer, std::size_t bytes, room& all)
      : peer_(std::move(peer)), buffer_(bytes), all_(all) {}
  void receive() {
    peer_.async_read_some(asio::buffer(buffer_),
                          [self = shared_from_this()](std::error_code e, std::size_t n) {
                            if (e) {
                              self->all_.erase(self);
                              return;
                            }
                            self->publish(n);
                            self->receive();
                          });
  }

 private:
  void publish(std::size_t n) {
    const auto text = std::make_shared<const std::vector<char>>(
        buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(n));
    for (const auto& other : all_)
      if (other.get() != this) other->deliver(text);
  }
  void deliver(const message& m) {
    waiting_.push_back(m);
    if (waiting_.size() == 1) send();
  }
  void send() {
    asio::async_write(peer_, asio::buffer(*waiting_.front()),
                      [self = shared_from_this()](std::error_code e, std::size_t) {
                        if (e) return;
                        self->waiting_.pop_front();
                        if (!self->waiting_.empty()) self->send();
                      });
  }

  protocol::socket peer_;
  std::vector<char> buffer_;
  std::deque<message> waiting_;  // the first of them is being sent
  room& all_;
};

class server {
 public:
  server(asio::io_context& context, int listener, const arguments& a)
      : acceptor_(context, protocol(is_unix(&a) ? AF_UNIX : AF_INET, 0), listener), arguments_(a) {}
  void accept() {
    acceptor_.async_accept([this](std::error_code e, protocol::socket peer) {
      if (!e) begin(std::move(peer));
      accept();
    });
  }

 private:
  void begin(protocol::socket peer) {
    const std::size_t bytes = arguments_.buffer_bytes;
    if (arguments_.fan) {
      const auto s = std::make_shared<fan_session>(std::move(peer), bytes, room_);
      room_.insert(s);
      s->receive();
    } else {
      std::make_shared<echo_session>(std::move(peer), bytes)->receive();
    }
  }

  acceptor acceptor_;
  room room_;
  const arguments& arguments_;
};

void run(int listener, const arguments& a) {
  asio::io_context context(1);
  server s(context, listener, a);
  s.accept();
  context.run();
}

}  // namespace

int main(int argc, char** argv) {
  const arguments a = read_arguments(argc, argv, knows_fan | knows_threads);
  std::vector<int> listeners(static_cast<std::size_t>(a.threads));
  listen_each(&a, 0, listeners.data());
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < listeners.size(); ++i)
    others.emplace_back([&a, fd = listeners[i]] { run(fd, a); });
  run(listeners[0], a);
}
