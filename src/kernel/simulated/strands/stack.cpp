// See stack.hpp. mmap(2).
#include "kernel/simulated/strands/stack.hpp"

#include "kernel/simulated/strands/sanitizer.hpp"

#include <new>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

namespace iolite::simulated {
namespace {

constexpr std::size_t kept_max = 64;

std::size_t page_bytes() noexcept {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

// A page more than asked for, which stays closed.
std::byte* map_stack() {
  constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK;
  void* const p = ::mmap(nullptr, stack::bytes + page_bytes(), PROT_NONE, flags, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  std::byte* const lowest = static_cast<std::byte*>(p) + page_bytes();
  if (::mprotect(lowest, stack::bytes, PROT_READ | PROT_WRITE) == 0) return lowest;
  ::munmap(p, stack::bytes + page_bytes());
  throw std::bad_alloc();
}

void unmap_stack(std::byte* lowest) noexcept {
  ::munmap(lowest - page_bytes(), stack::bytes + page_bytes());
}

struct kept_stacks {
  std::vector<std::byte*> free;
  kept_stacks() { free.reserve(kept_max); }
  kept_stacks(const kept_stacks&) = delete;
  kept_stacks& operator=(const kept_stacks&) = delete;
  ~kept_stacks() {
    for (std::byte* s : free) unmap_stack(s);
  }
};

kept_stacks& kept() {
  thread_local kept_stacks here;
  return here;
}

}  // namespace

stack::stack() : lowest_(nullptr) {
  auto& free = kept().free;
  if (free.empty()) {
    lowest_ = map_stack();
    return;
  }
  lowest_ = free.back();
  free.pop_back();
}

stack::~stack() {
  if (!lowest_) return;
  auto& free = kept().free;
  if (free.size() < kept_max) free.push_back(lowest_);
  else unmap_stack(lowest_);
}

void stack::abandon() noexcept {
#if defined(IOLITE_STRANDS_ASAN)
  if (lowest_) __lsan_register_root_region(lowest_, bytes);
#endif
  lowest_ = nullptr;
}

}  // namespace iolite::simulated
