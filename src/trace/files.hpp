// Small files of /proc and /sys, through the kernel.
#pragma once
#include "kernel/kernel.hpp"

#include <array>
#include <fcntl.h>
#include <string>

namespace iolite::trace {

// What one read(2) gives; empty where there is no such file, or none for us.
[[nodiscard]] inline std::string read_file(kernel& os, const std::string& path) {
  std::array<char, 256> text{};
  const int fd = os.open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  const long n = os.read(fd, text.data(), text.size());
  os.close(fd);
  return {text.data(), n > 0 ? static_cast<std::size_t>(n) : 0};
}

}  // namespace iolite::trace
