// See files.hpp.
#include "support/files.hpp"

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <system_error>
#include <unistd.h>

namespace iolite_test {

temporary_file::temporary_file() : path_("/tmp/iolite-test-XXXXXX") {
  const int fd = ::mkstemp(path_.data());
  if (fd < 0) throw std::system_error(errno, std::system_category(), path_);
  ::close(fd);
}

temporary_file::~temporary_file() { ::unlink(path_.c_str()); }

void temporary_file::write(const std::string& text) const {
  std::ofstream(path_, std::ios::binary | std::ios::trunc) << text;
}

std::string temporary_file::read() const {
  std::ifstream in(path_, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace iolite_test
