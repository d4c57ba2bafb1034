// An RPC client: any number of tasks call at a time, over one connection, which is made again when
// it is lost. A call is bounded or cancelled like any other task.
#pragma once
#include "rpc_line.hpp"

#include <iolite/iolite.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>

class rpc_client {
 public:
  using answer = iolite::result<std::string>;
  explicit rpc_client(iolite::endpoint server, unsigned seed = 1) : server_(server), dice_(seed) {}

  // Runs beside the calls until it is cancelled. After a failure it waits for 50 to 100 ms, then
  // twice as long each time up to 5 s: the clients of a server do not all come back at once.
  iolite::task<> keep_connected() {
    using namespace std::chrono_literals;
    for (auto pause = 100ms;; pause = std::min(2 * pause, 5000ms)) {
      auto server = co_await iolite::stream::connect(server_, 2s);
      if (server) {
        static_cast<void>(server->set_user_timeout(10s));  // a host that has vanished is noticed
        co_await use(*server);
        pause = 50ms;
      }
      const auto slept = co_await iolite::sleep(pause * (100 + dice_() % 101) / 200);
      if (!slept) co_return;  // cancelled
    }
  }
  // Waits for a connection, asks, waits for the answer. errc::closed: the connection was lost, and
  // whether the server has done the work is not known. Cancelled or timed out, it tells the server
  // to stop. Any task and thread.
  iolite::task<answer> call(std::string text) {
    if (text.contains('\n'))
      co_return std::unexpected(std::make_error_code(std::errc::invalid_argument));
    const auto up = co_await up_.wait();
    if (!up) co_return std::unexpected(up.error());
    const auto [out, id, reply] = enlist();
    if (!out) co_return std::unexpected(make_error_code(iolite::errc::closed));  // lost again
    const auto sent = co_await out->send(iolite::message(std::to_string(id) + " " + text + "\n"));
    if (!sent) co_return std::unexpected(sent.error());
    auto got = co_await reply->receive();
    if (!got && take(id)) out->try_send(iolite::message(std::to_string(id) + "\n"));
    co_return got;
  }

 private:
  using oneshot = iolite::oneshot<std::string>;
  struct entry {
    std::shared_ptr<iolite::outbox> out;
    std::uint64_t id;
    std::shared_ptr<oneshot> reply;
  };
  entry enlist() {
    const std::lock_guard hold(lock_);
    entry made{out_, ++last_id_, std::make_shared<oneshot>()};
    if (out_) waiting_.emplace(made.id, made.reply);
    return made;
  }
  std::shared_ptr<oneshot> take(std::uint64_t id) {
    const std::lock_guard hold(lock_);
    auto found = waiting_.extract(id);
    return found ? found.mapped() : nullptr;
  }
  iolite::task<> use(iolite::stream& server) {
    const auto out = std::make_shared<iolite::outbox>(1000, 1 << 20);
    become(out);
    co_await iolite::when_any(receive(server), out->deliver_to(server, std::chrono::seconds(10)));
    become(nullptr);
  }
  iolite::task<> receive(iolite::stream& server) {
    iolite::lines in(server);
    while (const auto line = co_await in.receive()) {
      const auto m = rpc_line::parse(*line);
      if (!m || !m->text) co_return;  // not the protocol: hang up
      if (const auto reply = take(m->call)) reply->send(std::string(*m->text));
    }
  }
  // Another connection, or none. Whoever waited for answers over the old one waits in vain.
  void become(std::shared_ptr<iolite::outbox> out) {
    const std::lock_guard hold(lock_);
    out_ = std::move(out);
    for (const auto& [id, reply] : std::exchange(waiting_, {})) reply->close();
    if (out_) up_.set();
    else up_.reset();
  }

  const iolite::endpoint server_;
  std::minstd_rand dice_;
  iolite::event up_;  // there is a connection
  std::mutex lock_;  // under a blocking engine each call is a thread
  std::shared_ptr<iolite::outbox> out_;
  std::map<std::uint64_t, std::shared_ptr<oneshot>> waiting_;
  std::uint64_t last_id_ = 0;
};
