// Callbacks in a selector: what is to be called is the data that hangs on each descriptor.
//
// The loop knows nothing of listeners and clients. It calls what it finds: `accept` for the
// listener, which adds each client with `read`. So a new kind of descriptor needs no new branch.
// No facility is named: the selector takes the best that this system has, and the program says
// which. Try it with `nc 127.0.0.1 7000`: "hello" is answered with "HELLO_SB".
#include "support/by_hand.hpp"
#include "support/options.hpp"
#include "support/sockets.hpp"

#include <cctype>
#include <fmt/core.h>
#include <iolite/selector.hpp>
#include <unistd.h>

namespace {

struct callback;
using selector = iolite::selector<callback>;
struct callback {
  void (*call)(selector&, int fd);
};

// TCP keeps no message boundaries: a line is a message, and so is the rest of what came at once.
std::string answer_to(std::string_view message) {
  std::string answer;
  for (const char c : message) {
    if (c == '\n') answer += "_SB";
    answer += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  if (!message.ends_with('\n')) answer += "_SB";
  return answer;
}

void read(selector& all, int client) {
  std::string message;
  const auto came = tutorial::receive(client, message);
  if (came == tutorial::arrival::nothing) return;
  if (came == tutorial::arrival::bytes) {
    const std::string answer = answer_to(message);
    if (tutorial::send_some(client, answer) == static_cast<long>(answer.size())) return;
    // It does not read: select_queues would keep the answer for later.
  }
  static_cast<void>(all.remove(client));
  ::close(client);
}

void accept(selector& all, int listener) {
  const int client = tutorial::accept_client(listener);
  if (client >= 0 && !all.add(client, iolite::interest::read, {read})) ::close(client);
}

}  // namespace

int main(int argc, char** argv) {
  std::string listen = "127.0.0.1:7000";
  tutorial::parse(argc, argv, "callbacks in a selector, answers in upper case",
                  {{"--listen", &listen, "where"}});
  auto opened = selector::best();
  if (!opened) tutorial::fail(opened.error().message());
  selector& all = *opened;
  tutorial::on_stop([&all] { all.wake(); });
  const int listener = tutorial::listen_on(listen);
  if (const auto added = all.add(listener, iolite::interest::read, {accept}); !added)
    tutorial::fail(added.error().message());
  tutorial::say(fmt::format("the best selector here: {}", all.name()));
  while (!tutorial::stopped()) {
    const auto ready = all.wait();
    if (!ready) tutorial::fail(ready.error().message());
    // By value: the callback may remove the key that holds it.
    for (const auto& key : *ready) callback(key.data).call(all, key.fd);
  }
}
