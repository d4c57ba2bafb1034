// serve() and serve_main(). See iolite/serve.hpp.
#include "iolite/serve.hpp"

#include "serve/server.hpp"

#include <cstdio>

namespace iolite {

serve_stop::serve_stop() : state_(std::make_unique<state>()) {}
serve_stop::~serve_stop() = default;
void serve_stop::request() noexcept { state_->latch.request(); }

std::expected<serve_report, error> serve(handler h, const serve_options& options) {
  auto model = choose(options.model);
  if (!model) return std::unexpected(model.error());
  return std::make_shared<server>(kernel::real(), std::move(h), options, std::move(*model))->run();
}

int serve_main(handler h, serve_options options) {
  if (!options.on_listening) {
    options.on_listening = [](const model_choice& model, const std::vector<endpoint>& at) {
      for (const endpoint& e : at) {
        const std::string line = "listening on " + e.to_string() + " (" + model.model + ")\n";
        std::fputs(line.c_str(), stdout);  // tidy: allow output, this is the program's main
      }
      std::fflush(stdout);
    };
  }
  const auto say = [](std::string_view line) {
    const std::string text = "iolite: " + std::string(line) + "\n";
    std::fputs(text.c_str(), stderr);  // tidy: allow output, this is the program's main
  };
  if (!options.log) options.log = say;
  const auto served = serve(std::move(h), options);
  if (served) return 0;
  say(served.error().message);
  return 1;
}

}  // namespace iolite
