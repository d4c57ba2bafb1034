// The server of rpc_client.hpp: the calls of a connection run side by side, each as a task that can
// be cancelled alone, and are answered in the order in which they end.
#pragma once
#include "rpc_line.hpp"

#include <iolite/iolite.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <utility>

class rpc_server {
 public:
  // The answer to a text, without an LF. An error is answered as `failed: ...`, but for that of a
  // call that was cancelled, which its operations end with.
  using method = std::function<iolite::task<iolite::result<std::string>>(std::string)>;
  explicit rpc_server(method m) : method_(std::move(m)) {}

  // A handler. A client that does not take its answers for ten seconds is let go.
  iolite::task<> operator()(iolite::stream client) const {
    iolite::outbox out(1000, 1 << 20);
    iolite::semaphore room(calls_max);
    co_await iolite::in_scope([&](iolite::scope& calls) -> iolite::task<> {
      calls.spawn(serve(client, calls, room, out));
      const auto delivered = co_await out.deliver_to(client, std::chrono::seconds(10));
      if (!delivered) calls.cancel();
    });
    co_await client.finish(std::chrono::seconds(1));
  }

 private:
  static constexpr std::size_t calls_max = 256;  // at a time; further ones wait in the socket
  using running = std::map<std::uint64_t, iolite::task_handle<>>;
  struct closer {  // of an outbox, also when something throws: its delivery waits for that
    explicit closer(iolite::outbox& o) : out(o) {}
    closer(const closer&) = delete;
    ~closer() { out.close(); }
    iolite::outbox& out;
  };

  iolite::task<> serve(iolite::stream& client, iolite::scope& calls, iolite::semaphore& room,
                       iolite::outbox& out) const {
    const closer at_end(out);
    running all;
    const std::error_code why = co_await start_calls(client, calls, room, out, all);
    for (auto& [id, call] : all) {
      if (why != iolite::errc::end_of_stream) call.cancel();  // nobody is there for its answer
      co_await call;
    }
  }
  iolite::task<std::error_code> start_calls(iolite::stream& client, iolite::scope& calls,
                                            iolite::semaphore& room, iolite::outbox& out,
                                            running& all) const {
    iolite::lines in(client);
    for (;;) {
      const auto line = co_await in.receive();
      if (!line) co_return line.error();
      const auto m = rpc_line::parse(*line);
      if (!m) co_return std::make_error_code(std::errc::protocol_error);
      std::erase_if(all, [](const auto& call) { return call.second.done(); });
      const auto found = all.find(m->call);
      if (found != all.end()) found->second.cancel();
      if (!m->text) continue;
      if (found != all.end()) co_return std::make_error_code(std::errc::protocol_error);
      std::string text(*m->text);
      auto permit = co_await room.acquire();
      if (!permit) co_return permit.error();
      all.emplace(m->call, calls.spawn(answer(m->call, std::move(text), out, std::move(*permit))));
    }
  }
  iolite::task<> answer(std::uint64_t id, std::string text, iolite::outbox& out,
                        [[maybe_unused]] iolite::semaphore::permit until_its_end) const {
    std::string said;
    try {
      const auto answer = co_await method_(std::move(text));
      if (!answer && answer.error() == std::errc::operation_canceled) co_return;
      said = answer ? *answer : "failed: " + answer.error().message();
    } catch (const std::exception& e) {
      said = "failed: " + iolite::one_line(e.what());
    }
    static_cast<void>(co_await out.send(iolite::message(std::to_string(id) + " " + said + "\n")));
  }

  method method_;
};
