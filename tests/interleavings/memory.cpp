// See memory.hpp.
#include "memory.hpp"

#include <cstring>
#include <sys/mman.h>

namespace interleavings {
namespace {

// Pages come when they are first touched, zeroed.
void* reserve(std::size_t bytes) {
  void* const p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) std::abort();
  return p;
}

constexpr std::size_t header = 16;  // before each block: its size

}  // namespace

regions::regions() : begin_(reinterpret_cast<address>(reserve(total))) {}

std::byte* regions::stack(int thread) const {
  return reinterpret_cast<std::byte*>(begin_) + static_cast<std::size_t>(thread) * each +
         heap_bytes;
}

void* regions::allocate(int thread, std::size_t bytes, std::size_t alignment) {
  std::size_t& used = used_[static_cast<std::size_t>(thread)];
  alignment = std::max(alignment, header);
  const std::size_t begin = (used + header + alignment - 1) / alignment * alignment;
  if (begin + bytes > heap_bytes) return nullptr;
  used = begin + bytes;
  std::byte* const p =
      reinterpret_cast<std::byte*>(begin_) + static_cast<std::size_t>(thread) * each + begin;
  *reinterpret_cast<std::size_t*>(p - header) = bytes;
  return p;
}

std::size_t regions::size_of(const void* block) {
  return *reinterpret_cast<const std::size_t*>(static_cast<const std::byte*>(block) - header);
}

memory::memory()
    : granules_(static_cast<granule*>(reserve(regions::total / 8 * sizeof(granule)))) {}

void memory::reset() {
  ++execution_;
  clocks_ = {};
  for (int t = 0; t < threads_max; ++t) tick(t);
  others_.clear();
  late_.clear();
  where.reset();
}

memory::granule& memory::granule_of(address a) {
  granule& g = where.holds(a) ? granules_[where.offset(a) / 8] : others_[a / 8];
  if (g.execution != execution_) {
    g.execution = execution_;
    g.count = 0;
    g.freed = g.has_atomic = false;
  }
  return g;
}

template <class Which>
void memory::land_if(Which which) {
  for (std::size_t i = 0; i < late_.size();) {
    if (!which(late_[i])) {
      ++i;
      continue;
    }
    const late_store s = late_[i];
    late_.erase(late_.begin() + static_cast<std::ptrdiff_t>(i));
    auto* const p = reinterpret_cast<void*>(s.at);
    std::uint64_t before = 0;
    std::memcpy(&before, p, s.bytes);
    atomic_location& l = location(s.at, before);
    std::memcpy(p, &s.value, s.bytes);
    stored now;
    now.value = s.value;
    add(s.thread, l, now, s.order, s.made);
  }
}

const char* memory::access(int thread, address a, std::size_t bytes, access_kind kind) {
  for (const address end = a + bytes; a < end;) {
    const std::size_t in = a % 8;
    const std::size_t n = std::min<std::size_t>(8 - in, end - a);
    const auto mask = static_cast<std::uint8_t>(((1U << n) - 1U) << in);
    granule& g = granule_of(a);
    // A new object where an atomic was: its past is over.
    if (kind == plain_write && g.has_atomic) {
      land_if([&](const late_store& l) { return l.at >= a && l.at < a + n; });
      for (address b = a; b < a + n; ++b) atomics_.erase(b);
    }
    if (const char* wrong = access_granule(g, thread, mask, kind)) return wrong;
    a += n;
  }
  return nullptr;
}

const char* memory::access_granule(granule& g, int thread, std::uint8_t mask, access_kind kind) {
  if (g.freed) return "use after the end: this memory was given back";
  const auto me = static_cast<std::uint8_t>(thread);
  const cell now{clock(thread).at[me], me, mask, kind};
  if (g.count > 0) {  // mostly it is what was done last
    const cell& last = g.cells[g.count - 1U];
    if (last.thread == me && last.clock == now.clock && last.mask == mask && last.kind == kind)
      return nullptr;
  }
  const vector_clock& mine = clock(thread);
  for (std::size_t i = 0; i < g.count; ++i) {
    const cell& c = g.cells[i];
    const bool conflicts = (c.mask & mask) != 0 && ((c.kind | kind) & 1) != 0 &&
                           !((c.kind & 2) != 0 && (kind & 2) != 0);
    if (conflicts && c.thread != me && c.clock > mine.at[c.thread])
      return (c.kind & kind & 1) != 0 ? "data race: two writes" : "data race: a read and a write";
  }
  if ((kind & 2) != 0) g.has_atomic = true;
  remember(g, now);
  return nullptr;
}

