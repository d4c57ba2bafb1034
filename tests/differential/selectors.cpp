// Selectors against poll(2): every kind of descriptor, every interest, every change of state, on
// every facility.
//
//   selectors FIRST COUNT    random scripts of these seeds
//   selectors --seed N       one
//   selectors --table        each change of each kind: what is reported, as docs/semantics.md shows
//   selectors --check        the same, compared with docs/semantics.md
#include "watching.hpp"

#include "iolite/selector.h"
#include "simulate/ddmin.hpp"

#include <fmt/format.h>

#include <charconv>
#include <csignal>
#include <cstring>
#include <fstream>
#include <poll.h>
#include <pthread.h>
#include <sstream>

namespace iolite_test::differential {
namespace {

constexpr std::string_view begin_mark = "<!-- selectors --table -->";
constexpr std::string_view end_mark = "<!-- end of the table -->";

bool can_play(const watching_script& s, const std::string& facility) {
  return !s.modes || facility == "epoll" || facility == "kqueue";
}

void explain(const watching_script& s, const std::string& facility) {
  watching_script least = s;
  const auto differs = [&](const std::vector<step>& part) {
    watching_script less = s;
    less.steps = part;
    return play(less, facility).has_value();
  };
  constexpr std::size_t tries = 200;
  iolite::simulate::ddmin(least.steps, differs, tries);
  const auto again = play(least, facility);
  fmt::print("selectors: {} {}\n{}to repeat it: selectors --seed {}\n", facility,
             again.value_or("differed, but not when it was played again"), least.to_string(),
             s.seed);
}

// False: a facility differs.
bool play_everywhere(const watching_script& s, std::uint64_t& played) {
  for (const std::string& facility : watching_facilities()) {
    if (!can_play(s, facility)) continue;
    ++played;
    const auto difference = play(s, facility);
    if (!difference) continue;
    fmt::print("selectors: {} {}\n", facility, *difference);
    return explain(s, facility), false;
  }
  return true;
}

// --- the table ---

// What has to be so before `c` can change anything.
void prepare(subject& s, change c) {
  if (c == change::drain) s.happen(change::data);
  if (c == change::room) s.happen(change::fill);
}

// Until it says the same for a while: a terminal takes a moment.
state settled(int fd) {
  constexpr unsigned both = IOLITE_READ | IOLITE_WRITE;
  state s = state_of(fd, both);
  for (int same = 0; same < 5;) {
    ::poll(nullptr, 0, 1);
    const state now = state_of(fd, both);
    same = now == s ? same + 1 : 0;
    s = now;
  }
  return s;
}

std::string cell(const state& s) {
  if (s.hung_up) return "all";
  std::string out = (s.ready & IOLITE_READ) ? "r" : "";
  if (s.ready & IOLITE_WRITE) out += "w";
  return out.empty() ? "-" : out;
}

std::string table() {
  std::string out = "| descriptor | at first |";
  for (std::size_t c = 0; c < changes; ++c)
    out += fmt::format(" {} |", name_of(static_cast<change>(c)));
  out += "\n|---|---|";
  for (std::size_t c = 0; c < changes; ++c) out += "---|";
  for (std::size_t k = 0; k < kinds; ++k) {
    const auto of = static_cast<kind>(k);
    out += fmt::format("\n| {} | {} |", name_of(of), cell(settled(make_subject(of)->fd())));
    for (std::size_t i = 0; i < changes; ++i) {
      const auto c = static_cast<change>(i);
      const auto s = make_subject(of);
      prepare(*s, c);
      static_cast<void>(settled(s->fd()));
      out += s->happen(c) ? fmt::format(" {} |", cell(settled(s->fd()))) : "  |";
    }
  }
  return out + "\n";
}

// Every change of every kind, for every interest, asleep and awake, on every facility.
bool try_each(std::uint64_t& played) {
  for (std::size_t k = 0; k < kinds; ++k) {
    for (std::size_t c = 0; c < changes; ++c) {
      for (unsigned events = 1; events <= 3; ++events) {
        for (const deed how : {deed::happen, deed::wake}) {
          watching_script s;
          s.of = {static_cast<kind>(k)};
          const auto what = static_cast<change>(c);
          if (what == change::drain) s.steps.push_back({deed::happen, 0, 0, change::data});
          if (what == change::room) s.steps.push_back({deed::happen, 0, 0, change::fill});
          s.steps.insert(s.steps.begin(), {deed::add, 0, events});
          s.steps.push_back({how, 0, 0, what});
          s.steps.push_back({deed::look, 0, 1});
          if (!play_everywhere(s, played)) return false;
        }
      }
    }
  }
  return true;
}

std::string documented_table() {
  std::ifstream file(IOLITE_SOURCE_DIR "/docs/semantics.md");
  std::stringstream text;
  text << file.rdbuf();
  const std::string all = text.str();
  const auto begin = all.find(begin_mark), end = all.find(end_mark);
  if (begin == all.npos || end == all.npos) return {};
  const auto from = all.find_first_not_of('\n', begin + begin_mark.size());
  return all.substr(from, all.find_last_not_of('\n', end - 1) + 2 - from);
}

int check_table() {
  std::uint64_t played = 0;
  if (!try_each(played)) return 1;
  const std::string is = table();
  if (is == documented_table()) {
    fmt::print(
        "selectors: {} performances, no difference; the table is that of the documentation\n",
        played);
    return 0;
  }
  fmt::print("selectors: docs/semantics.md does not have this table (selectors --table):\n{}", is);
  return 1;
}

// --- main ---

bool number(const char* text, std::uint64_t& into) {
  return std::from_chars(text, text + std::strlen(text), into).ec == std::errc();
}

int run(int argc, char** argv) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);  // for signalfd(2), in this thread and those it starts
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  const std::string_view first_word = argc > 1 ? argv[1] : "";
  if (argc == 2 && first_word == "--table") return fmt::print("{}", table()), 0;
  if (argc == 2 && first_word == "--check") return check_table();
  std::uint64_t first = 1, count = 1, played = 0;
  const bool one = argc == 3 && first_word == "--seed";
  if (argc != 3 || !number(argv[one ? 2 : 1], first) || (!one && !number(argv[2], count))) {
    fmt::print(stderr, "usage: selectors FIRST COUNT | --seed N | --table | --check\n");
    return 2;
  }
  if (one) fmt::print("{}", make_watching_script(first).to_string());
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    if (!play_everywhere(make_watching_script(seed), played)) return 1;
  }
  fmt::print("selectors: {} scripts, {} performances on {} facilities, no difference\n", count,
             played, watching_facilities().size());
  return 0;
}

}  // namespace
}  // namespace iolite_test::differential

int main(int argc, char** argv) { return iolite_test::differential::run(argc, argv); }
