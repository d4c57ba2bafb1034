// The figure of `iolite trace` as an SVG image: no fonts, scripts or styles from elsewhere, and
// every colour written out, since some renderers know no variables.
#include "trace/lanes.hpp"
#include "trace/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace iolite::app {

namespace {

constexpr double page_width = 1160, margin = 24;
constexpr double lanes_left = 128, wait_width = 236, figures_width = 366;
constexpr double lane_height = 44, bar_height = 22, helper_height = 15, top = 138;
constexpr std::string_view ink = "#16202c", dim = "#5b6675", rule = "#dfe4ea", red = "#c2255c";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') out += "&lt;";
    else if (c == '&') out += "&amp;";
    else if (c == '"') out += "&quot;";
    else out += c;
  }
  return out;
}

std::string_view fill_of(stretch s) {
  switch (s) {
  case stretch::alone: return "url(#alone)";
  case stretch::free: return "url(#free)";
  case stretch::asking: return "url(#asking)";
  case stretch::waking: return "#9fb0c3";
  case stretch::copying: return "#1f5fd6";
  case stretch::both: return "url(#both)";
  case stretch::unknown: return "url(#unknown)";
  }
  return "none";
}

constexpr std::string_view patterns = R"svg(<defs>
<pattern id="alone" width="7" height="7" patternUnits="userSpaceOnUse"
patternTransform="rotate(45)"><rect width="7" height="7" fill="#e8ebef"/>
<rect width="1.6" height="7" fill="#cfd6de"/></pattern>
<pattern id="free" width="9" height="9" patternUnits="userSpaceOnUse">
<rect width="9" height="9" fill="#d8f0e2"/>
<circle cx="4.5" cy="4.5" r="1.25" fill="#58b184"/></pattern>
<pattern id="asking" width="6" height="6" patternUnits="userSpaceOnUse">
<rect width="6" height="6" fill="#fde3b6"/><rect width="2.4" height="6" fill="#ef9a1a"/></pattern>
<pattern id="both" width="8" height="8" patternUnits="userSpaceOnUse"
patternTransform="rotate(45)"><rect width="8" height="8" fill="#1f5fd6"/>
<rect width="3.4" height="8" fill="#9fb0c3"/></pattern>
<pattern id="unknown" width="8" height="8" patternUnits="userSpaceOnUse">
<rect width="8" height="8" fill="#f6eef8"/><circle cx="2" cy="2" r="1" fill="#9c36b5"/>
<circle cx="6" cy="6" r="1" fill="#9c36b5"/></pattern>
</defs>
)svg";

struct text_at {
  double x, y;
  double size = 13;
  std::string_view colour = ink;
  std::string_view anchor = "start";
  bool bold = false, mono = false;
};

class drawing {
 public:
  explicit drawing(const trace_run& run)
      : run_(run), lanes_(lanes_of(run.rows)),
        axis_(lanes_, page_width - lanes_left - wait_width - figures_width - margin, 26) {}

