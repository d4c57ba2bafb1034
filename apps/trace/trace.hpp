// The pieces of `iolite trace` that write files or figures of their own.
#pragma once
#include "trace/figure.hpp"
#include "trace/rows.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace iolite::app {

// The figure as one SVG image.
[[nodiscard]] std::string figure_svg(const trace_run& run);

// The typical round of each model as Chrome trace events, which Perfetto and chrome://tracing open.
[[nodiscard]] nlohmann::ordered_json chrome_events(const trace_run& run);

// What phase 2 costs against the size of the message, as text and as JSON.
[[nodiscard]] std::string sizes_text(const std::vector<trace::copy_cost>& all,
                                     const text_style& style);
[[nodiscard]] nlohmann::ordered_json sizes_json(const std::vector<trace::copy_cost>& all);

}  // namespace iolite::app
