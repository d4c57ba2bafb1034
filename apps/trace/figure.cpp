#include "trace/figure.hpp"

#include "trace/lanes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <unistd.h>

namespace iolite::app {

namespace {

// Columns: the name, phase 1, a bar, what happens after the arrival, three figures. 80 in all.
constexpr std::size_t name_columns = 12, wait_columns = 16, axis_columns = 30;
constexpr std::size_t page_columns = 80;

// A cell of the drawing: what stands there, and in which colour.
struct glyph {
  std::string_view text, ascii, colour;
};

glyph glyph_of(stretch s) {
  switch (s) {
  case stretch::alone: return {" ", " ", ""};
  case stretch::free: return {"·", ".", "32"};
  case stretch::asking: return {"▒", "%", "33"};
  case stretch::waking: return {"─", "-", "36"};
  case stretch::copying: return {"█", "#", "34"};
  case stretch::both: return {"▓", "=", "34"};
  case stretch::unknown: return {"?", "?", "35"};
  }
  return {" ", " ", ""};
}
constexpr glyph cut_mark{"╱", "/", "2"};
constexpr glyph arrival_mark{"┊", "|", "31"};

// Characters on the screen: bytes that are not the inside of a UTF-8 sequence.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

class page {
 public:
  explicit page(const text_style& style) : style_(style) {}

  [[nodiscard]] std::string micro() const { return style_.ascii ? "us" : "µs"; }
  [[nodiscard]] std::string show(const glyph& g) const {
    return paint(std::string(style_.ascii ? g.ascii : g.text), g.colour);
  }
  [[nodiscard]] std::string show(const glyph& g, std::size_t times) const {
    std::string run;
    for (std::size_t i = 0; i < times; ++i) run += style_.ascii ? g.ascii : g.text;
    return paint(run, g.colour);
  }
  [[nodiscard]] std::string paint(const std::string& text, std::string_view colour) const {
    if (!style_.colour || colour.empty() || text.empty()) return text;
    return fmt::format("\033[{}m{}\033[0m", colour, text);
  }
  // Right-aligned; `width` in characters on the screen.
  [[nodiscard]] std::string right(const std::string& text, std::size_t width) const {
    return std::string(width - std::min(width, width_of(text)), ' ') + text;
  }

