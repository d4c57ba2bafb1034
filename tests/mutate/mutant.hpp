// Included by every source that has mutants in it. Which of them is on: IOLITE_MUTANT=number.
//
// With IOLITE_MUTANTS_REACHED=FILE it is noted which are reached, a byte each, by this process and
// its children.
#pragma once
#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <type_traits>
#include <unistd.h>

namespace iolite_mutants {

inline constinit long on = -1;  // not known yet
inline constinit unsigned char* reached = nullptr;

// Before any other initializer of the program. NOLINTBEGIN(concurrency-mt-unsafe)
[[gnu::constructor(101)]] inline void begin() noexcept {
  if (on >= 0) return;
  const char* const number = std::getenv("IOLITE_MUTANT");
  on = number ? std::strtol(number, nullptr, 10) : 0;
  const char* const path = std::getenv("IOLITE_MUTANTS_REACHED");
  const int fd = path ? ::open(path, O_RDWR | O_CLOEXEC) : -1;
  struct stat about = {};
  if (fd < 0 || ::fstat(fd, &about) != 0) return;
  void* const memory = ::mmap(nullptr, static_cast<std::size_t>(about.st_size),
                              PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory != MAP_FAILED) reached = static_cast<unsigned char*>(memory);
  ::close(fd);
}
// NOLINTEND(concurrency-mt-unsafe)

}  // namespace iolite_mutants

// Not inlined: what the interleavings explore knows nothing of it.
[[gnu::noinline, gnu::no_sanitize("thread")]] inline bool iolite_mutant(long number) noexcept {
  if (iolite_mutants::reached) iolite_mutants::reached[number] = 1;
  return iolite_mutants::on == number;
}

// Where the compiler may want a constant: it has the original.
constexpr bool iolite_mutant_now(long number) noexcept {
  return !std::is_constant_evaluated() && iolite_mutant(number);
}
