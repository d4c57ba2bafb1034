// A TCP proxy: carries each connection to one server, and what that answers back.
//
// The two directions end one after the other, as TCP's do: when the client has ended its side, the
// server still gets the rest and may go on answering. Three limits bound a session: the time to
// connect, the time without a byte in either direction, and the time it may last in all.
#pragma once
#include <iolite/iolite.hpp>

#include <chrono>
#include <functional>
#include <string>

struct proxy {
  iolite::endpoint upstream;
  iolite::clock::duration connect_limit = std::chrono::seconds(5);
  iolite::relay_limits limits = {.half_closed = std::chrono::minutes(1)};
  std::function<void(const std::string&)> log = [](const std::string&) {};  // from any thread

  // A handler. Returning closes both connections, and so each side learns of the other's end.
  iolite::task<> operator()(iolite::stream client) const {
    const std::string who = client.peer().to_string();
    auto server = co_await iolite::stream::connect(upstream, connect_limit);
    if (!server) {
      log(who + ": cannot reach " + upstream.to_string() + ": " + server.error().message());
      co_return;
    }
    const iolite::relayed moved = co_await iolite::relay(client, *server, limits);
    log(who + ": " + std::to_string(moved.to_second) + " bytes up, " +
        std::to_string(moved.to_first) + " down" +
        (moved.error ? ": " + moved.error.message() : std::string()));
  }
};
