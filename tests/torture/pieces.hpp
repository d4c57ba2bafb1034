// What scenarios are made of: conversations of which every wait is bounded, and children that may
// be missing.
#pragma once
#include "scenarios.hpp"
#include "support/files.hpp"
#include "support/streams.hpp"

#include <optional>
#include <string>

namespace iolite_test {

using namespace std::chrono_literals;

constexpr auto patience = 6ms;

[[nodiscard]] iolite::task<bool> say(iolite::stream& to, std::string_view text);
[[nodiscard]] iolite::task<bool> hear(iolite::stream& from, std::size_t bytes);
// Gives back what it receives; ends when there is nothing for some time.
[[nodiscard]] iolite::task<> patient_echo(iolite::stream peer);
[[nodiscard]] iolite::task<> patient_echo_leases(iolite::stream peer);
// One receive, bounded; how it ended goes to `out`.
[[nodiscard]] iolite::task<> listen_to(iolite::stream from, outcome& out);
// Connects, asks and hears the echo.
[[nodiscard]] iolite::task<> ask(iolite::endpoint to);
[[nodiscard]] iolite::task<> accept_one(iolite::listener& from,
                                        iolite::task<> (*handler)(iolite::stream));
// A listener, `clients` that ask, and as many connections handled one after the other.
[[nodiscard]] iolite::task<> serve_some(iolite::engine& on, iolite::endpoint at,
                                        iolite::task<> (*handler)(iolite::stream), int clients);
[[nodiscard]] iolite::endpoint any_port();

// A path nobody has taken, in a folder of its own.
class own_path {
 public:
  own_path();
  own_path(const own_path&) = delete;
  own_path& operator=(const own_path&) = delete;
  ~own_path();
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] iolite::endpoint unix_address() const;

 private:
  std::optional<temporary_folder> folder_;
  std::string path_;
};

// Where there is no memory, or no thread for it, the others go on. False: it was not started.
bool start(iolite::scope& s, iolite::task<> child);

}  // namespace iolite_test
