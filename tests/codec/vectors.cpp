#include "vectors.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace iolite_test {
namespace {

constexpr std::size_t all_pairs_max = 40;
constexpr std::size_t all_cuts_max = 4096;
constexpr std::size_t ends = 300;

std::vector<std::string> split(std::string_view line) {
  constexpr std::string_view bar = " | ";
  std::vector<std::string> fields;
  for (;;) {
    const std::size_t at = line.find(bar);
    fields.emplace_back(line.substr(0, at));
    if (at == line.npos) return fields;
    line.remove_prefix(at + bar.size());
  }
}

using delivery = std::function<bool(const std::vector<std::string_view>&)>;

bool cut_in_three(std::string_view bytes, const delivery& deliver) {
  for (std::size_t i = 1; i < bytes.size(); ++i) {
    for (std::size_t j = i + 1; j < bytes.size(); ++j) {
      if (!deliver({bytes.substr(0, i), bytes.substr(i, j - i), bytes.substr(j)})) return false;
    }
  }
  return true;
}

std::size_t next_cut(std::size_t at, std::size_t size) {
  const bool between = at > ends && at + ends + 97 < size;
  return at + (size > all_cuts_max && between ? 97 : 1);
}

}  // namespace

std::vector<vector_line> read_vectors(std::string_view file, std::size_t fields) {
  std::ifstream in(std::string(IOLITE_VECTORS "/").append(file));
  std::vector<vector_line> all;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.empty() || line.starts_with('#')) continue;
    auto parts = split(line);
    const std::string at = std::string(file) + ":" + std::to_string(number) + " " + parts[0];
    if (parts.size() == fields) all.push_back({at, std::move(parts)});
    else ADD_FAILURE() << at << ": " << parts.size() << " fields";
  }
  EXPECT_FALSE(all.empty()) << file;
  return all;
}

void for_each_cut(std::string_view bytes, const delivery& deliver) {
  std::vector<std::string_view> each;
  for (std::size_t i = 0; i < bytes.size(); ++i) each.push_back(bytes.substr(i, 1));
  if (!deliver({bytes}) || !deliver(each)) return;
  for (std::size_t i = 0; i <= bytes.size(); i = next_cut(i, bytes.size())) {
    if (!deliver({bytes.substr(0, i), bytes.substr(i)})) return;
  }
  if (bytes.size() <= all_pairs_max) static_cast<void>(cut_in_three(bytes, deliver));
}

std::string cuts(const std::vector<std::string_view>& pieces) {
  if (pieces.size() > 3) return "a byte at a time";
  std::string text = "cut into";
  for (const auto piece : pieces) text += " " + std::to_string(piece.size());
  return text;
}

}  // namespace iolite_test
