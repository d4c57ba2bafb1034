// What the compiler calls for each access to memory, under -fsanitize=thread. The interface is that
// of the sanitizer's library: compiler-rt, tsan_interface.h and tsan_interface_atomic.h.
#include "machine.hpp"

#include <cstring>
#include <type_traits>

using interleavings::access_kind;
using interleavings::machine;

namespace {

void access(const volatile void* p, std::size_t bytes, access_kind kind) {
  if (!machine::active()) return;
  machine& m = machine::it();
  const machine::inside here;
  m.access(const_cast<const void*>(p), bytes, kind);
}

template <class T>
std::uint64_t as_word(T value) {
  std::uint64_t word = 0;
  std::memcpy(&word, &value, sizeof value);
  return word;
}

template <class T>
interleavings::atomic_location& arrive(const volatile T* p, access_kind kind, const char* what,
                                       const void* caller) {
  machine& m = machine::it();
  auto* const plain = const_cast<const T*>(p);
  m.point({what, plain, caller});
  m.access(plain, sizeof(T), kind);
  return m.mem.location(reinterpret_cast<interleavings::address>(plain), as_word(*p));
}

template <class T>
T load(const volatile T* p, int order, const void* caller) {
  if (!machine::active()) return __atomic_load_n(p, __ATOMIC_SEQ_CST);
  machine& m = machine::it();
  const machine::inside here;
  auto& l = arrive(p, interleavings::atomic_read, "load", caller);
  const auto a = reinterpret_cast<interleavings::address>(p);
  T value;
  m.next_step();
  if (const auto* const own = m.mem.own_late(m.thread(), a)) {
    std::memcpy(&value, &own->value, sizeof value);
    return value;
  }
  m.mem.land_others(m.thread(), a);  // to read what was there before is to read an older value
  const std::size_t newest = l.values.size() - 1;
  const std::size_t oldest = m.mem.oldest_readable(m.thread(), l, order);
  std::size_t back = 0;
  if (newest > oldest && m.stale_reads_left() > 0) {
    back = static_cast<std::size_t>(m.choose(static_cast<int>(newest - oldest + 1)));
    if (back > 0) m.took_stale_read();
  }
  auto& read = l.values[newest - back];
  m.mem.did_read(m.thread(), read, order);
  std::memcpy(&value, &read.value, sizeof value);
  return value;
}

// Before a thread writes to an atomic: what it has stored there itself is visible, and all that it
// has stored where this releases; what others have stored there comes before it, or after.
void settle(const volatile void* p, int order) {
  machine& m = machine::it();
  const auto a = reinterpret_cast<interleavings::address>(p);
  m.mem.land(m.thread(), interleavings::releases(order) ? 0 : a);
  m.next_step();
  if (m.mem.others_are_late(m.thread(), a) && m.choose(2) == 0) m.mem.land_others(m.thread(), a);
}

template <class T>
void store(volatile T* p, T value, int order, const void* caller) {
  if (!machine::active()) return __atomic_store_n(p, value, __ATOMIC_SEQ_CST);
  machine& m = machine::it();
  const machine::inside here;
  auto& l = arrive(p, interleavings::atomic_write, "store", caller);
  settle(p, order);
  m.next_step();
  const auto a = reinterpret_cast<interleavings::address>(p);
  if (order != __ATOMIC_SEQ_CST && m.may_be_late(a) && m.choose(2) == 1) {
    m.took_late_store();
    m.mem.store_late(m.thread(), a, sizeof value, as_word(value), order);
  } else {
    *p = value;
    m.mem.did_store(m.thread(), l, as_word(value), order, false);
  }
  m.mem.tick(m.thread());
}

// An update reads the newest value, always.
template <class T, class Change>
T update(volatile T* p, int order, const char* what, const void* caller, Change change) {
  machine& m = machine::it();
  const machine::inside here;
  auto& l = arrive(p, interleavings::atomic_write, what, caller);
  settle(p, order);
  const T before = *p;
  const T after = change(before);
  m.mem.did_read(m.thread(), l.values.back(), order);
  *p = after;
  m.mem.did_store(m.thread(), l, as_word(after), order, true);
  m.mem.tick(m.thread());
  return before;
}

template <class T>
bool compare_exchange(volatile T* p, T* expected, T wanted, int order, int failure_order,
                      const void* caller) {
  if (!machine::active()) {
    return __atomic_compare_exchange_n(p, expected, wanted, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
  }
  machine& m = machine::it();
  const machine::inside here;
  auto& l = arrive(p, interleavings::atomic_write, "compare_exchange", caller);
  settle(p, order);
  const T before = *p;
  const bool same = before == *expected;
  m.mem.did_read(m.thread(), l.values.back(), same ? order : failure_order);
  if (same) {
    *p = wanted;
    m.mem.did_store(m.thread(), l, as_word(wanted), order, true);
    m.mem.tick(m.thread());
  } else {
    *expected = before;
  }
  return same;
}

}  // namespace

#define CALLER __builtin_return_address(0)

extern "C" {

// NOLINTBEGIN(bugprone-reserved-identifier): the sanitizer's names
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_read(void** p) { access(p, sizeof *p, interleavings::plain_read); }
void __tsan_vptr_update(void** p, void*) { access(p, sizeof *p, interleavings::plain_write); }
void __tsan_read_range(void* p, std::size_t n) { access(p, n, interleavings::plain_read); }
void __tsan_write_range(void* p, std::size_t n) { access(p, n, interleavings::plain_write); }

#define PLAIN(n)                                                                                   \
  void __tsan_read##n(void* p) { access(p, n, interleavings::plain_read); }                        \
  void __tsan_write##n(void* p) { access(p, n, interleavings::plain_write); }                      \
  void __tsan_unaligned_read##n(void* p) { access(p, n, interleavings::plain_read); }              \
  void __tsan_unaligned_write##n(void* p) { access(p, n, interleavings::plain_write); }
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void* __tsan_memcpy(void* to, const void* from, std::size_t n) {
  access(from, n, interleavings::plain_read);
  access(to, n, interleavings::plain_write);
  return std::memcpy(to, from, n);
}
void* __tsan_memmove(void* to, const void* from, std::size_t n) {
  access(from, n, interleavings::plain_read);
  access(to, n, interleavings::plain_write);
  return std::memmove(to, from, n);
}
void* __tsan_memset(void* p, int value, std::size_t n) {
  access(p, n, interleavings::plain_write);
  return std::memset(p, value, n);
}

#define UPDATE(bits, T, name, expression)                                                          \
  T __tsan_atomic##bits##_##name(volatile T* p, T v, int order) {                                  \
    const auto change = [v](T old) { return static_cast<T>(expression); };                         \
    if (machine::active()) return update(p, order, #name, CALLER, change);                         \
    T old = __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                  \
    while (!__atomic_compare_exchange_n(p, &old, change(old), false, __ATOMIC_SEQ_CST,             \
                                        __ATOMIC_SEQ_CST)) {                                       \
    }                                                                                              \
    return old;                                                                                    \
  }
#define ATOMIC(bits, T)                                                                            \
  T __tsan_atomic##bits##_load(const volatile T* p, int order) { return load(p, order, CALLER); }  \
  void __tsan_atomic##bits##_store(volatile T* p, T v, int order) { store(p, v, order, CALLER); }  \
  UPDATE(bits, T, exchange, (static_cast<void>(old), v))                                           \
  UPDATE(bits, T, fetch_add, old + v)                                                              \
  UPDATE(bits, T, fetch_sub, old - v)                                                              \
  UPDATE(bits, T, fetch_and, old& v)                                                               \
  UPDATE(bits, T, fetch_or, old | v)                                                               \
  UPDATE(bits, T, fetch_xor, old ^ v)                                                              \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile T* p, T* expected, T v, int order,    \
                                                    int failed) {                                  \
    return compare_exchange(p, expected, v, order, failed, CALLER);                                \
  }                                                                                                \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile T* p, T* expected, T v, int order,      \
                                                  int failed) {                                    \
    return compare_exchange(p, expected, v, order, failed, CALLER);                                \
  }                                                                                                \
  T __tsan_atomic##bits##_compare_exchange_val(volatile T* p, T expected, T v, int order,          \
                                               int failed) {                                       \
    compare_exchange(p, &expected, v, order, failed, CALLER);                                      \
    return expected;                                                                               \
  }
ATOMIC(8, unsigned char)
ATOMIC(16, unsigned short)
ATOMIC(32, unsigned)
ATOMIC(64, unsigned long)

// Fences are not modelled; nothing that is explored has one.
void __tsan_atomic_thread_fence(int) {
  if (!machine::active()) return __atomic_thread_fence(__ATOMIC_SEQ_CST);
  machine& m = machine::it();
  const machine::inside here;
  m.fail("a fence: not modelled");
}
void __tsan_atomic_signal_fence(int) {}
// NOLINTEND(bugprone-reserved-identifier)

}  // extern "C"
