// Names of models, as an argument and in IOLITE_MODEL.
#include "iolite/models.hpp"
#include "fuzz.hpp"

#include <algorithm>

namespace {

// Anything else would be refused, or is no name at all.
void check_choice(const iolite::model_choice& c) {
  static const auto all = iolite::models();
  const auto is_it = [&](const iolite::model_info& m) { return m.model == c.model; };
  const auto found = std::ranges::find_if(all, is_it);
  fuzz::require(found != all.end(), "what is chosen is a model:", c.model);
  fuzz::require(found->available, "and works here:", c.model);
  fuzz::require(found->engine == c.engine && found->placement == c.placement, "its parts fit");
  fuzz::require(!c.why.empty(), "a choice says why");
}

}  // namespace

// `NAME` or `NAME=VALUE OF THE VARIABLE`.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  if (text.find('\0') != text.npos) return 0;  // no environment holds it
  const std::size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  if (equals == text.npos) {
    ::unsetenv("IOLITE_MODEL");
  } else {
    ::setenv("IOLITE_MODEL", std::string(text.substr(equals + 1)).c_str(), 1);
  }
  const auto chosen = iolite::choose(name);
  if (!chosen) {
    fuzz::require(!chosen.error().message.empty(), "a refusal says why");
    return 0;
  }
  check_choice(*chosen);
  ::unsetenv("IOLITE_MODEL");
  const auto again = iolite::choose(chosen->model);
  fuzz::require(again && again->model == chosen->model, "a model is a name of itself");
  return 0;
}
