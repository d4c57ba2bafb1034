// Memory of coroutine frames, from free lists of the thread: taking and giving back cost a few
// nanoseconds, and a server in steady state allocates nothing.
//
// A frame may be given back on another thread than it was taken on. A list keeps a bounded number.
// Very large frames come from operator new, and so do all of them under AddressSanitizer, which
// must see a use after the end: those of a program that is compiled with it also when the library
// was not.
#pragma once
#include <bit>
#include <cstddef>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define IOLITE_REUSES_FRAMES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IOLITE_REUSES_FRAMES 0
#endif
#endif
#if !defined(IOLITE_REUSES_FRAMES)
#define IOLITE_REUSES_FRAMES 1
#endif

namespace iolite::detail {

constexpr bool reuses_frames = IOLITE_REUSES_FRAMES != 0;
#undef IOLITE_REUSES_FRAMES

// Sizes are rounded up to what the C library's allocator has without waste, 16 n + 8 bytes; from
// 1 KiB on to powers of two.
struct frame_class {
  static constexpr std::size_t step = 16;
  static constexpr std::size_t small_max = 1024 + 8;
  static constexpr std::size_t small_count = small_max / step + 1;
  static constexpr std::size_t count = small_count + 6;
  static constexpr std::size_t largest = std::size_t{64} * 1024;

  [[nodiscard]] static constexpr std::size_t of(std::size_t bytes) noexcept {
    if (bytes <= small_max) return (bytes + step - 9) / step;
    return small_count + static_cast<std::size_t>(std::bit_width((bytes - 1) >> 11));
  }
  [[nodiscard]] static constexpr std::size_t bytes(std::size_t c) noexcept {
    return c < small_count ? c * step + 8 : std::size_t{2048} << (c - small_count);
  }
};

struct free_frame {
  free_frame* next;
};
struct free_frames {
  free_frame* first;
  std::size_t count;
  std::size_t most;  // zero before the thread has given one back, and at its end
};
extern constinit thread_local free_frames frame_lists[frame_class::count];

[[nodiscard]] void* allocate_frame(std::size_t bytes);
void give_frame_to_full_list(void* frame, std::size_t bytes) noexcept;

// These two may be given what the others of another translation unit have taken, with the sanitizer
// or without: all frames come from allocate_frame().
[[nodiscard]] inline void* take_frame(std::size_t bytes) {
  if (!reuses_frames || bytes > frame_class::largest) return allocate_frame(bytes);
  free_frames& l = frame_lists[frame_class::of(bytes)];
  free_frame* const f = l.first;
  if (!f) return allocate_frame(bytes);
  l.first = f->next;
  --l.count;
  return f;
}

inline void give_frame(void* frame, std::size_t bytes) noexcept {
  if (!reuses_frames) return ::operator delete(frame);
  if (bytes > frame_class::largest) return give_frame_to_full_list(frame, bytes);
  free_frames& l = frame_lists[frame_class::of(bytes)];
  if (l.count >= l.most) return give_frame_to_full_list(frame, bytes);
  auto* const f = static_cast<free_frame*>(frame);
  f->next = l.first;
  l.first = f;
  ++l.count;
}

}  // namespace iolite::detail
