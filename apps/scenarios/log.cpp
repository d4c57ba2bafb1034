// A small replicated log. A leader puts entries in order and copies them to four followers; a
// client is told "done" once a majority has its entry. The network falls apart now and then.
// Nothing that was acknowledged may be lost, and in the end all five have the same log.
#include "scenarios/scenario.hpp"

#include <algorithm>
#include <map>

namespace iolite::app {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t followers = 4, majority = 3, clients = 3, entries = 25;
constexpr std::size_t in_all = clients * entries;
constexpr unsigned partitions = 6;

using log_of_entries = std::vector<std::string>;

// "17 the text" and back.
std::string numbered(std::size_t n, std::string_view text) {
  return std::to_string(n) + " " + std::string(text);
}
std::pair<std::size_t, std::string> split(std::string_view line) {
  const std::size_t gap = line.find(' ');
  simulate::check(gap != line.npos, "a number and a text");
  return {std::stoul(std::string(line.substr(0, gap))), std::string(line.substr(gap + 1))};
}

class log_story final : public story {
  // --- a follower: takes the entry it lacks next, and says how many it has ---

  task<> follow(stream leader, log_of_entries& mine) {
    frames f(leader);
    for (;;) {
      const auto m = co_await f.receive();
      if (!m) co_return;
      auto [index, text] = split(text_of(*m));
      if (index < mine.size()) must(mine[index] == text, "the log has changed");
      else if (index == mine.size()) mine.push_back(std::move(text));
      if (!co_await f.send(std::to_string(mine.size()))) co_return;
    }
  }

  // --- the leader ---

  void has_now(std::size_t follower, std::size_t count) {
    had_[follower] = std::max(had_[follower], count);
    std::array<std::size_t, followers> sorted = had_;
    std::ranges::sort(sorted, std::greater<>());
    // The leader has all of them itself.
    if (sorted[majority - 2] <= committed_) return;
    committed_ = sorted[majority - 2];
    more_committed_.set();
  }

  task<> copy_on(stream& to, std::size_t follower) {
    to.set_idle_timeout(500ms);
    frames f(to);
    for (std::size_t next = had_[follower]; had_[follower] < in_all;) {
      while (next >= log_.size()) {
        more_entries_[follower].reset();
        if (!co_await more_entries_[follower].wait()) co_return;
      }
      if (!co_await f.send(numbered(next, log_[next]))) co_return;
      const auto m = co_await f.receive();
      if (!m) co_return;
      next = std::stoul(std::string(text_of(*m)));
      has_now(follower, next);
    }
  }
  task<> replicate(std::string to, std::size_t follower) {
    while (had_[follower] < in_all) {
      auto s = co_await stream::connect(parse(to), 500ms);
      if (s) co_await copy_on(*s, follower);
      else co_await iolite::sleep(50ms);
    }
  }

  // An entry that a client sends again is the same entry.
  std::size_t place_of(const std::string& entry) {
    const auto [it, is_new] = places_.try_emplace(entry, log_.size());
    if (!is_new) return it->second;
    log_.push_back(entry);
    for (event& e : more_entries_) e.set();
    return it->second;
  }
  task<> lead(stream client) {
    frames f(client);
    for (;;) {
      const auto m = co_await f.receive();
      if (!m) co_return;
      const std::string entry(text_of(*m));
      const std::size_t place = place_of(entry);
      while (committed_ <= place) {
        more_committed_.reset();
        if (!co_await more_committed_.wait()) co_return;
      }
      const auto have = std::ranges::count_if(
          logs_, [&](const auto& l) { return l.size() > place && l[place] == entry; });
      must(1 + static_cast<std::size_t>(have) >= majority, "told before a majority had it");
      if (!co_await f.send("done")) co_return;
    }
  }

  // --- a client ---

  static task<bool> append(stream& s, const std::string& entry) {
    frames f(s);
    if (!co_await f.send(entry)) co_return false;
    co_return (co_await f.receive()).has_value();
  }
  task<> write(std::string leader, std::size_t client, std::uint64_t seed) {
    chance c(seed);
    stream s;
    for (std::size_t i = 0; i < entries; ++i) {
      const std::string entry = numbered(client, "entry " + std::to_string(i));
      for (;;) {
        if (!s.is_open()) {
          s = co_await connect_at_last(parse(leader));
          s.set_idle_timeout(2s);
        }
        if (co_await append(s, entry)) break;
        s.close();
      }
      acknowledged_.push_back(entry);
      co_await iolite::sleep(std::chrono::milliseconds(c.below(400)));
    }
  }

  // --- the world ---

  void plan_partitions(simulate::world& w, const std::vector<simulate::host>& hosts, chance c) {
    for (unsigned i = 0; i < partitions; ++i) {
      const std::size_t cut = 1 + c.below(hosts.size() - 1);
      const auto length = std::chrono::milliseconds(200 + c.below(3000));
      const bool one_way = c.below(3) == 0;
      const auto set = [&w, hosts, cut, one_way](bool on) {
        for (std::size_t h = 1; h <= cut; ++h) {
          w.block(hosts[0], hosts[h], on);
          if (!one_way) w.block(hosts[h], hosts[0], on);
        }
      };
      const std::string what = std::to_string(cut) + " hosts cut off" + (one_way ? " one way" : "");
      w.fault_at(std::chrono::milliseconds(c.below(8000)), what, [&w, set, length] {
        set(true);
        w.at(w.elapsed() + length, [set] { set(false); });
      });
    }
  }
  void build(simulate::world& w, const std::string& model, std::uint64_t seed) override {
    std::vector<simulate::host> hosts{w.add_host("leader")};
    const auto leader = hosts[0];
    w.serve(leader, [this](stream s) { return lead(std::move(s)); },
            {.model = model, .listen = {leader.at(7000)}});
    for (std::size_t i = 0; i < followers; ++i) {
      const auto h = w.add_host("follower-" + std::to_string(i + 1));
      hosts.push_back(h);
      w.serve(h, [this, i](stream s) { return follow(std::move(s), logs_[i]); },
              {.model = model, .listen = {h.at(7000)}});
      w.run(
          leader, model, [=, this] { return replicate(h.at(7000), i); },
          "replicator-" + std::to_string(i + 1));
    }
    for (std::size_t i = 0; i < clients; ++i) {
      const auto h = w.add_host("client-" + std::to_string(i + 1));
      hosts.push_back(h);
      w.run(h, model, [=, this] { return write(leader.at(7000), i, seed * clients + i); });
    }
    plan_partitions(w, hosts, chance(seed));
  }

  std::string verdict() const override {
    for (const log_of_entries& l : logs_) {
      if (l != log_) return "a follower has another log than the leader";
    }
    std::array<std::size_t, clients> next{};
    for (const std::string& entry : log_) {
      const auto [client, text] = split(entry);
      if (text != "entry " + std::to_string(next[client]++)) return "out of order: " + entry;
    }
    if (acknowledged_.size() != in_all) return "not every entry was acknowledged";
    for (const std::string& entry : acknowledged_) {
      if (std::ranges::count(log_, entry) != 1) return "acknowledged, and not there once: " + entry;
    }
    return {};
  }

  log_of_entries log_;
  std::map<std::string, std::size_t> places_;
  std::array<std::size_t, followers> had_{};  // as each has told
  std::size_t committed_ = 0;  // entries that a majority has
  std::array<event, followers> more_entries_;
  event more_committed_;
  std::array<log_of_entries, followers> logs_;
  log_of_entries acknowledged_;  // as clients were told
};

}  // namespace

std::unique_ptr<story> make_log() { return std::make_unique<log_story>(); }

}  // namespace iolite::app
