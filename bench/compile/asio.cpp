// What bench/compile_time compiles of Asio's coroutines, the design closest to the library's: the
// same handler, only the headers that are needed.
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>

using asio::awaitable;
using asio::use_awaitable;
using asio::ip::tcp;

awaitable<void> echo(tcp::socket peer) {
  std::array<char, 4096> buffer;
  try {
    for (;;) {
      const std::size_t n = co_await peer.async_read_some(asio::buffer(buffer), use_awaitable);
      co_await asio::async_write(peer, asio::buffer(buffer, n), use_awaitable);
    }
  } catch (const std::system_error&) {
    // The end of the stream, or a reset.
  }
}

awaitable<void> accept_all(tcp::acceptor from) {
  for (;;) {
    tcp::socket peer = co_await from.async_accept(use_awaitable);
    asio::co_spawn(from.get_executor(), echo(std::move(peer)), asio::detached);
  }
}

int main(int argc, char** argv) {
  asio::io_context context(1);  // one thread: no locks
  const auto port = static_cast<unsigned short>(argc > 1 ? std::atoi(argv[1]) : 0);
  tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), port));
  acceptor.set_option(tcp::no_delay(true));  // accepted sockets inherit it
  std::printf("listening on 127.0.0.1:%d\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  asio::co_spawn(context, accept_all(std::move(acceptor)), asio::detached);
  context.run();
}
