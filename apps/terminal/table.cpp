#include "terminal/table.hpp"

#include <algorithm>

namespace iolite::app {

namespace {

// Characters on the screen: bytes that are not the inside of a UTF-8 sequence.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

void append_cell(std::string& line, const std::string& cell, std::size_t width, align side) {
  const std::string blanks(width - std::min(width, width_of(cell)), ' ');
  line += side == align::right ? blanks + cell : cell + blanks;
}

void end_line(std::string& out, std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  out += line + "\n";
}

}  // namespace

void table::add(std::vector<std::string> cells) { rows_.push_back({std::move(cells), {}}); }

void table::add_note(std::vector<std::string> cells, std::string note) {
  rows_.push_back({std::move(cells), std::move(note)});
}

std::vector<std::size_t> table::widths() const {
  std::vector<std::size_t> widths;
  widths.reserve(columns_.size());
  for (const column& c : columns_) widths.push_back(width_of(c.title));
  for (const row& r : rows_)
    for (std::size_t i = 0; i < r.cells.size() && i < widths.size(); ++i)
      widths[i] = std::max(widths[i], width_of(r.cells[i]));
  return widths;
}

std::string table::text() const {
  const std::vector<std::size_t> wide = widths();
  std::string out;
  std::string head;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (i > 0) head += "  ";
    append_cell(head, columns_[i].title, wide[i], columns_[i].side);
  }
  end_line(out, head);
  for (const row& r : rows_) {
    std::string line;
    for (std::size_t i = 0; i < r.cells.size() && i < columns_.size(); ++i) {
      if (i > 0) line += "  ";
      append_cell(line, r.cells[i], wide[i], columns_[i].side);
    }
    if (!r.note.empty()) line += "  " + r.note;
    end_line(out, line);
  }
  return out;
}

}  // namespace iolite::app
