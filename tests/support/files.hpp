// Files for tests, on the kernel that the test runs on.
#pragma once
#include "iolite/file.hpp"

#include <string>

namespace iolite_test {

// An empty file of its own, removed at the end.
class temporary_file {
 public:
  temporary_file();
  temporary_file(const temporary_file&) = delete;
  temporary_file& operator=(const temporary_file&) = delete;
  ~temporary_file();

  void write(const std::string& text) const;  // instead of what is in it
  [[nodiscard]] std::string read() const;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

// For a test that cannot go on without it.
[[nodiscard]] iolite::task<iolite::file> open_or_throw(std::string path, iolite::file_mode mode);

}  // namespace iolite_test
