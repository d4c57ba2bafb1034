// What AddressSanitizer and ThreadSanitizer are told of strands; nothing without them.
#pragma once
#include <cstddef>
#include <span>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IOLITE_STRANDS_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define IOLITE_STRANDS_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define IOLITE_STRANDS_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define IOLITE_STRANDS_TSAN 1
#endif

#if defined(IOLITE_STRANDS_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#if defined(IOLITE_STRANDS_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace iolite::simulated {

// One strand, as the sanitizer knows it.
class sanitized_strand {
 public:
  // The one that runs; it has a stack already.
  sanitized_strand() noexcept {
#if defined(IOLITE_STRANDS_TSAN)
    fiber_ = __tsan_get_current_fiber();
#endif
  }
  explicit sanitized_strand([[maybe_unused]] std::span<std::byte> memory) noexcept {
#if defined(IOLITE_STRANDS_ASAN)
    bottom_ = memory.data();
    size_ = memory.size();
    ASAN_UNPOISON_MEMORY_REGION(memory.data(), memory.size());  // who had it may have been cut off
#endif
#if defined(IOLITE_STRANDS_TSAN)
    fiber_ = __tsan_create_fiber(0);
    made_ = true;
#endif
  }
  sanitized_strand(const sanitized_strand&) = delete;
  sanitized_strand& operator=(const sanitized_strand&) = delete;
  ~sanitized_strand() {
#if defined(IOLITE_STRANDS_TSAN)
    if (made_) __tsan_destroy_fiber(fiber_);
#endif
  }

  // Right before the stack is switched; `over`: this one will not run again.
  void leave_for([[maybe_unused]] sanitized_strand& to, [[maybe_unused]] bool over) noexcept {
#if defined(IOLITE_STRANDS_ASAN)
    to.from_ = this;
    __sanitizer_start_switch_fiber(over ? nullptr : &fake_stack_, to.bottom_, to.size_);
#endif
#if defined(IOLITE_STRANDS_TSAN)
    __tsan_switch_to_fiber(to.fiber_, 0);
#endif
  }
  // Right after this one runs (again).
  void arrive() noexcept {
#if defined(IOLITE_STRANDS_ASAN)
    __sanitizer_finish_switch_fiber(fake_stack_, &from_->bottom_, &from_->size_);
    fake_stack_ = nullptr;
#endif
  }

 private:
#if defined(IOLITE_STRANDS_ASAN)
  void* fake_stack_ = nullptr;
  const void* bottom_ = nullptr;
  std::size_t size_ = 0;
  sanitized_strand* from_ = nullptr;
#endif
#if defined(IOLITE_STRANDS_TSAN)
  void* fiber_ = nullptr;
  bool made_ = false;
#endif
};

}  // namespace iolite::simulated
