// A client's pool of connections: tasks borrow one, ask, and give it back.
//
// To connect costs a round trip, and a server can serve only so many. So a few connections are made
// when first needed, and used again and again. Who finds all of them lent waits for one to come
// back. A connection may break while nobody looks: it is replaced, and the request asked again,
// which is right only for what may be asked twice. A new one that fails at once is an error.
// Try it against thread_per_connection: any server that gives lines back, in whatever case.
#include "support/engines.hpp"
#include "support/lines.hpp"
#include "support/options.hpp"

#include <algorithm>
#include <atomic>
#include <fmt/core.h>
#include <iolite/iolite.hpp>
#include <stdexcept>
#include <unistd.h>

namespace {

// Under `--model blocking` each task is a thread: what they share is channels and atomic counts.
struct connection_pool {
  using lent = std::pair<iolite::stream, bool>;  // and whether it is new
  const iolite::endpoint to;
  iolite::channel<int> taken;  // an entry for each that is lent: when it is full, who sends waits
  iolite::channel<int> idle;  // the descriptors of those that came back
  std::atomic<int> made = 0, broken = 0, waits = 0;

  connection_pool(iolite::endpoint at, std::size_t most) : to(at), taken(most), idle(most) {}
  ~connection_pool() {
    while (const auto connection = idle.try_receive()) ::close(*connection);
  }

  iolite::task<lent> borrow() {
    if (!taken.try_send(0)) {
      ++waits;
      static_cast<void>(co_await taken.send(0));  // it is never closed
    }
    const auto here = co_await iolite::here();  // a stream belongs to the engine that it is used on
    if (const auto old = idle.try_receive())
      co_return lent{iolite::stream(*here.on, *old, true), false};
    auto connected = co_await iolite::stream::connect(to, std::chrono::seconds(5));
    if (!connected) {
      static_cast<void>(taken.try_receive());
      throw std::system_error(connected.error(), "cannot connect");
    }
    ++made;
    co_return lent{std::move(*connected), true};
  }
  void give_back(iolite::stream connection, bool good) {
    if (good) idle.try_send(connection.release());
    else ++broken;
    connection.close();  // first: who waits makes another at once
    static_cast<void>(taken.try_receive());
  }
};

// False: broken, or out of step. Either way the connection is good for nothing more.
iolite::task<bool> ask(iolite::stream& server, std::string line) {
  if (!co_await server.send_all(line)) co_return false;
  tutorial::line_reader from(server);
  const auto answer = co_await from.next();
  co_return answer.has_value() && tutorial::upper(*answer + "\n") == tutorial::upper(line);
}

iolite::task<> ask_all(connection_pool& pool, std::string name, int requests) {
  for (int answered = 0; answered < requests;) {
    auto [connection, is_new] = co_await pool.borrow();
    const bool good = co_await ask(connection, fmt::format("{} asks {}\n", name, answered + 1));
    pool.give_back(std::move(connection), good);
    if (!good && is_new) throw std::runtime_error("the server breaks new connections");
    if (good) ++answered;
  }
}

iolite::task<> run(connection_pool& pool, int tasks, int requests) {
  co_await iolite::in_scope([&](iolite::scope& all) -> iolite::task<> {
    for (int i = 1; i <= tasks; ++i) all.spawn(ask_all(pool, fmt::format("task {}", i), requests));
    co_return;
  });  // rethrows what the first of them threw
}

}  // namespace

int main(int argc, char** argv) {
  std::string to = "127.0.0.1:7000", model = "auto";
  int connections = 3, tasks = 10, requests = 5;
  tutorial::parse(argc, argv, "many tasks share a few connections to a server of lines",
                  {{"--to", &to, "the server"},
                   {"--model", &model, "of I/O"},
                   {"--connections", &connections, "that may be open at a time"},
                   {"--tasks", &tasks, "at a time"},
                   {"--requests", &requests, "of each task"}});
  const auto engine = tutorial::engine_of(model);
  connection_pool pool(tutorial::endpoint_of(to),
                       static_cast<std::size_t>(std::max(connections, 1)));
  tutorial::run_on(*engine, run(pool, tasks, requests));
  fmt::print("{} tasks, {} requests each: all answered\n"
             "{} connections made, {} broke and were replaced, {} times a task had to wait\n",
             tasks, requests, +pool.made, +pool.broken, +pool.waits);
}
