// What the threads of a program did to memory: who may see what, and who raced with whom.
//
// Happens-before is a vector clock for each thread (Fidge, Mattern). An atomic keeps the values it
// had, so that a read which is not seq_cst can be given an older one; a store which is not seq_cst
// may become visible late. Eight bytes of plain memory keep the last accesses of each thread, as in
// ThreadSanitizer.
#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace interleavings {

inline constexpr int threads_max = 8;
using address = std::uintptr_t;

struct vector_clock {
  std::array<std::uint32_t, threads_max> at{};
  void join(const vector_clock& other) {
    for (std::size_t i = 0; i < at.size(); ++i) at[i] = std::max(at[i], other.at[i]);
  }
};

constexpr bool acquires(int order) {
  return order == __ATOMIC_CONSUME || order == __ATOMIC_ACQUIRE || order == __ATOMIC_ACQ_REL ||
         order == __ATOMIC_SEQ_CST;
}
constexpr bool releases(int order) {
  return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

enum access_kind : std::uint8_t {
  plain_read = 0,
  plain_write = 1,
  atomic_read = 2,
  atomic_write = 3
};

// The heap and the stack of each thread are at the same addresses in every execution.
class regions {
 public:
  static constexpr std::size_t heap_bytes = std::size_t{1} << 20;
  static constexpr std::size_t stack_bytes = std::size_t{1} << 18;

  regions();
  [[nodiscard]] bool holds(address a) const { return a - begin_ < total; }
  [[nodiscard]] std::size_t offset(address a) const { return a - begin_; }
  [[nodiscard]] std::byte* stack(int thread) const;
  // Null: the program needs more than is there. Nothing is used twice in one execution, so that a
  // use after the end is seen.
  void* allocate(int thread, std::size_t bytes, std::size_t alignment);
  static std::size_t size_of(const void* block);
  void reset() { used_ = {}; }

  static constexpr std::size_t each = heap_bytes + stack_bytes;
  static constexpr std::size_t total = each * threads_max;

 private:
  address begin_ = 0;
  std::array<std::size_t, threads_max> used_{};
};

// One value that an atomic had.
struct stored {
  std::uint64_t value = 0;
  vector_clock released;  // what an acquire that reads it learns
  bool seq_cst = false;
  std::array<std::uint32_t, threads_max> known{};  // since when each thread has seen it; 0: not yet
};
// One that its thread has made and that the others do not see yet.
struct late_store {
  int thread = 0;
  address at = 0;
  std::size_t bytes = 0;
  std::uint64_t value = 0;
  int order = 0;
  vector_clock made;
};
struct atomic_location {
  std::uint64_t execution = 0;
  std::vector<stored> values;  // oldest first
};

class memory {
 public:
  memory();
  void reset();  // a new execution

  vector_clock& clock(int thread) { return clocks_[static_cast<std::size_t>(thread)]; }
  void tick(int thread) { ++clock(thread).at[static_cast<std::size_t>(thread)]; }

  // What is wrong with it, or null.
  const char* access(int thread, address a, std::size_t bytes, access_kind kind);
  const char* free(int thread, void* block);

  // The location at `a`, which begins with the value that is there.
  atomic_location& location(address a, std::uint64_t value_there);
  // The oldest value that `thread` may still read.
  std::size_t oldest_readable(int thread, const atomic_location& l, int order);
  void did_read(int thread, stored& s, int order);
  void did_store(int thread, atomic_location& l, std::uint64_t value, int order, bool is_update);

  // --- stores that become visible late: after the loads, and the stores elsewhere, that follow ---
  void store_late(int thread, address a, std::size_t bytes, std::uint64_t value, int order);
  // What `thread` itself reads there before others do, or null.
  [[nodiscard]] const late_store* own_late(int thread, address a) const;
  // Where it is late first, or 0.
  [[nodiscard]] address late_at(int thread) const;
  [[nodiscard]] bool others_are_late(int thread, address a) const;
  // They become visible: what others have stored there; what `thread` has stored, all or there.
  void land_others(int thread, address a);
  void land(int thread, address a = 0);

  regions where;

 private:
  struct cell {
    std::uint32_t clock;
    std::uint8_t thread;
    std::uint8_t mask;  // which of the eight bytes
    access_kind kind;
  };
  static constexpr std::size_t cells_max = 6;
  struct granule {
    std::uint32_t execution;
    std::uint8_t count;
    bool freed;
    bool has_atomic;
    std::array<cell, cells_max> cells;
  };

  granule& granule_of(address a);
  const char* access_granule(granule& g, int thread, std::uint8_t mask, access_kind kind);
  static void remember(granule& g, const cell& now);
  [[nodiscard]] bool knows(int thread, const stored& s);
  void add(int thread, atomic_location& l, stored s, int order, const vector_clock& made);
  template <class Which>
  void land_if(Which which);

  std::array<vector_clock, threads_max> clocks_;
  std::uint32_t execution_ = 0;
  granule* granules_;  // of the regions
  std::unordered_map<address, granule> others_;
  std::unordered_map<address, atomic_location> atomics_;
  std::vector<late_store> late_;  // in the order in which they were made
};

}  // namespace interleavings
