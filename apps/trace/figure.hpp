// The figure of `iolite trace` in 80 columns of text, its legend and its sentences.
#pragma once
#include "trace/rows.hpp"

#include <string>

namespace iolite::app {

struct text_style {
  bool ascii = false;
  bool colour = false;
};

[[nodiscard]] std::string figure_text(const trace_run& run, const text_style& style);

// What the environment and standard output suggest: locale(7), NO_COLOR.
[[nodiscard]] text_style usual_style();

}  // namespace iolite::app
