// See frame_memory.hpp: what is done seldom.
#include "iolite/core/frame_memory.hpp"

#include <new>

namespace iolite::detail {
namespace {

constexpr std::size_t kept_bytes = std::size_t{256} * 1024;  // a list

enum class stage : unsigned char { fresh, in_use, over };
constinit thread_local stage life = stage::fresh;

struct cleaner {
  ~cleaner() {
    life = stage::over;
    for (free_frames& l : frame_lists) {
      l.most = 0;
      while (free_frame* f = l.first) {
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
  for (std::size_t c = 0; c < frame_class::count; ++c) {
    frame_lists[c].most = kept_bytes / frame_class::bytes(c);
  }
}

}  // namespace

// Trivial, so that access to it needs no guard; `cleaner` frees it when the thread ends.
constinit thread_local free_frames frame_lists[frame_class::count]{};

void* allocate_frame(std::size_t bytes) {
  if (bytes > frame_class::largest) return ::operator new(bytes);
  return ::operator new(frame_class::bytes(frame_class::of(bytes)));
}

void give_frame_to_full_list(void* frame, std::size_t bytes) noexcept {
  if (reuses_frames && life == stage::fresh) {
    begin_life();
    if (bytes <= frame_class::largest) return give_frame(frame, bytes);
  }
  ::operator delete(frame);
}

}  // namespace iolite::detail