 private:
  text_style style_;
};

// Without blanks at its end.
std::string line(std::string text) {
  text.erase(text.find_last_not_of(' ') + 1);
  return text + "\n";
}

std::string left(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

std::size_t column(double at) { return static_cast<std::size_t>(std::lround(at)); }

// Runs of equal cells are painted once.
std::string cells_of(const lane& l, const time_axis& axis, const page& on) {
  std::vector<glyph> cells(axis_columns, glyph{" ", " ", ""});
  for (const part& p : l.parts) {
    const std::size_t from = column(axis(p.from));
    const std::size_t to = std::max(column(axis(p.to)), from + 1);
    for (std::size_t i = from; i < std::min(to, axis_columns); ++i) cells[i] = glyph_of(p.what);
  }
  for (const double at : axis.cuts())
    if (column(at) < axis_columns) cells[column(at)] = cut_mark;
  std::string out;
  for (std::size_t i = 0; i < cells.size();) {
    std::size_t n = 1;
    while (i + n < cells.size() && cells[i + n].text == cells[i].text) ++n;
    out += on.show(cells[i], n);
    i += n;
  }
  return out;
}

// Phase 1 before the arrival: the call that waits, and how.
std::string wait_zone(const trace_row& r, bool helper, const page& on) {
  if (helper) return std::string(wait_columns, ' ');
  const glyph g = glyph_of(waiting_of(r));
  if (!r.asks_by.empty()) {
    const std::size_t rest = wait_columns - std::min(wait_columns - 1, r.asks_by.size() + 4);
    return on.show(g, 2) + " " + r.asks_by + " " + on.show(g, rest);
  }
  if (r.asleep_in.empty()) return on.show(glyph_of(stretch::unknown), wait_columns);
  const std::string name = r.asleep_in + " ";
  return name + on.show(g, wait_columns - std::min(wait_columns, name.size()));
}

std::string count_text(double n) {
  return n >= 9'999.5 ? fmt::format("{:.1f}k", n / 1000) : fmt::format("{:.0f}", n);
}

std::string calls_text(const trace_row& r) {
  if (!r.calls_phase1) return "?";
  const double later = r.calls_phase2.value_or(0);
  return count_text(*r.calls_phase1) + (later > 0 ? "+" + count_text(later) : "");
}

std::string others_text(const trace_row& r) {
  return r.others_run ? fmt::format("{}/{}", *r.others_run, r.others_due) : "?";
}

std::string lane_line(const lane& l, const time_axis& axis, const page& on) {
  const trace_row& r = *l.of;
  std::string text = left(l.helper ? "  helper" : r.model, name_columns) +
                     wait_zone(r, l.helper, on) + on.show(arrival_mark) + cells_of(l, axis, on);
  if (!l.helper)
    text += on.right(r.cpu_phase1 ? time_text(*r.cpu_phase1, on.micro()) : "?", 7) +
            on.right(calls_text(r), 8) + on.right(others_text(r), 6);
  return line(text);
}

// Times along the axis, where there is room for them.
std::string ruler(const time_axis& axis, const page& on) {
  std::string digits(axis_columns, ' ');
  std::vector<bool> cut(axis_columns, false);
  for (const double at : axis.cuts()) cut[std::min(column(at), axis_columns - 1)] = true;
  for (const double tick : axis.ticks(6)) {
    const std::string text = fmt::format("{:.0f}", tick);
    const std::size_t at = column(axis(tick)), begin = at > 0 ? at - 1 : 0;
    if (at + text.size() > axis_columns) continue;
    bool room = true;
    for (std::size_t i = begin; i < std::min(at + text.size() + 1, axis_columns); ++i)
      room = room && digits[i] == ' ' && !cut[i];
    if (room) digits.replace(at, text.size(), text);
  }
  std::string out;
  for (std::size_t i = 0; i < axis_columns; ++i)
    out += cut[i] ? on.show(cut_mark) : std::string(1, digits[i]);
  return out;
}

std::string title(const trace_run& run) {
  const double after = std::chrono::duration<double, std::milli>(run.delay).count();
  return fmt::format(
      "{} byte{} {} {:.3g} ms after the call. Who waits, who copies, and who is free?\n\n",
      run.bytes, run.bytes == 1 ? "" : "s", run.bytes == 1 ? "arrives" : "arrive", after);
}

std::string header(const trace_run& run, const time_axis& axis, const page& on, bool ascii) {
  double waited = 0;
  for (const trace_row& r : run.rows) waited = std::max(waited, r.waited);
  const std::string length = " " + time_text(waited, on.micro()) + " ";
  const glyph rule{"─", "-", ""};
  const std::size_t dashes = wait_columns - 1 - std::min(wait_columns - 1, width_of(length));
  const std::string since = " data is there: " + on.micro() + " since";
  return std::string(name_columns, ' ') + left("phase 1: wait", wait_columns) +
         on.paint(ascii ? "v" : "▼", "31") + since +
         std::string(axis_columns - width_of(since), ' ') + on.right("CPU in", 7) +
         on.right("system", 8) + on.right("other", 6) + "\n" + std::string(name_columns, ' ') +
         on.show(rule, dashes / 2) + length + on.show(rule, dashes - dashes / 2) + " " +
         on.show(arrival_mark) + ruler(axis, on) + on.right("phase 1", 7) + on.right("calls", 8) +
         on.right("tasks", 6) + "\n";
}

bool has(const std::vector<lane>& lanes, stretch what) {
  return std::ranges::any_of(lanes, [what](const lane& l) {
    return std::ranges::any_of(l.parts, [what](const part& p) { return p.what == what; });
  });
}

std::string legend(const std::vector<lane>& lanes, const page& on) {
  const auto sign = [&](stretch s) { return on.show(glyph_of(s)); };
  std::string text = fmt::format(
      "\n{} copies   {} wakes and copies in one call   {} wakes, returns   {} asks in vain\n"
      "{} asleep, any event wakes it: other tasks run   (blank) asleep for this alone\n"
      "{} time cut out, nothing happens   other tasks: timers that ran in phase 1\n",
      sign(stretch::copying), sign(stretch::both), sign(stretch::waking), sign(stretch::asking),
      sign(stretch::free), on.show(cut_mark));
  if (has(lanes, stretch::unknown))
    text += fmt::format("{} not visible: somewhere in here it woke, or copied\n",
                        sign(stretch::unknown));
  return text;
}

// At blanks, later lines indented.
std::string wrapped(const std::string& text) {
  std::string out;
  std::string current;
  std::size_t from = 0;
  while (from < text.size()) {
    const std::size_t end = std::min(text.find(' ', from), text.size());
    const std::string word = text.substr(from, end - from);
    if (!current.empty() && current.size() + 1 + word.size() > page_columns) {
      out += current + "\n";
      current = "  " + word;
    } else {
      current += (current.empty() ? "" : " ") + word;
    }
    from = end + 1;
  }
  return out + current + "\n";
}

std::string busy_words(const trace_run& run) {
  std::size_t all = 0, disturbed = 0;
  std::string busy;
  for (const trace_row& r : run.rows) {
    all += r.rounds;
    disturbed += r.only_undisturbed ? r.disturbed : 0;
    if (!r.only_undisturbed) busy += (busy.empty() ? "" : ", ") + r.model;
  }
  std::string text;
  if (disturbed > 0)
    text += wrapped(fmt::format(
        "{} of {} rounds were disturbed by other processes and are left out.", disturbed, all));
  if (!busy.empty())
    text += wrapped(fmt::format("Too busy a machine: of {} nearly all rounds were disturbed, and "
                                "they are shown nevertheless.",
                                busy));
  return text;
}

std::string notes(const trace_run& run) {
  std::string text;
  if (run.exact) text += "exact: arrival and copies are stamped by the kernel's tracepoints.\n";
  else if (run.over_unix) {
    double most = 0;
    for (const trace_row& r : run.rows) most = std::max(most, r.uncertainty);
    text += wrapped(fmt::format("Unix sockets stamp nothing: the data arrived within {} after the "
                                "zero of the axis.",
                                time_text(most)));
  }
  text += busy_words(run);
  for (const std::string& m : run.missing) text += wrapped(m);
  return text.empty() ? text : "\n" + text;
}

bool says_utf8(const char* value) {
  std::string text(value);
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text.contains("utf-8") || text.contains("utf8");
}

}  // namespace

std::string figure_text(const trace_run& run, const text_style& style) {
  const page on(style);
  const std::vector<lane> lanes = lanes_of(run.rows);
  std::string text = title(run);
  if (!lanes.empty()) {
    const time_axis axis(lanes, axis_columns, 1);
    text += header(run, axis, on, style.ascii);
    for (const lane& l : lanes) text += lane_line(l, axis, on);
    text += legend(lanes, on) + "\n";
  }
  for (const trace_row& r : run.rows) text += wrapped(sentence_of(r));
  return text + notes(run);
}

text_style usual_style() {
  text_style s;
  const char* locale = nullptr;
  // NOLINTBEGIN(concurrency-mt-unsafe): no thread of this program changes the environment.
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    locale = std::getenv(name);
    if (locale && *locale != '\0') break;
  }
  s.ascii = !locale || !says_utf8(locale);
  const char* const terminal = std::getenv("TERM");
  s.colour = ::isatty(STDOUT_FILENO) == 1 && !std::getenv("NO_COLOR") && terminal &&
             std::string_view(terminal) != "dumb";
  // NOLINTEND(concurrency-mt-unsafe)
  return s;
}

}  // namespace iolite::app
