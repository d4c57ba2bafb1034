// See machine.hpp.
#include "machine.hpp"

#include <cstdio>
#include <cstring>
#include <cxxabi.h>
#include <exception>
#include <link.h>
#include <unistd.h>

namespace interleavings {
namespace {

constexpr std::uint64_t steps_max = 20'000;

// The executable's thread_local memory: where this thread has it, and how a new one begins.
struct own_memory {
  std::byte* here = nullptr;
  std::vector<std::byte> fresh;
};

own_memory find_own_memory() {
  own_memory found;
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* out) {
        auto& own = *static_cast<own_memory*>(out);
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& h = info->dlpi_phdr[i];
          if (h.p_type != PT_TLS || !info->dlpi_tls_data) continue;
          own.here = static_cast<std::byte*>(info->dlpi_tls_data);
          own.fresh.resize(h.p_memsz);
          std::memcpy(own.fresh.data(), reinterpret_cast<void*>(info->dlpi_addr + h.p_vaddr),
                      h.p_filesz);
        }
        return 1;  // the first is the executable
      },
      &found);
  return found;
}

}  // namespace

machine& machine::it() {
  if (!only_) only_ = new machine;  // never destroyed
  return *only_;
}

machine::machine() {
  own_memory own = find_own_memory();
  own_ = own.here;
  fresh_ = std::move(own.fresh);
  outside_state_.own = fresh_;
}

void machine::save(fiber& f) const {
  std::memcpy(f.own.data(), own_, f.own.size());
  std::memcpy(f.exceptions.data(), abi::__cxa_get_globals(), f.exceptions.size());
}

void machine::load(const fiber& f) const {
  std::memcpy(own_, f.own.data(), f.own.size());
  std::memcpy(static_cast<void*>(abi::__cxa_get_globals()), f.exceptions.data(),
              f.exceptions.size());
}

bool machine::run(const limits& within, decisions& order, const std::function<void()>& program) {
  within_ = within;
  order_ = &order;
  order.begin();
  preemptions_left_ = within.preemptions;
  stale_left_ = within.stale_reads;
  late_left_ = within.late_stores;
  ++execution_;
  step_ = points_ = 0;
  time_ns = 1'000'000'000;
  failure_.clear();
  touched_by_.clear();
  deeds_.clear();
  made_ = 0;
  mem.reset();
  start(program);
  save(outside_state_);
  leave(outside_, 0);
  current_ = -1;
  active_ = false;
  load(outside_state_);
  return failure_.empty();
}

int machine::start(std::function<void()> body) {
  if (made_ > 0) land();
  if (made_ == threads_max) fail("the program has too many threads");
  const int t = made_++;
  fiber& f = fibers_[index(t)];
  f.body = std::move(body);
  f.own = fresh_;
  f.exceptions = {};
  f.needs = nullptr;
  f.over = false;
  f.waits_in = "not begun";
  ::getcontext(&f.at);
  f.at.uc_stack.ss_sp = mem.where.stack(t);
  f.at.uc_stack.ss_size = regions::stack_bytes;
  f.at.uc_link = nullptr;
  ::makecontext(&f.at, &machine::live, 0);
  if (t > 0) {
    mem.clock(t).join(mem.clock(current_));
    mem.tick(current_);
  }
  return t;
}

void machine::live() {
  machine& m = it();
  active_ = true;
  try {
    m.fibers_[index(m.current_)].body();
  } catch (const std::exception& e) {
    active_ = false;
    m.fail(std::string("an exception leaves a thread: ") + e.what());
  }
  active_ = false;
  m.end_thread();
}

// --- turns ---

bool machine::able(int thread) const {
  const fiber& f = fibers_[index(thread)];
  return !f.over && (!f.needs || f.timed || (*f.needs)());
}

void machine::others_able(std::vector<int>& out) const {
  out.clear();
  for (int t = 0; t < made_; ++t) {
    if (t != current_ && able(t)) out.push_back(t);
  }
}

void machine::leave(ucontext_t& here, int thread) {
  current_ = thread;
  load(fibers_[index(thread)]);
  ::swapcontext(&here, &fibers_[index(thread)].at);
}

void machine::give_turn_to(int thread) {
  if (thread == current_) return;
  fiber& mine = fibers_[index(current_)];
  save(mine);
  leave(mine.at, thread);
}

