// The exchange as a drawing, whatever it is drawn with: lanes of stretches, and a time axis from
// which stretches are cut in which nothing happens in any lane. Microseconds after the arrival.
#pragma once
#include "trace/rows.hpp"

#include <string>
#include <vector>

namespace iolite::app {

enum class stretch {
  alone,    // asleep for this message alone: nothing else of the thread runs
  free,     // asleep, and any event wakes it
  asking,   // asks in vain
  waking,   // is awake, and returns to where it can copy
  copying,
  both,     // wakes and copies in one call
  unknown,  // woke and perhaps copied somewhere in here
};

struct part {
  double from, to;
  stretch what;
};

struct lane {
  const trace_row* of;
  bool helper = false;  // of the thread that copies for it
  std::vector<part> parts;
  [[nodiscard]] double end() const { return parts.empty() ? 0 : parts.back().to; }
};

// Of the rows that have figures, in their order.
[[nodiscard]] std::vector<lane> lanes_of(const std::vector<trace_row>& rows);

// How the thread waits before the data is there.
[[nodiscard]] stretch waiting_of(const trace_row& r);

// Linear, with cuts.
class time_axis {
 public:
  // `width` and `cut_width` in the unit of the drawing.
  time_axis(const std::vector<lane>& lanes, double width, double cut_width);

  struct piece {
    double from, to;  // in us
    double at;  // where it begins in the drawing
  };
  [[nodiscard]] double operator()(double us) const;
  [[nodiscard]] const std::vector<piece>& pieces() const noexcept { return pieces_; }
  [[nodiscard]] double per_us() const noexcept { return per_us_; }
  // Where each cut begins in the drawing.
  [[nodiscard]] std::vector<double> cuts() const;
  // Round times to write at the axis, at least `apart` from each other in the drawing.
  [[nodiscard]] std::vector<double> ticks(double apart) const;

 private:
  std::vector<piece> pieces_;
  double per_us_ = 1;
  double cut_width_;
};

}  // namespace iolite::app
