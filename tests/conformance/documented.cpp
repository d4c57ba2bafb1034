// docs/semantics.md has a table of what differs between engines; this compares it with the engines.
//
//   | engine | blocking | picks buffer | files itself | descriptor limit |
//   |---|---|---|---|---|
//   | `select` | no | no | no | 1024 |
#include "support/engine_test.hpp"

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace iolite_test {
namespace {

#ifndef IOLITE_SOURCE_DIR
#define IOLITE_SOURCE_DIR "."
#endif

std::string trimmed(const std::string& cell) {
  const auto unwanted = [](char c) { return c == ' ' || c == '`' || c == '*' || c == ','; };
  std::string out;
  for (const char c : cell) {
    if (!unwanted(c)) out += c;
  }
  return out;
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> out;
  std::istringstream row(line);
  std::string cell;
  std::getline(row, cell, '|');  // before the first bar
  while (std::getline(row, cell, '|')) out.push_back(trimmed(cell));
  return out;
}

// Rows by the name of the engine; empty when there is no such table.
std::map<std::string, std::vector<std::string>>
documented_traits(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::map<std::string, std::vector<std::string>> rows;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    const std::vector<std::string> cells = cells_of(line);
    if (cells.size() >= 5 && cells[0] == "engine" && cells[1] == "blocking") inside = true;
    else if (inside && (line.empty() || line[0] != '|')) break;
    else if (inside && cells.size() >= 5 && cells[0].find("---") == std::string::npos)
      rows[cells[0]] = cells;
  }
  return rows;
}

TEST_P(engine, what_differs_is_what_the_documentation_says) {
  const std::filesystem::path file = std::filesystem::path(IOLITE_SOURCE_DIR) / "docs/semantics.md";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " does not exist";
  const auto rows = documented_traits(file);
  ASSERT_FALSE(rows.empty())
      << "no table headed | engine | blocking | picks buffer | files itself | descriptor limit |";
  const auto row = rows.find(std::string(on().name()));
  ASSERT_NE(row, rows.end()) << on().name() << " has no row";
  const iolite::engine_traits t = traits();
  EXPECT_EQ(row->second[1], t.blocking ? "yes" : "no");
  EXPECT_EQ(row->second[2], t.picks_buffer ? "yes" : "no");
  EXPECT_EQ(row->second[3], t.files ? "yes" : "no");
  const std::string limit = row->second[4];
  if (t.fd_limit == 0)
    EXPECT_TRUE(limit == "no" || limit == "none" || limit == "0" || limit == "-") << limit;
  else {
    EXPECT_EQ(limit, std::to_string(t.fd_limit));
  }
}

}  // namespace
}  // namespace iolite_test
