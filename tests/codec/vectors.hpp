// Tables of vectors: files beside this one, a vector a line, its fields between ` | `.
#pragma once
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace iolite_test {

struct vector_line {
  std::string at;                   // FILE:LINE, and the first field
  std::vector<std::string> fields;  // all
};

// Without comments and empty lines. Fails the test when there is no such file, or when a line has
// another number of fields.
std::vector<vector_line> read_vectors(std::string_view file, std::size_t fields);

// Calls deliver(pieces) for every way to cut `bytes` in two, and for each byte alone; short ones
// are cut in three too. Of more than 4 KiB only the 300 bytes at either end are cut everywhere, and
// those between at each 97th. Ends when it has given false.
void for_each_cut(std::string_view bytes,
                  const std::function<bool(const std::vector<std::string_view>&)>& deliver);

// `pieces` as their lengths, for a failure's text.
std::string cuts(const std::vector<std::string_view>& pieces);

}  // namespace iolite_test
