// How a party sends and receives, and writes down what it sees. The differences between models that
// are allowed for are named where they are made equal, as docs/semantics.md names them.
#pragma once
#include "player.hpp"

#include "support/sockets.hpp"
#include "support/streams.hpp"

#include <algorithm>

namespace iolite_test::differential {

inline std::string told(std::string_view bytes) {
  std::uint64_t h = 0xcbf29ce484222325U;
  for (const char c : bytes) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return std::to_string(bytes.size()) + " B " + std::to_string(h % 1'000'003);
}
inline std::string told(std::error_code e) { return e ? e.message() : "ok"; }
template <class T>
std::string told(const iolite::result<T>& r) {
  if (!r) return r.error().message();
  if constexpr (std::is_integral_v<T>) return std::to_string(*r);
  else return "ok";
}
// Difference `gone`: a peer that is gone is a broken pipe or a reset.
inline std::string told_gone(std::error_code e) { return is_gone(e) ? "gone" : told(e); }

class transfers {
 public:
  transfers(performance& p, int me) : all_(p), me_(me) {}

 protected:
  void saw(std::string what) {
    all_.seen_[static_cast<std::size_t>(me_)].push_back(std::to_string(at_) + " " +
                                                        std::move(what));
  }
  iolite::event& first() { return all_.first_[at_]; }
  iolite::event& second() { return all_.second_[at_]; }
  static std::size_t piece_of(const move& m) { return 1 + m.more % 3000 + m.bytes / 16; }

  iolite::task<> send(iolite::stream& to, const move& m, std::size_t bytes, bool quiet = false) {
    const std::string all = pattern(bytes, static_cast<unsigned>(at_));
    std::span<const std::byte> rest = std::as_bytes(std::span(all));
    std::error_code why;
    if (m.how == way::pieces) {  // difference `pieces`: how many a send_some() takes
      while (!rest.empty() && !why) {
        const auto n = co_await to.send_some(rest.first(std::min(rest.size(), piece_of(m))));
        if (n) rest = rest.subspan(*n);
        else why = n.error();
      }
    } else if (const auto n = co_await to.send_all(rest); !n) {
      why = n.error();
    }
    if (!quiet) saw("send: " + told(why));
  }
  // So many bytes. Difference `pieces`: how many come at a time.
  iolite::task<> receive(iolite::stream& from, const move& m, std::size_t bytes) {
    std::string got;
    std::error_code why;
    bool ended = false;
    std::string buffer(bytes, '\0');
    if (m.how == way::whole) {
      const auto r = co_await from.recv_all(bytes_of(buffer));
      saw("recv_all: " + (r ? told(buffer) : told(r)));
      co_return;
    }
    while (got.size() < bytes && !ended && !why) {
      const std::size_t most = std::min(bytes - got.size(), piece_of(m));
      const auto n = co_await from.recv(bytes_of(buffer).first(most));
      if (!n) why = n.error();
      ended = n && *n == 0;
      got.append(buffer, 0, n.value_or(0));
    }
    saw("recv: " + told(got) + " " + (ended ? "end" : told(why)));
  }
  // The next receive says that it is over: the end, or an error.
  iolite::task<> receive_end(iolite::stream& from, const move& m) {
    if (m.how == way::lease) {
      const auto l = co_await from.recv_lease();
      saw("recv_lease: " + (l ? told(text(l->bytes())) : told(l)));
    } else {
      std::array<std::byte, 16> buffer;
      const auto n = co_await from.recv(buffer);
      saw("recv: " + told(n));
    }
  }
  static std::string_view text(std::span<const std::byte> b) noexcept {
    return {reinterpret_cast<const char*>(b.data()), b.size()};
  }
  // All there is up to the end of the stream.
  iolite::task<> receive_to_end(iolite::stream& from, const move& m) {
    std::string got;
    for (;;) {
      if (m.how == way::lease) {
        const auto l = co_await from.recv_lease();
        if (!l || l->empty()) {
          saw("leases: " + told(got) + " " + told(l));
          co_return;
        }
        got += text(l->bytes());
        continue;
      }
      std::array<std::byte, 2000> buffer;
      const auto n =
          co_await from.recv(std::span(buffer).first(std::min<std::size_t>(2000, piece_of(m))));
      if (!n || *n == 0) {
        saw("recv: " + told(got) + " " + told(n));
        co_return;
      }
      got += text(std::span(buffer).first(*n));
    }
  }

  performance& all_;
  const int me_;
  std::size_t at_ = 0;  // the move
};

}  // namespace iolite_test::differential