// Of what one thread did to the same bytes the last counts; a write counts for a read.
void memory::remember(granule& g, const cell& now) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < g.count; ++i) {
    const cell& c = g.cells[i];
    const bool covered = c.thread == now.thread && (c.mask & ~now.mask) == 0 &&
                         (c.kind & 2) >= (now.kind & 2) && (c.kind & 1) <= (now.kind & 1);
    if (!covered) g.cells[kept++] = c;
  }
  if (kept == cells_max) {
    std::move(g.cells.begin() + 1, g.cells.end(), g.cells.begin());
    --kept;
  }
  g.cells[kept++] = now;
  g.count = static_cast<std::uint8_t>(kept);
}

const char* memory::free(int thread, void* block) {
  const auto a = reinterpret_cast<address>(block);
  constexpr std::size_t watched_max = 1024;  // the rest of a large one is given up
  const std::size_t bytes = std::clamp<std::size_t>(regions::size_of(block), 1, watched_max);
  if (const char* wrong = access(thread, a, bytes, plain_write)) return wrong;
  for (address at = a; at < a + bytes; at += 8) granule_of(at).freed = true;
  return nullptr;
}

atomic_location& memory::location(address a, std::uint64_t value_there) {
  atomic_location& l = atomics_[a];
  if (l.execution != execution_) {
    l.execution = execution_;
    l.values.clear();
    l.values.emplace_back().value = value_there;
    l.values.back().known.fill(1);  // whoever got here was told of it
  }
  return l;
}

bool memory::knows(int thread, const stored& s) {
  const vector_clock& mine = clock(thread);
  for (std::size_t t = 0; t < threads_max; ++t) {
    if (s.known[t] != 0 && s.known[t] <= mine.at[t]) return true;
  }
  return false;
}

// Coherence: nothing older than what this thread knows of. seq_cst: nor than the last such store.
std::size_t memory::oldest_readable(int thread, const atomic_location& l, int order) {
  for (std::size_t i = l.values.size(); i-- > 0;) {
    if ((order == __ATOMIC_SEQ_CST && l.values[i].seq_cst) || knows(thread, l.values[i])) return i;
  }
  return 0;
}

void memory::did_read(int thread, stored& s, int order) {
  const auto me = static_cast<std::size_t>(thread);
  if (acquires(order)) clock(thread).join(s.released);
  if (s.known[me] == 0) s.known[me] = clock(thread).at[me];
}

void memory::did_store(int thread, atomic_location& l, std::uint64_t value, int order,
                       bool is_update) {
  stored s;
  s.value = value;
  if (is_update) s.released = l.values.back().released;  // a release sequence goes on
  add(thread, l, s, order, clock(thread));
}

void memory::add(int thread, atomic_location& l, stored s, int order, const vector_clock& made) {
  constexpr std::size_t values_max = 16;
  if (l.values.size() == values_max) l.values.erase(l.values.begin());
  const auto me = static_cast<std::size_t>(thread);
  s.seq_cst = order == __ATOMIC_SEQ_CST;
  if (releases(order)) s.released.join(made);
  s.known[me] = made.at[me];
  l.values.push_back(s);
}

// --- late stores ---

void memory::store_late(int thread, address a, std::size_t bytes, std::uint64_t value, int order) {
  late_.push_back({thread, a, bytes, value, order, clock(thread)});
}

const late_store* memory::own_late(int thread, address a) const {
  const auto last = std::find_if(late_.rbegin(), late_.rend(), [&](const late_store& s) {
    return s.thread == thread && s.at == a;
  });
  return last == late_.rend() ? nullptr : &*last;
}

address memory::late_at(int thread) const {
  const auto first = std::find_if(late_.begin(), late_.end(),
                                  [&](const late_store& s) { return s.thread == thread; });
  return first == late_.end() ? 0 : first->at;
}

bool memory::others_are_late(int thread, address a) const {
  return std::any_of(late_.begin(), late_.end(),
                     [&](const late_store& s) { return s.thread != thread && s.at == a; });
}

void memory::land_others(int thread, address a) {
  if (late_.empty()) return;
  land_if([&](const late_store& s) { return s.thread != thread && s.at == a; });
}

void memory::land(int thread, address a) {
  if (late_.empty()) return;
  land_if([&](const late_store& s) { return s.thread == thread && (a == 0 || s.at == a); });
}

}  // namespace interleavings
