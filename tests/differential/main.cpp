// Plays random scripts on every model, on the real kernel and in simulated worlds: what the parties
// see must be the same.
//
//   differential FIRST COUNT    scripts of these seeds
//   differential --seed N       one, with what is seen
//   differential --selftest     a difference is found and shrunk; the allowed ones are documented
#include "allowed.hpp"
#include "stages.hpp"

#include "simulate/ddmin.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fstream>
#include <unistd.h>

namespace iolite_test::differential {
namespace {

constexpr unsigned hang_seconds = 20;
std::array<char, 4000> hang_text;

void on_hang(int) {
  static_cast<void>(::write(STDERR_FILENO, hang_text.data(), std::strlen(hang_text.data())));
  ::_exit(1);
}

// A script that hangs says which.
sights watched(const stage& on, const script& s) {
  const auto end =
      fmt::format_to_n(hang_text.data(), hang_text.size() - 1,
                       "differential: hangs on {}; to repeat it: differential --seed {}\n{}",
                       on.name, s.seed, s.to_string());
  *end.out = '\0';
  ::alarm(hang_seconds);
  sights seen = on.play(s);
  ::alarm(0);
  return seen;
}

bool plays(const stage& on, const script& s) { return on.has_children || !s.has_children(); }

void print_difference(const stage& a, const sights& seen_a, const stage& b, const sights& seen_b) {
  for (std::size_t party = 0; party < std::max(seen_a.size(), seen_b.size()); ++party) {
    const auto line = [party](const sights& s, std::size_t i) -> std::string {
      return party < s.size() && i < s[party].size() ? s[party][i] : "(nothing)";
    };
    const auto length = [party](const sights& s) { return party < s.size() ? s[party].size() : 0; };
    for (std::size_t i = 0; i < std::max(length(seen_a), length(seen_b)); ++i) {
      if (line(seen_a, i) == line(seen_b, i)) continue;
      fmt::print("  party {}: {} sees  {}\n           {} sees  {}\n", party, a.name,
                 line(seen_a, i), b.name, line(seen_b, i));
    }
  }
}

// To the fewest moves of which the two still see something else.
script explain(const script& s, const stage& a, const stage& b) {
  std::vector<move> moves = s.moves;
  const auto differ = [&](const std::vector<move>& part) {
    const script less = with_moves(s, part);
    return watched(a, less) != watched(b, less);
  };
  constexpr std::size_t tries = 300;
  iolite::simulate::ddmin(moves, differ, tries);
  const script least = with_moves(s, moves);
  fmt::print("differential: {} and {} differ, {}", a.name, b.name, least.to_string());
  print_difference(a, watched(a, least), b, watched(b, least));
  fmt::print("to repeat it: differential --seed {}\n", s.seed);
  return least;
}

// False: two stages differ.
bool play_everywhere(const script& s, const std::vector<stage>& stages, std::uint64_t& played) {
  const sights expected = watched(stages[0], s);
  ++played;
  for (const stage& on : stages) {
    if (&on == stages.data() || !plays(on, s)) continue;
    ++played;
    if (watched(on, s) == expected) continue;
    static_cast<void>(explain(s, stages[0], on));
    return false;
  }
  return true;
}

void show(const script& s, const sights& seen) {
  fmt::print("{}", s.to_string());
  for (std::size_t party = 0; party < seen.size(); ++party) {
    for (const std::string& line : seen[party]) fmt::print("party {}: {}\n", party, line);
  }
}

// The names in bold at the beginning of a point of docs/semantics.md.
std::vector<std::string> documented_differences() {
  std::ifstream file(IOLITE_SOURCE_DIR "/docs/semantics.md");
  std::vector<std::string> out;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) inside = line == "## What may differ";
    if (inside && line.starts_with("- **`")) out.push_back(line.substr(5, line.find('`', 5) - 5));
  }
  return out;
}

int fail(std::string_view why) {
  fmt::print(stderr, "differential --selftest: {}\n", why);
  return 1;
}

int selftest() {
  if (!std::ranges::equal(documented_differences(), allowed_differences))
    return fail("docs/semantics.md lists other differences than allowed.hpp");
  const std::vector<stage> good = all_stages();
  const stage bad = stage_that_differs();
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const script s = make_script(seed);
    if (watched(good[0], s) == watched(bad, s)) continue;
    const script least = explain(s, good[0], bad);
    if (least.moves.size() < s.moves.size() && least.moves.size() <= 3) return 0;
    return fail("the difference was not shrunk");
  }
  return fail("no difference was found");
}

bool number(const char* text, std::uint64_t& into) {
  return std::from_chars(text, text + std::strlen(text), into).ec == std::errc();
}

int run(int argc, char** argv) {
  std::signal(SIGALRM, on_hang);
  if (argc == 2 && std::string_view(argv[1]) == "--selftest") return selftest();
  std::uint64_t first = 1, count = 100;
  const bool one = argc == 3 && std::string_view(argv[1]) == "--seed";
  if (argc != 3 || !number(argv[one ? 2 : 1], first) || (!one && !number(argv[2], count))) {
    fmt::print(stderr, "usage: differential FIRST COUNT | --seed N | --selftest\n");
    return 2;
  }
  const std::vector<stage> stages = all_stages();
  if (one) show(make_script(first), watched(stages[0], make_script(first)));
  std::uint64_t played = 0, moves = 0;
  for (std::uint64_t seed = first; seed < first + (one ? 1 : count); ++seed) {
    const script s = make_script(seed);
    moves += s.moves.size();
    if (!play_everywhere(s, stages, played)) return 1;
  }
  fmt::print("differential: {} scripts of {} moves, {} performances on {} stages, no difference\n",
             one ? 1 : count, moves, played, stages.size());
  return 0;
}

}  // namespace
}  // namespace iolite_test::differential

int main(int argc, char** argv) { return iolite_test::differential::run(argc, argv); }
