// Asio's C++20 coroutines: a coroutine for each connection, awaiting async_read_some() and
// async_write() with use_awaitable. Practice: Asio manual, "C++20 Coroutines Support" and its echo
// server; a concurrency hint of 1 for one thread ("Concurrency Hints"). With --threads an
// io_context and a listener in each ("HTTP Server 2": an io_context per CPU).
#include "../loops/listening.h"

#include <asio/awaitable.hpp>
#include <asio/basic_socket_acceptor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <memory>
#include <thread>
#include <vector>

using asio::awaitable;
using asio::use_awaitable;
using protocol = asio::generic::stream_protocol;  // TCP and unix sockets alike
using acceptor = asio::basic_socket_acceptor<protocol>;

namespace {

awaitable<void> echo(protocol::socket peer, std::size_t bytes) {
  const auto buffer = std::make_unique_for_overwrite<char[]>(bytes);
  try {
    for (;;) {
      const std::size_t n =
          co_await peer.async_read_some(asio::buffer(buffer.get(), bytes), use_awaitable);
      co_await asio::async_write(peer, asio::buffer(buffer.get(), n), use_awaitable);
    }
  } catch (const std::system_error&) {
    // The end of the stream, or a reset.
  }
}

awaitable<void> accept_all(acceptor from, std::size_t bytes) {
  for (;;) {
    protocol::socket peer = co_await from.async_accept(use_awaitable);
    asio::co_spawn(from.get_executor(), echo(std::move(peer), bytes), asio::detached);
  }
}

void run(int listener, const arguments& a) {
  asio::io_context context(1);
  acceptor from(context, protocol(is_unix(&a) ? AF_UNIX : AF_INET, 0), listener);
  asio::co_spawn(context, accept_all(std::move(from), a.buffer_bytes), asio::detached);
  context.run();
}

}  // namespace

int main(int argc, char** argv) {
  const arguments a = read_arguments(argc, argv, knows_threads);
  std::vector<int> listeners(static_cast<std::size_t>(a.threads));
  listen_each(&a, 0, listeners.data());
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < listeners.size(); ++i)
    others.emplace_back([&a, fd = listeners[i]] { run(fd, a); });
  run(listeners[0], a);
}
