// Scenarios of serve(): each placement, with a peer that gives up soon, and a stop.
#include "pieces.hpp"

#include "serve/server.hpp"

#include <array>
#include <memory>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace iolite_test {
namespace {

using namespace iolite;

// The other side allocates nothing and waits for nothing long: plain calls.
void visit(const endpoint& at) noexcept {
  const int fd = ::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const timeval limit{0, 15'000};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  char answer[8];
  const auto* to = static_cast<const sockaddr*>(at.native());
  if (::connect(fd, to, static_cast<socklen_t>(at.native_bytes())) == 0 &&
      ::send(fd, "question", 8, MSG_NOSIGNAL) == 8) {
    static_cast<void>(::recv(fd, answer, sizeof answer, MSG_WAITALL));
  }
  ::close(fd);
}

task<> answer_once(stream peer) {
  std::array<std::byte, 8> into;
  const auto n = co_await (peer.recv(into) | within{20ms});
  if (!n || *n == 0) co_return;
  static_cast<void>(
      co_await (peer.send_all(std::span<const std::byte>(into).first(*n)) | within{20ms}));
}

void serve_with(engine& on, placement p, serve_options o, int visitors) {
  const std::string name(on.name());
  serve_stop stop;
  std::jthread peer;
  o.stop = &stop;
  o.signals = false;
  o.workers = 2;
  o.drain_timeout = 30ms;
  o.on_listening = [&](const model_choice&, const std::vector<endpoint>& at) {
    peer = std::jthread([&stop, visitors, to = at.front()] {
      for (int i = 0; i < visitors; ++i) visit(to);
      stop.request();
    });
  };
  o.log = [](std::string_view) {};
  const model_choice choice{name + "/" + std::string(name_of(p)), name, p, {}};
  const auto it = std::make_shared<server>(on.os(), answer_once, o, choice);
  struct until_its_threads_let_go {
    const std::shared_ptr<server>& it;
    ~until_its_threads_let_go() {
      while (it.use_count() > 1) std::this_thread::yield();
    }
  };
  const until_its_threads_let_go end{it};
  static_cast<void>(it->run());
}

template <placement P>
void serving(engine& on) {
  if (P == placement::shared && on.traits().blocking) return;  // refused
  serve_with(on, P, serve_options(), 2);
}

void serving_a_path(engine& on) {
  const own_path here;
  serve_options o;
  o.listen = {"unix:" + here.path()};
  serve_with(on, placement::pool, o, 2);
}

void serving_a_full_house(engine& on) {
  serve_options o;
  o.connections_max = 1;
  serve_with(on, placement::thread, o, 3);
}

// Threads that accept at the same time share one place.
void serving_two_ports(engine& on) {
  serve_options o;
  o.listen = {"127.0.0.1:0", "127.0.0.1:0"};
  o.connections_max = 1;
  serve_with(on, placement::pool, o, 3);
}

constexpr scenario scenarios[] = {
    {"serving_shared", serving<placement::shared>, 4},
    {"serving_thread", serving<placement::thread>, 4},
    {"serving_process", serving<placement::process>, 8},
    {"serving_pool", serving<placement::pool>, 4},
    {"serving_prefork", serving<placement::prefork>, 8},
    {"serving_a_path", serving_a_path, 8},
    {"serving_a_full_house", serving_a_full_house, 8},
    {"serving_two_ports", serving_two_ports, 8},
};

}  // namespace

std::span<const scenario> server_scenarios() noexcept { return scenarios; }

}  // namespace iolite_test
