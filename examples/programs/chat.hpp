// A chat of lines with rooms. What one member says, all others of the room get in the same order.
//
// Members may be on different threads: what they share is the rooms, which have a lock, and each
// other's outboxes, which need none. Nobody waits for a slow reader: its outbox is bounded, and who
// does not empty it is let go. A server that stops says good-bye to each member.
#pragma once
#include <iolite/iolite.hpp>

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

class chat {
 public:
  // For each connection; the chat outlives it.
  iolite::task<> serve(iolite::stream peer) {
    iolite::outbox mail(messages_max, bytes_max);
    co_await iolite::in_scope([&](iolite::scope& tasks) -> iolite::task<> {
      auto listening = tasks.spawn(listen(peer, mail));
      // Until the mail is closed and all of it sent, or the peer has taken nothing for so long.
      static_cast<void>(co_await mail.deliver_to(peer, std::chrono::seconds(10)));
      listening.cancel();
    });
    co_await peer.finish(std::chrono::seconds(1));  // the last line arrives
  }

 private:
  static constexpr unsigned messages_max = 64;  // that a member may have before it
  static constexpr std::size_t bytes_max = 65'536, line_max = 1000;
  using members = std::vector<iolite::outbox*>;

  // Of one connection: a place in a room, until it is destroyed, whatever happens.
  struct place {
    place(chat& c, std::string r, iolite::outbox& m) : of(c), room(std::move(r)), mail(m) {
      const std::lock_guard hold(of.lock_);
      of.rooms_[room].push_back(&mail);
    }
    place(const place&) = delete;
    ~place() {
      const std::lock_guard hold(of.lock_);
      const auto here = of.rooms_.find(room);
      std::erase(here->second, &mail);
      if (here->second.empty()) of.rooms_.erase(here);
    }
    // To the others of the room. Who has not emptied its outbox is let go.
    void say(const std::string& line) const {
      const std::lock_guard hold(of.lock_);
      const iolite::message said(line + "\n");
      const auto let_go = [](iolite::outbox& slow) { slow.close(); };
      iolite::outbox::send_to_all(of.rooms_[room], said, let_go, &mail);
    }
    // To all of the room. Who is behind misses it: there is always room for what is said.
    void announce(const std::string& line) const {
      const std::lock_guard hold(of.lock_);
      const iolite::message said(line + "\n");
      for (iolite::outbox* const one : of.rooms_[room])
        if (one->size() < messages_max / 2) one->try_send(said);
    }
    chat& of;
    const std::string room;
    iolite::outbox& mail;
  };
  struct closer {  // of an outbox, also when something throws: its delivery waits for that
    explicit closer(iolite::outbox& m) : mail(m) {}
    closer(const closer&) = delete;
    ~closer() { mail.close(); }
    iolite::outbox& mail;
  };

  iolite::task<> listen(iolite::stream& peer, iolite::outbox& mail) {
    const closer at_end(mail);
    iolite::lines talk(peer, {.max = line_max});
    mail.try_send(iolite::message("* who are you?\n"));
    auto line = co_await talk.receive();
    const std::string name = line ? iolite::one_line(*line, 32) : std::string();
    for (std::string room = "lobby"; line && !room.empty();) {
      const place here(*this, std::exchange(room, {}), mail);
      here.announce("* " + name + " is in " + here.room);
      while (room.empty()) {
        line = co_await talk.receive();
        if (!line || *line == "/quit") break;
        if (line->starts_with("/join ")) room = iolite::one_line(line->substr(6), 32);
        else here.say(name + ": " + iolite::one_line(*line, line_max));
      }
      here.announce("* " + name + " has left " + here.room);
    }
    const bool too_long = !line && line.error() == std::errc::message_size;
    mail.try_send(iolite::message(too_long ? "* that line is too long\n" : "* good-bye\n"));
  }

  std::mutex lock_;
  std::map<std::string, members> rooms_;
};
