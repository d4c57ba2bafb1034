// What fuzz targets share. A target is one function of some bytes, which stops the program when a
// property does not hold. clang's libFuzzer (`./dev check fuzz`) looks for bytes that do so;
// replay.cpp runs those of the corpus, as an ordinary test.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

inline void require(bool holds, std::string_view property, const std::string& of = {}) {
  if (holds) return;
  std::fprintf(stderr, "property broken: %.*s %s\n", static_cast<int>(property.size()),
               property.data(), of.c_str());
  std::abort();
}

// Decisions out of bytes; zero when there are no more.
class decisions {
 public:
  explicit decisions(std::span<const std::uint8_t> bytes) : left_(bytes) {}
  [[nodiscard]] bool empty() const { return left_.empty(); }
  std::uint8_t byte() {
    if (left_.empty()) return 0;
    const std::uint8_t b = left_.front();
    left_ = left_.subspan(1);
    return b;
  }
  unsigned below(unsigned n) { return byte() % n; }
  std::uint64_t number(unsigned bytes) {
    std::uint64_t n = 0;
    while (bytes-- > 0) n = n << 8 | byte();
    return n;
  }
  [[nodiscard]] std::span<const std::uint8_t> rest() const { return left_; }

 private:
  std::span<const std::uint8_t> left_;
};

// Gives `bytes` to a decoder with room() and wrote(), in pieces whose lengths `cut` says; without
// any, as much at a time as there is room for. After each piece `take()` says whether to go on;
// false: it did not.
template <class Decoder, class Take>
bool pour(Decoder& d, std::span<const std::byte> bytes, decisions cut, Take take) {
  const bool whole = cut.empty();
  std::size_t arrived = 0;
  while (!bytes.empty()) {
    const auto room = d.room();
    require(!room.empty(), "there is room for a byte");
    require(room.size() <= std::max<std::size_t>(4096, 2 * arrived),
            "memory is bounded by what has arrived");
    std::size_t n = std::min(room.size(), bytes.size());
    if (!whole) n = std::min<std::size_t>(n, 1 + cut.byte() % 9U);
    std::memcpy(room.data(), bytes.data(), n);
    d.wrote(n);
    arrived += n;
    bytes = bytes.subspan(n);
    if (!take()) return false;
  }
  return true;
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace fuzz
