// A chat for many people: one coroutine hears what a person says, one shows him what all have said.
//
// Who speaks waits for nobody: the line goes into everybody's queue, under one lock, so all see the
// same lines in the same order. Queues are bounded: who reads too slowly is disconnected, and all
// are told. Between two lines of a person something is sent to him: who talks has to listen, so
// nobody floods those who read. It is the same on each model. Try it with some `nc 127.0.0.1 7000`.
#include "support/lines.hpp"
#include "support/options.hpp"

#include <fmt/core.h>
#include <iolite/iolite.hpp>
#include <map>
#include <mutex>

namespace {

struct person {
  std::string name, queue;  // queue: to be sent; the room's lock guards it and `over`
  bool over = false;  // nothing more will be put into it
  iolite::event filled;  // something is in it, or it is over
  iolite::event shown;  // something has been sent since he spoke
};

struct room {
  int queue_max = 1 << 20;  // bytes for one person; as many may be on their way
  std::mutex lock;  // people may be threads; nobody waits while he holds it
  std::map<std::string, person*> people;

  bool enter(person& who) {
    const std::lock_guard hold(lock);
    if (who.name.empty() || !people.try_emplace(who.name, &who).second) return false;
    return tell_all(fmt::format("* {} has joined, {} here\n", who.name, people.size())), true;
  }
  void say(person& who, const std::string& text, bool at_last = false) {
    const std::lock_guard hold(lock);
    who.shown.reset();
    if (!std::exchange(who.over, who.over || at_last)) tell_all(text);
  }
  void tell_all(const std::string& text) {
    std::string notices;
    std::erase_if(people, [&](const auto& entry) {
      person& to = *entry.second;
      const bool slow = std::cmp_greater(to.queue.size() + text.size(), queue_max);
      if (slow) notices += fmt::format("* {} reads too slowly, and has to go\n", to.name);
      to.queue += slow ? "* you read too slowly, good-bye\n" : text;
      to.filled.set();
      return to.over = to.over || slow;
    });
    if (!notices.empty()) tell_all(notices);  // that ends: they are fewer each time
  }
  // What to send to him next; nothing: it is over.
  iolite::task<std::string> next(person& who) {
    static_cast<void>(co_await who.filled.wait());
    const std::lock_guard hold(lock);
    if (!who.over) who.filled.reset();
    co_return std::exchange(who.queue, {});
  }
};

iolite::task<> hear(person& who, tutorial::line_reader& from, room& all) {
  while (const auto line = co_await from.next()) {
    all.say(who, fmt::format("<{}> {}\n", who.name, *line));
    if (!co_await who.shown.wait()) co_return;
  }
  all.say(who, fmt::format("* {} has left\n", who.name), true);
}

iolite::task<> show(iolite::stream& peer, person& who, room& all) {
  for (std::string text; !(text = co_await all.next(who)).empty(); who.shown.set()) {
    if (!co_await (peer.send_all(text) | iolite::within(std::chrono::seconds(30)))) co_return;
  }
}

iolite::task<> attend(iolite::stream peer, room& all) {
  static_cast<void>(peer.set_buffers(16384, 131072));  // the kernel queues for him as well
  tutorial::line_reader from(peer);
  person who;
  for (std::string_view ask = "your name? "; !all.enter(who); ask = "another name? ") {
    if (!co_await peer.send_all(ask)) co_return;
    const auto name = co_await from.next();
    if (!name) co_return;
    who.name = name->substr(0, 20);
  }
  co_await iolite::in_scope([&](iolite::scope& hearing) -> iolite::task<> {
    hearing.spawn(hear(who, from, all));
    co_await show(peer, who, all);
    all.say(who, fmt::format("* {} is gone\n", who.name), true);
    hearing.cancel();
  });
  co_await peer.finish(std::chrono::seconds(1));  // so that he gets what he was sent last
}

}  // namespace

int main(int argc, char** argv) {
  std::string listen = "127.0.0.1:7000", model = "auto";
  room all;
  tutorial::parse(argc, argv, "a chat for many people",
                  {{"--listen", &listen, "where"},
                   {"--model", &model, "how"},
                   {"--queue", &all.queue_max, "how many bytes may wait for one person"}});
  return iolite::serve_main([&all](iolite::stream peer) { return attend(std::move(peer), all); },
                            {.model = model, .listen = {listen}, .shares_memory = true});
}
