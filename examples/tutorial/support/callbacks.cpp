// See callbacks.hpp.
#include "support/callbacks.hpp"

#include "support/options.hpp"
#include "support/sockets.hpp"

#include <array>
#include <cerrno>
#include <iolite/selector.hpp>
#include <sys/socket.h>
#include <unistd.h>

namespace tutorial {

using client = std::unique_ptr<callback_client>;
using client_selector = iolite::selector<client>;

class callback_server {
 public:
  callback_server(client_selector& selector, int listener, const std::function<client()>& make)
      : selector_(selector), listener_(listener), make_(make) {}

  void on_ready(const client_selector::ready_key& key) {
    if (key.fd == listener_) return accept();
    callback_client& c = *key.data;
    if (has(key.ready, iolite::interest::read)) receive(key.fd, c);
    if (!c.unsent_.empty()) flush(key.fd, c);
    const bool done = c.over_ && c.unsent_.empty();
    const auto wanted = c.unsent_.empty() ? iolite::interest::read : iolite::interest::write;
    if (!done && selector_.modify(key.fd, wanted)) return;
    if (selector_.remove(key.fd)) ::close(key.fd);  // in this order
  }

 private:
  void accept() {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    client made = make_();
    made->on_connected();
    if (!selector_.add(fd, iolite::interest::write, std::move(made))) ::close(fd);
  }
  static void receive(int fd, callback_client& c) {
    std::array<char, 4096> buffer;
    const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    if (n > 0) c.lines_.put({buffer.data(), static_cast<std::size_t>(n)});
    while (const auto line = c.lines_.take()) c.on_line(*line);
    c.over_ = n <= 0 || c.lines_.too_long();
  }
  static void flush(int fd, callback_client& c) {
    const ssize_t n = ::send(fd, c.unsent_.data(), c.unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) c.unsent_.erase(0, static_cast<std::size_t>(n));
    if (n >= 0 || errno == EAGAIN) return;
    c.unsent_.clear();  // nobody is left to take it
    c.over_ = true;
  }

  client_selector& selector_;
  const int listener_;
  const std::function<client()>& make_;
};

void serve_callbacks(const std::string& listen, const std::string& facility,
                     const std::function<client()>& make_client) {
  auto opened = client_selector::open(facility);
  if (!opened) fail("callbacks on " + facility + ": " + opened.error().message());
  on_stop([&] { opened->wake(); });
  const int listener = listen_on(listen);
  if (!opened->add(listener, iolite::interest::read)) fail("the listener cannot be watched");
  callback_server server(*opened, listener, make_client);
  while (!stopped()) {
    const auto ready = opened->wait();
    if (!ready) fail(ready.error().message());
    for (const auto& key : *ready) server.on_ready(key);
  }
  on_stop([] {});  // the selector goes
}

}  // namespace tutorial