void machine::point(const deed& d) {
  if (++step_ > steps_max) fail("the program does not end");
  if (replaying) deeds_.emplace_back(current_, d);
  fibers_[index(current_)].waits_in = d.what;
  const auto a = reinterpret_cast<address>(d.where);
  touched_by_[a] |= 1U << current_;
  if (!replaying && !shared_.contains(a)) return;
  ++points_;
  if (preemptions_left_ == 0) return;
  others_able(able_);
  if (able_.empty()) return;
  const int chosen = choose(1 + static_cast<int>(able_.size()));
  if (chosen == 0) return;
  --preemptions_left_;
  give_turn_to(able_[index(chosen - 1)]);
}

void machine::land(const void* caller) {
  const address where = mem.late_at(current_);
  if (where == 0) return;
  point({"becomes visible", reinterpret_cast<const void*>(where), caller});
  mem.land(current_);
}

int machine::choose(int options) {
  const int chosen = order_->choose(step_, options);
  if (chosen < 0) fail("the program does not do the same in the same order");
  return chosen;
}

bool machine::wait(const std::function<bool()>& holds, bool timed) {
  land();
  fiber& mine = fibers_[index(current_)];
  while (!holds()) {
    if (++step_ > steps_max) fail("the program does not end");
    mine.needs = &holds;
    mine.timed = timed;
    others_able(able_);
    if (timed) able_.insert(able_.begin(), current_);
    if (able_.empty()) over_or_dead_lock();
    const int chosen = able_.size() > 1 ? choose(static_cast<int>(able_.size())) : 0;
    give_turn_to(able_[index(chosen)]);
    mine.needs = nullptr;
    if (timed && !holds()) return false;
  }
  return true;
}

void machine::end_thread() {
  fiber& mine = fibers_[index(current_)];
  land();
  mine.over = true;
  ++step_;
  others_able(able_);
  if (able_.empty()) over_or_dead_lock();
  const int chosen = able_.size() > 1 ? choose(static_cast<int>(able_.size())) : 0;
  leave(mine.at, able_[index(chosen)]);
}

// The program has ended when its first thread has, and the others only wait: as after main().
void machine::over_or_dead_lock() {
  if (fibers_[0].over) ::setcontext(&outside_);
  std::string who = "dead-lock:";
  for (int t = 0; t < made_; ++t) {
    const fiber& f = fibers_[index(t)];
    if (!f.over) who += " thread " + std::to_string(t) + " waits in " + f.waits_in + ";";
  }
  fail(who);
}

void machine::fail(const std::string& what) {
  failure_ = what;
  if (current_ < 0) std::abort();
  ::setcontext(&outside_);  // what the threads have begun stays undone
  std::abort();
}

void machine::access(const void* p, std::size_t bytes, access_kind kind) {
  const auto a = reinterpret_cast<address>(p);
  if (a - reinterpret_cast<address>(own_) < fresh_.size()) return;  // thread_local
  if (const char* wrong = mem.access(current_, a, bytes, kind)) fail(wrong);
}

bool machine::learn_shared() {
  const std::size_t before = shared_.size();
  for (const auto& [a, threads] : touched_by_) {
    if ((threads & (threads - 1)) != 0) shared_.insert(a);
  }
  return shared_.size() > before;
}

// --- the report ---

namespace {

// file:line of an address in the code, by addr2line(1).
std::string place_of(const void* caller) {
  extern const char base __asm__("__executable_start");
  char command[256];
  std::snprintf(command, sizeof command, "addr2line -Cs -e /proc/%d/exe -i 0x%zx 2>/dev/null",
                static_cast<int>(::getpid()),
                static_cast<std::size_t>(static_cast<const char*>(caller) - &base) - 1);
  std::string inlined;
  if (FILE* const pipe = ::popen(command, "r")) {
    char line[256];
    while (std::fgets(line, sizeof line, pipe)) {
      std::string at(line);
      at.erase(at.find_last_not_of('\n') + 1);
      const bool ours = at.find("atomic") == at.npos && at.find("std_") == at.npos &&
                        at.find("gthr") == at.npos && at.find("unique_lock") == at.npos;
      if (ours || inlined.empty()) inlined = at;
      if (ours) break;
    }
    ::pclose(pipe);
  }
  return inlined;
}

}  // namespace

std::string machine::trace() const {
  std::unordered_map<const void*, std::string> places;
  std::string out;
  for (const auto& [thread, d] : deeds_) {
    std::string& place = places[d.caller];
    if (place.empty()) place = place_of(d.caller);
    char line[320];
    std::snprintf(line, sizeof line, "  thread %d  %-24s %s\n", thread, d.what, place.c_str());
    out += line;
  }
  return out;
}

}  // namespace interleavings
