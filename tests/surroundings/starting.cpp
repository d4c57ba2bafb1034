// The start of a server, call by call: clients and other servers come at any moment of it.
#include "models_here.hpp"

#include "kernel/kernel.hpp"
#include "models/backends.hpp"
#include "serve/server.hpp"
#include "support/model_names.hpp"
#include "support/sockets.hpp"
#include "support/streams.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <thread>

namespace iolite_test {
namespace {

using namespace iolite;

// The system's kernel, with somebody who acts before and after each call.
class watched_kernel final : public kernel {
 public:
  using actor = std::function<void(call, const call_args&)>;
  watched_kernel(actor before, actor after)
      : before_(std::move(before)), after_(std::move(after)) {}
  clock::time_point now() noexcept override { return real().now(); }
  kernel& undecorated() noexcept override { return real(); }
  long invoke(call c, const call_args& a) noexcept override {
    if (before_) before_(c, a);
    const long r = real().invoke(c, a);
    if (after_ && r >= 0) after_(c, a);
    return r;
  }

 private:
  const actor before_, after_;
};

// A server in a thread of this process, on a kernel; until the end of this object.
class running {
 public:
  running(kernel& os, const std::string& model, const endpoint& at) {
    serve_options o;
    o.model = model;
    o.listen = {at.to_string()};
    o.workers = 2;
    o.signals = false;
    o.stop = &stop_;
    std::promise<bool> up;
    o.on_listening = [&](const model_choice&, const std::vector<endpoint>&) { up.set_value(true); };
    thread_ = std::thread([&os, &up, o] {
      const auto r = std::make_shared<server>(os, echo, o, choose(o.model).value())->run();
      if (!r) up.set_value(false);
    });
    listens_ = up.get_future().get();
  }
  running(const running&) = delete;
  running& operator=(const running&) = delete;
  ~running() {
    stop_.request();
    thread_.join();
  }
  [[nodiscard]] bool listens() const noexcept { return listens_; }

 private:
  serve_stop stop_;
  std::thread thread_;
  bool listens_ = false;
};

class starting : public testing::TestWithParam<std::string> {};

TEST_P(starting, a_client_that_is_let_in_is_served) {
  const endpoint at = unused_address();
  std::vector<raw_socket> clients;
  watched_kernel os({}, [&](call c, const call_args&) {
    raw_socket client;
    if (c != call::listen || raw_socket::try_connect(at, client) != 0) return;
    EXPECT_TRUE(client.send_all("x"));
    clients.push_back(std::move(client));
  });
  const running server(os, GetParam(), at);
  ASSERT_TRUE(server.listens());
  EXPECT_FALSE(clients.empty());
  for (const raw_socket& client : clients) {
    int error = 0;
    std::string got;
    try {
      got = client.recv_some(1);
    } catch (const std::system_error& e) {
      error = e.code().value();
    }
    EXPECT_EQ(got, "x") << "it is let in and not served, error " << error;
  }
}

// At the n-th call that binds.
TEST_P(starting, of_two_servers_that_start_at_the_same_time_one_gets_the_port) {
  for (int moment = 1, reached = 1; reached == moment; ++moment) {
    const endpoint at = unused_address();
    std::unique_ptr<running> other;
    reached = 0;
    watched_kernel os(
        [&](call c, const call_args&) {
          if (c != call::bind || reached == moment || ++reached != moment) return;
          other = std::make_unique<running>(kernel::real(), GetParam(), at);
        },
        {});
    const running server(os, GetParam(), at);
    EXPECT_FALSE(server.listens() && other && other->listens())
        << "both have the port, the other one since bind number " << moment;
    EXPECT_TRUE(server.listens() || (other && other->listens()));
  }
}

INSTANTIATE_TEST_SUITE_P(surroundings, starting,
                         testing::ValuesIn(those_here({"epoll/pool", "io_uring/pool",
                                                       "epoll/prefork", "io_uring/prefork",
                                                       "blocking/prefork"})),
                         name_by_model);

}  // namespace
}  // namespace iolite_test
