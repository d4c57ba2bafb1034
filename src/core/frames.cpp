// Coroutine frames from free lists of the thread: taking and giving back cost a few nanoseconds,
// and a server in steady state allocates nothing.
//
// Sizes are rounded up to a class (64-byte steps to 1 KiB, then powers of two to 64 KiB); a class
// keeps at most `kept_bytes`. Larger frames, and all of them under AddressSanitizer (which must see
// a use after the end), come from operator new.
#include "iolite/task.hpp"

#include <array>
#include <bit>
#include <new>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IOLITE_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define IOLITE_ASAN 1
#endif

namespace iolite {
namespace {

#if defined(IOLITE_ASAN)
constexpr bool pooled = false;
#else
constexpr bool pooled = true;
#endif

constexpr std::size_t step = 64;
constexpr std::size_t small_max = 1024;
constexpr std::size_t large_max = std::size_t{64} * 1024;
constexpr std::size_t classes = small_max / step + 6;
constexpr std::size_t kept_bytes = std::size_t{256} * 1024;

struct frame {
  frame* next;
};
struct free_list {
  frame* first;
  std::size_t count;
};

enum class stage : unsigned char { fresh, in_use, over };

// Trivial, so that access to it needs no guard; the guard below frees it when the thread ends.
thread_local constinit std::array<free_list, classes> lists{};
thread_local constinit stage life = stage::fresh;

struct cleaner {
  ~cleaner() {
    life = stage::over;
    for (free_list& l : lists) {
      while (frame* f = l.first) {
        l.first = f->next;
        ::operator delete(f);
      }
    }
  }
};

void begin_life() noexcept {
  thread_local cleaner at_exit;
  static_cast<void>(&at_exit);
  life = stage::in_use;
}

std::size_t class_of(std::size_t bytes) noexcept {
  if (bytes <= small_max) return (bytes + step - 1) / step - 1;
  return small_max / step + static_cast<std::size_t>(std::bit_width((bytes - 1) / small_max)) - 1;
}

std::size_t bytes_of(std::size_t c) noexcept {
  return c < small_max / step ? (c + 1) * step : small_max << (c - small_max / step + 1);
}

}  // namespace

void* detail::take_frame(std::size_t bytes) {
  if (!pooled || bytes > large_max) return ::operator new(bytes);
  const std::size_t c = class_of(bytes);
  free_list& l = lists[c];
  if (frame* f = l.first) {
    l.first = f->next;
    --l.count;
    return f;
  }
  return ::operator new(bytes_of(c));
}

void detail::give_frame(void* p, std::size_t bytes) noexcept {
  if (!pooled || bytes > large_max) return ::operator delete(p);
  if (life == stage::fresh) begin_life();
  const std::size_t c = class_of(bytes);
  free_list& l = lists[c];
  if (life == stage::over || l.count * bytes_of(c) >= kept_bytes) return ::operator delete(p);
  l.first = ::new (p) frame{l.first};
  ++l.count;
}

}  // namespace iolite
