// Connects to the first of several addresses that answers: RFC 8305, "Happy Eyeballs".
//
// A server has an IPv6 and an IPv4 address, say, and one of them leads nowhere: then connect(2)
// lasts for minutes. So the next address is tried as soon as one has failed, or beside it when it
// has not answered for 250 ms. The first connection wins; the other attempts are given up.
#pragma once
#include <iolite/iolite.hpp>

#include <chrono>
#include <cstddef>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

class connection_race {
 public:
  // The addresses in the order of preference. The error of the attempt that failed last.
  static iolite::task<iolite::result<iolite::stream>> run(std::vector<iolite::endpoint> to) {
    if (to.empty())
      co_return std::unexpected(std::make_error_code(std::errc::destination_address_required));
    auto whole = attempt(to);
    co_return co_await whole;
  }

 private:
  static constexpr auto head_start = std::chrono::milliseconds(250);
  using outcome = iolite::result<iolite::stream>;

  // The first address, and the others a little later.
  static iolite::task<outcome> attempt(std::span<const iolite::endpoint> to) {
    iolite::event failed;
    std::vector<iolite::task<outcome>> all;
    all.push_back(connect(to.front(), failed));
    if (to.size() > 1) all.push_back(later(failed, to.subspan(1)));
    auto race = co_await iolite::when_any(std::move(all), {.wins = iolite::winner::success});
    co_return std::move(race.values[race.index]);
  }
  static iolite::task<outcome> connect(iolite::endpoint to, iolite::event& failed) {
    auto connected = co_await iolite::stream::connect(to);
    if (!connected) failed.set();
    co_return connected;
  }
  static iolite::task<outcome> later(iolite::event& failed, std::span<const iolite::endpoint> to) {
    const auto turn = co_await (failed.wait() | iolite::within(head_start));
    if (!turn && turn.error() != std::errc::timed_out) co_return std::unexpected(turn.error());
    auto whole = attempt(to);
    co_return co_await whole;
  }
};
