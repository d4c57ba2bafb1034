// The HTTP/1.1 decoders: any way to cut the bytes gives the same messages and the same end; a head
// holds nothing that could end a line, and comes back when it is written again.
#include "fuzz.hpp"
#include "iolite/http/decoder.hpp"
#include "iolite/http/encoder.hpp"

#include <algorithm>
#include <memory>
#include <vector>

namespace {

using namespace iolite;

// Everything that a decoder says, as one text.
struct outcome {
  std::string said;
  std::vector<std::string> heads;  // as the encoder writes them
  bool upgraded = false;
  bool operator==(const outcome&) const = default;
};

// The encoder refuses what would be another head.
void write_fields(std::string& to, http::field_list fields) {
  for (const auto& [name, value] : fields) {
    fuzz::require(http::append_field(to, name, value).has_value(),
                  "a field can be sent on:", std::string(name));
  }
  http::end_head(to);
}

std::string written(const http::request_decoder& d) {
  std::string text;
  const auto& head = d.head();
  fuzz::require(http::append_request_line(text, head.method, head.target).has_value(),
                "a request line can be sent on");
  if (head.minor_version == 0) text.replace(text.size() - 3, 1, "0");
  write_fields(text, head.fields);
  return text;
}

std::string written(const http::response_decoder& d) {
  std::string text;
  const auto& head = d.head();
  fuzz::require(http::append_status_line(text, head.status, head.reason).has_value(),
                "a status line can be sent on");
  if (head.minor_version == 0) text.replace(7, 1, "0");
  write_fields(text, head.fields);
  return text;
}

void check_framing(const http::message_head& head) {
  const bool sized = head.body == http::framing::length;
  fuzz::require(head.content_length == 0 || sized, "a length belongs to its framing");
  fuzz::require(head.minor_version == 1 || head.body != http::framing::chunked,
                "HTTP/1.0 knows no chunks");
  const auto both = head.fields.find("Content-Length") && head.fields.find("Transfer-Encoding");
  fuzz::require(!both, "a body has one length");
}

// False: it takes no more.
template <class Decoder>
bool take(Decoder& d, outcome& out, bool upgrade) {
  const auto e = d.next();
  if (!e) {
    fuzz::require(!d.why().empty() && d.status() >= 400, "a refusal says why");
    out.said += "\nrefused " + std::to_string(d.status());
    return false;
  }
  switch (*e) {
  case http::event::more: return false;
  case http::event::head:
    check_framing(d.head());
    out.heads.push_back(written(d));
    out.said += "\nhead ";
    if constexpr (requires { d.upgrade(); }) {
      if (upgrade && !d.head().upgrade.empty()) d.upgrade();
    }
    return true;
  case http::event::body:
    fuzz::require(!d.body().empty(), "a part of a body has bytes");
    for (const std::byte b : d.body()) out.said += static_cast<char>(b);
    return true;
  case http::event::end: {
    std::string trailers;
    write_fields(trailers, d.trailers());
    out.said += "\nend " + trailers;
    return true;
  }
  case http::event::upgraded: out.upgraded = true; break;
  }
  return false;
}

template <class Decoder>
outcome decode(std::span<const std::uint8_t> bytes, const http::limits& most, bool upgrade,
               fuzz::decisions cut) {
  Decoder d(most);
  outcome out;
  std::vector<std::unique_ptr<std::byte[]>> fed;
  const bool whole = cut.empty();
  const auto over = [&] { return out.upgraded || d.status() != 0; };
  while (!bytes.empty() && !over()) {
    const std::size_t n =
        whole ? bytes.size() : std::min<std::size_t>(bytes.size(), 1 + cut.byte() % 9U);
    auto& copy = fed.emplace_back(std::make_unique<std::byte[]>(n));
    std::ranges::copy(std::as_bytes(bytes.first(n)), copy.get());
    d.feed({copy.get(), n});
    while (take(d, out, upgrade)) {
    }
    fuzz::require(d.memory_bytes() <= 4 * (most.head_bytes_max + 1) +
                                          4 * (most.fields_max + 1) * sizeof(http::field),
                  "memory is bounded by the limits");
    bytes = bytes.subspan(n);
  }
  if (!over() && d.in_the_middle()) out.said += "\nnot whole";
  return out;
}

template <class Decoder>
void check(std::span<const std::uint8_t> stream, const http::limits& most, bool upgrade) {
  const auto expected = decode<Decoder>(stream, most, upgrade, fuzz::decisions({}));
  constexpr std::uint8_t one_at_a_time[] = {0};
  fuzz::require(decode<Decoder>(stream, most, upgrade, fuzz::decisions(one_at_a_time)) == expected,
                "a byte at a time gives the same");
  fuzz::require(decode<Decoder>(stream, most, upgrade, fuzz::decisions(stream)) == expected,
                "any pieces give the same");
  for (const std::string& head : expected.heads) {
    const std::span text(reinterpret_cast<const std::uint8_t*>(head.data()), head.size());
    const auto again =
        decode<Decoder>(text, {.head_bytes_max = 1 << 20}, false, fuzz::decisions({}));
    fuzz::require(again.heads == std::vector{head}, "what is written again comes back:", head);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::decisions choose({data, size});
  const bool requests = choose.below(2) == 0;
  const bool upgrade = choose.below(2) == 1;
  const http::limits most{.head_bytes_max = 1U + 8U * choose.byte(),
                          .fields_max = choose.below(20),
                          .target_bytes_max = choose.byte(),
                          .chunk_extension_bytes_max = choose.byte()};
  if (requests) check<http::request_decoder>(choose.rest(), most, upgrade);
  else check<http::response_decoder>(choose.rest(), most, upgrade);
  return 0;
}