  std::string draw() {
    for (const lane& l : lanes_) bottom_ += l.helper ? lane_height - 16 : lane_height;
    draw_grid();
    double y = top;
    for (const lane& l : lanes_) {
      if (l.helper) y -= 12;
      draw_lane(l, y);
      y += l.helper ? lane_height - 4 : lane_height;
    }
    draw_cuts();
    draw_titles();
    draw_legend();
    const double height = bottom_ + 124;
    return fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
                       "width=\"{0:.0f}\" height=\"{1:.0f}\" role=\"img\" "
                       "aria-labelledby=\"t d\">\n<title id=\"t\">Who waits, who copies, and who "
                       "is free: I/O models, measured</title>\n<desc id=\"d\">{2}</desc>\n{3}"
                       "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{4}</svg>\n",
                       page_width, height, escaped(description()), patterns, out_);
  }

 private:
  [[nodiscard]] std::string description() const {
    std::string text;
    for (const trace_row& r : run_.rows) text += sentence_of(r) + ". ";
    return text;
  }
  [[nodiscard]] static double x_of_arrival() { return lanes_left + wait_width; }
  [[nodiscard]] double x(double us) const { return x_of_arrival() + axis_(us); }

  void write(const text_at& at, std::string_view text) {
    out_ += fmt::format(
        "<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"{:.0f}\" fill=\"{}\" text-anchor=\"{}\" "
        "font-family=\"{}\"{}>{}</text>\n",
        at.x, at.y, at.size, at.colour, at.anchor,
        at.mono ? "DejaVu Sans Mono, monospace" : "Inter, DejaVu Sans, sans-serif",
        at.bold ? " font-weight=\"600\"" : "", escaped(text));
  }
  void bar(double from, double to, double y, double height, std::string_view fill,
           std::string_view about) {
    out_ += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
                        "fill=\"{}\"><title>{}</title></rect>\n",
                        from, y, std::max(to - from, 1.0), height, fill, escaped(about));
  }

  void draw_lane(const lane& l, double y) {
    const double height = l.helper ? helper_height : bar_height;
    const trace_row& r = *l.of;
    write({.x = l.helper ? margin + 16 : margin,
           .y = y + height - 6,
           .size = l.helper ? 12.0 : 14.0,
           .colour = l.helper ? dim : ink,
           .bold = !l.helper},
          l.helper ? "its helper" : r.model);
    const stretch waiting = l.helper ? stretch::alone : waiting_of(r);
    bar(lanes_left, x_of_arrival(), y, height, fill_of(waiting),
        fmt::format("phase 1: {}", time_text(r.waited, "µs")));
    for (const part& p : l.parts)
      bar(x(p.from), x(p.to), y, height, fill_of(p.what),
          fmt::format("{:.1f} to {:.1f} µs", p.from, p.to));
    if (l.helper) return;
    draw_label(r, y);
    draw_figures(r, y + height - 6);
  }

  void draw_label(const trace_row& r, double y) {
    const std::string label =
        !r.asks_by.empty()
            ? fmt::format("asks {:.0f} times: {}", r.calls_phase1.value_or(0), r.asks_by)
        : r.asleep_in.empty() ? std::string("waits, unseen")
                              : fmt::format("asleep in {}", r.asleep_in);
    out_ += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"16\" rx=\"3\" "
                        "fill=\"#ffffff\" fill-opacity=\"0.88\"/>\n",
                        lanes_left + 6, y + 3, 7.3 * static_cast<double>(label.size()) + 12);
    write({.x = lanes_left + 12, .y = y + 15, .size = 12, .mono = true}, label);
  }

  // Where the columns on the right end.
  static constexpr double column_of_end = page_width - 316, column_of_range = page_width - 240,
                          column_of_cpu = page_width - 170, column_of_calls = page_width - 92,
                          column_of_tasks = page_width - 20;

  void draw_figures(const trace_row& r, double y) {
    const auto cell = [&](double at, std::string_view text, std::string_view colour = ink,
                          bool bold = false) {
      write({.x = at, .y = y, .colour = colour, .anchor = "end", .bold = bold}, text);
    };
    if (r.t4) cell(column_of_end, time_text(*r.t4, "µs"));
    if (r.t4_p10 && r.t4_p90)
      cell(column_of_range, fmt::format("{:.0f}–{:.0f}", *r.t4_p10, *r.t4_p90), dim);
    const bool burns = !r.asks_by.empty();
    if (r.cpu_phase1) cell(column_of_cpu, time_text(*r.cpu_phase1, "µs"), burns ? red : ink, burns);
    const double later = r.calls_phase2.value_or(0);
    cell(column_of_calls, fmt::format("{:.0f}", r.calls_phase1.value_or(0)) +
                              (later > 0 ? fmt::format(" + {:.0f}", later) : ""));
    const bool stuck = r.others_run && *r.others_run == 0;
    if (r.others_run)
      cell(column_of_tasks, fmt::format("{} of {}", *r.others_run, r.others_due), stuck ? red : ink,
           stuck);
  }

  void vertical(double at, double from, std::string_view colour, double width) {
    out_ += fmt::format("<line x1=\"{0:.1f}\" y1=\"{1:.1f}\" x2=\"{0:.1f}\" y2=\"{2:.1f}\" "
                        "stroke=\"{3}\" stroke-width=\"{4}\"/>\n",
                        at, from, bottom_, colour, width);
  }

  void draw_grid() {
    for (const double t : axis_.ticks(70)) {
      if (t <= 0) continue;
      vertical(x(t), top - 14, rule, 1);
      write({.x = x(t), .y = top - 20, .size = 12, .colour = dim, .anchor = "middle"},
            fmt::format("{:.0f} µs", t));
    }
  }

  void draw_cuts() {
    for (const double cut : axis_.cuts()) {
      std::string left, right;
      for (int i = 0; top - 10 + 11 * i < bottom_; ++i) {
        const double at = x_of_arrival() + cut + 6 + (i % 2 == 1 ? 6 : 0), y = top - 10 + 11 * i;
        left += fmt::format("{:.1f},{:.1f} ", at, y);
        right.insert(0, fmt::format("{:.1f},{:.1f} ", at + 10, y));
      }
      out_ += fmt::format("<polygon points=\"{}{}\" fill=\"#ffffff\" stroke=\"{}\"/>\n", left,
                          right, dim);
    }
    vertical(x_of_arrival(), top - 34, red, 2);
    write({.x = x_of_arrival(), .y = bottom_ + 14, .colour = red, .anchor = "middle", .bold = true},
          "data arrives");
  }

  void draw_titles() {
    const double ms = std::chrono::duration<double, std::milli>(run_.delay).count();
    write({.x = margin, .y = 42, .size = 23, .bold = true},
          "Who waits, who copies, and who is free meanwhile");
    write({.x = margin, .y = 66, .colour = dim},
          fmt::format("{} bytes arrive {:.3g} ms after the call. {} rounds of each I/O model, "
                      "medians; {}{}.",
                      run_.bytes, ms, run_.rounds,
                      run_.over_unix ? "a unix socket" : "TCP loopback",
                      run_.exact ? "; exact, by tracepoints" : ""));
    write({.x = lanes_left, .y = top - 36, .bold = true}, "phase 1: wait for data");
    write({.x = lanes_left, .y = top - 18, .size = 12, .colour = dim}, "not to scale");
    write({.x = x_of_arrival() + 10, .y = top - 36, .bold = true},
          "the data is there: wake up, then phase 2: copy it");
    const auto head = [&](double at, std::string_view one, std::string_view two) {
      write({.x = at, .y = top - 36, .anchor = "end", .bold = true}, one);
      write({.x = at, .y = top - 18, .size = 12, .colour = dim, .anchor = "end"}, two);
    };
    head(column_of_range, "in hand after", "median, p10–p90");
    head(column_of_cpu, "CPU", "in phase 1");
    head(column_of_calls, "system", "calls");
    head(column_of_tasks, "other", "tasks ran");
  }

  void draw_legend() {
    constexpr std::array<std::pair<stretch, std::string_view>, 7> all = {{
        {stretch::alone, "asleep for this message alone"},
        {stretch::free, "asleep, any event wakes it"},
        {stretch::asking, "asks in vain"},
        {stretch::waking, "wakes, returns"},
        {stretch::copying, "copies"},
        {stretch::both, "wakes and copies in one call"},
        {stretch::unknown, "not visible"},
    }};
    double at = margin;
    const double y = bottom_ + 36;
    for (const auto& [what, text] : all) {
      if (what == stretch::unknown && run_.sees_switches) continue;
      bar(at, at + 28, y, 14, fill_of(what), text);
      write({.x = at + 36, .y = y + 12, .size = 12}, text);
      at += 62 + 6.6 * static_cast<double>(text.size());
    }
    write({.x = margin, .y = y + 42, .size = 12, .colour = dim},
          "Other tasks: how many of ten timers of the same thread ran while it waited. "
          "Calls: in phase 1 + in phase 2.");
    write({.x = margin, .y = y + 62, .size = 12, .colour = dim},
          "After R. Stevens, UNIX Network Programming, vol. 1, figure 6.6. Measured by iolite "
          "trace.");
  }

  const trace_run& run_;
  const std::vector<lane> lanes_;
  const time_axis axis_;
  double bottom_ = top;
  std::string out_;
};

}  // namespace

std::string figure_svg(const trace_run& run) { return drawing(run).draw(); }

}  // namespace iolite::app
