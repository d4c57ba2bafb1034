// How many system calls the library has made, by kind: exact, unlike time on a shared machine.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace iolite {

// How often one kind of system call was made.
struct system_call_count {
  std::string_view name;  // "epoll_wait"
  std::uint64_t count;
};

// Of the whole process, threads that have ended included; kinds never called are left out. Any
// thread.
[[nodiscard]] std::vector<system_call_count> system_calls();

// From now on also those of child processes the library forks (placements process, prefork), added
// as each ends. Call it before serve(). False: no memory for it.
bool share_system_calls() noexcept;

}  // namespace iolite
