// See memory.hpp.
#include "memory.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace iolite_test::memory {
namespace {

std::atomic<bool> armed = false;
std::atomic<std::uint64_t> seen = 0;
std::atomic<std::uint64_t> failed = 0;
std::atomic<std::uint64_t> first = 0;
std::atomic<std::uint64_t> many = 0;
std::atomic<std::int64_t> living = 0;

thread_local int sparing = 0;

bool fails() noexcept {
  if (!armed.load(std::memory_order_relaxed) || sparing > 0) return false;
  const std::uint64_t n = ++seen;
  const std::uint64_t from = first;
  if (from == 0 || n < from || n - from >= many) return false;
  ++failed;
  return true;
}

void* take(std::size_t bytes, std::size_t alignment) noexcept {
  if (fails()) return nullptr;
  const std::size_t size = bytes > 0 ? bytes : 1;
  void* const p =
      alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__
          ? std::malloc(size)
          : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (p) ++living;
  return p;
}

void* take_or_throw(std::size_t bytes, std::size_t alignment) {
  if (void* p = take(bytes, alignment)) return p;
  throw std::bad_alloc();
}

void give_back(void* p) noexcept {
  if (!p) return;
  --living;
  std::free(p);
}

}  // namespace

void arm(std::uint64_t nth, std::uint64_t times) noexcept {
  seen = 0;
  failed = 0;
  first = nth;
  many = times;
  armed = true;
}

counted disarm() noexcept {
  armed = false;
  return {seen, failed};
}

spared::spared() noexcept { ++sparing; }
spared::~spared() { --sparing; }

std::int64_t outstanding() noexcept { return living; }

}  // namespace iolite_test::memory

namespace m = iolite_test::memory;
using std::align_val_t;
using std::nothrow_t;
using std::size_t;

void* operator new(size_t n) { return m::take_or_throw(n, 0); }
void* operator new[](size_t n) { return m::take_or_throw(n, 0); }
void* operator new(size_t n, align_val_t a) { return m::take_or_throw(n, static_cast<size_t>(a)); }
void* operator new[](size_t n, align_val_t a) {
  return m::take_or_throw(n, static_cast<size_t>(a));
}
void* operator new(size_t n, const nothrow_t&) noexcept { return m::take(n, 0); }
void* operator new[](size_t n, const nothrow_t&) noexcept { return m::take(n, 0); }
void* operator new(size_t n, align_val_t a, const nothrow_t&) noexcept {
  return m::take(n, static_cast<size_t>(a));
}
void* operator new[](size_t n, align_val_t a, const nothrow_t&) noexcept {
  return m::take(n, static_cast<size_t>(a));
}
void operator delete(void* p) noexcept { m::give_back(p); }
void operator delete[](void* p) noexcept { m::give_back(p); }
void operator delete(void* p, size_t) noexcept { m::give_back(p); }
void operator delete[](void* p, size_t) noexcept { m::give_back(p); }
void operator delete(void* p, align_val_t) noexcept { m::give_back(p); }
void operator delete[](void* p, align_val_t) noexcept { m::give_back(p); }
void operator delete(void* p, size_t, align_val_t) noexcept { m::give_back(p); }
void operator delete[](void* p, size_t, align_val_t) noexcept { m::give_back(p); }
void operator delete(void* p, const nothrow_t&) noexcept { m::give_back(p); }
void operator delete[](void* p, const nothrow_t&) noexcept { m::give_back(p); }
void operator delete(void* p, align_val_t, const nothrow_t&) noexcept { m::give_back(p); }
void operator delete[](void* p, align_val_t, const nothrow_t&) noexcept { m::give_back(p); }
