// A table in plain text: columns as wide as their widest cell, two blanks between them.
#pragma once
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace iolite::app {

enum class align : bool { left, right };

struct column {
  std::string title;
  align side = align::left;
};

class table {
 public:
  explicit table(std::vector<column> columns) : columns_(std::move(columns)) {}

  // One cell a column; missing ones are empty.
  void add(std::vector<std::string> cells);
  // After the cells one text, as long as it likes: why a row has no figures.
  void add_note(std::vector<std::string> cells, std::string note);

  // Lines, each with its newline and no blanks at its end.
  [[nodiscard]] std::string text() const;

 private:
  struct row {
    std::vector<std::string> cells;
    std::string note;
  };
  [[nodiscard]] std::vector<std::size_t> widths() const;

  std::vector<column> columns_;
  std::vector<row> rows_;
};

}  // namespace iolite::app
