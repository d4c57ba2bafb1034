// ws::decoder: any way to cut the bytes gives the same events and the same end, within the limits,
// and what it gave comes back when it is framed again.
#include "fuzz.hpp"
#include "iolite/codec/websocket_decoder.hpp"
#include "iolite/codec/websocket_encoder.hpp"

#include <algorithm>
#include <memory>
#include <vector>

namespace {

using namespace iolite;

struct outcome {
  struct seen {
    ws::opcode what;
    ws::close_code code;
    bool rsv1;
    std::string payload;
    bool operator==(const seen&) const = default;
  };
  std::vector<seen> events;
  std::string refused;
  bool in_the_middle = false;
  bool operator==(const outcome&) const = default;
};

void check(const ws::event& e, const ws::limits& most) {
  const bool control = e.what >= ws::opcode::close;
  fuzz::require(e.what != ws::opcode::continuation, "an event is something whole");
  fuzz::require(e.payload.size() <= (control ? 125 : most.message_max), "within the limits");
  const bool text = e.what == ws::opcode::text || e.what == ws::opcode::close;
  fuzz::require(!text || e.rsv1 || is_utf8(e.payload), "text and reasons are UTF-8");
}

void take_events(ws::decoder& d, const ws::limits& most, outcome& out) {
  for (;;) {
    const auto e = d.next();
    if (!e) {
      fuzz::require(!d.why().empty(), "a refusal says why");
      out.refused = d.why();
      return;
    }
    if (!*e) return;
    check(**e, most);
    out.events.push_back({(*e)->what, (*e)->code, (*e)->rsv1, std::string((*e)->text())});
  }
}

// In pieces whose lengths `cut` says; without any, all at once.
outcome decode(std::span<const std::uint8_t> bytes, ws::role self, const ws::limits& most,
               fuzz::decisions cut) {
  ws::decoder d(self, most);
  outcome out;
  const bool whole = cut.empty();
  std::size_t arrived = 0;
  while (!bytes.empty() && out.refused.empty()) {
    const std::size_t n =
        whole ? bytes.size() : std::min<std::size_t>(bytes.size(), 1 + cut.byte() % 9U);
    const auto copy = std::make_unique<std::byte[]>(n);
    std::ranges::copy(std::as_bytes(bytes.first(n)), copy.get());
    d.feed({copy.get(), n});
    take_events(d, most, out);
    arrived += n;
    fuzz::require(d.memory_bytes() <= 2 * arrived, "memory is bounded by what has arrived");
    bytes = bytes.subspan(n);
  }
  out.in_the_middle = d.in_the_middle();
  return out;
}

void append(std::vector<std::uint8_t>& to, std::span<const std::byte> bytes) {
  for (const std::byte b : bytes) to.push_back(std::to_integer<std::uint8_t>(b));
}

// As one frame of a server for each.
std::vector<std::uint8_t> framed(const std::vector<outcome::seen>& events) {
  std::vector<std::uint8_t> stream;
  for (const auto& e : events) {
    const auto payload = std::as_bytes(std::span(e.payload));
    if (e.what == ws::opcode::close) {
      append(stream, ws::close_frame(e.code, e.payload)->bytes());
    } else {
      append(stream, ws::frame_head::of(e.what, payload.size(), {.rsv1 = e.rsv1}).bytes());
      append(stream, payload);
    }
  }
  return stream;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::decisions choose({data, size});
  const auto self = choose.below(2) == 0 ? ws::role::client : ws::role::server;
  const ws::limits most{.message_max = std::size_t{1} << choose.below(63),
                        .frame_max = std::uint64_t{1} << choose.below(63),
                        .fragments_max = 1U + choose.below(64),
                        .rsv1_allowed = choose.below(2) == 1};
  const auto stream = choose.rest();
  const outcome expected = decode(stream, self, most, fuzz::decisions({}));
  constexpr std::uint8_t one_at_a_time[] = {0};
  fuzz::require(decode(stream, self, most, fuzz::decisions(one_at_a_time)) == expected,
                "a byte at a time gives the same");
  fuzz::require(decode(stream, self, most, fuzz::decisions(stream)) == expected,
                "any pieces give the same");
  const auto again = framed(expected.events);
  const ws::limits enough{.message_max = SIZE_MAX, .frame_max = UINT64_MAX, .rsv1_allowed = true};
  fuzz::require(decode(again, ws::role::client, enough, fuzz::decisions({})).events ==
                    expected.events,
                "what is framed again comes back");
  return 0;
}
