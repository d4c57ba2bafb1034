// What fuzz targets share. A target is one function of some bytes, which stops the program when a
// property does not hold. clang's libFuzzer (`./dev check fuzz`) looks for bytes that do so;
// replay.cpp runs those of the corpus, as an ordinary test.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
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

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace fuzz
