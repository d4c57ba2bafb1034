// serve() and serve_main(). See iolite/serve.hpp.
#include "iolite/serve.hpp"

#include "iolite/one_line.hpp"
#include "iolite/run.hpp"
#include "serve/main.hpp"
#include "serve/server.hpp"

#include <cstdio>
#include <new>
#include <system_error>

namespace iolite {

serve_stop::serve_stop() : state_(std::make_unique<state>()) {}
serve_stop::~serve_stop() = default;
void serve_stop::request() noexcept { state_->latch.request(); }

std::expected<serve_report, error> serve(handler h, const serve_options& options) {
  try {
    auto model = choose(options.model);
    if (!model) return std::unexpected(model.error());
    kernel& os = kernel::real();
    return std::make_shared<server>(os, std::move(h), options, std::move(*model))->run();
  } catch (const std::bad_alloc&) {  // the message needs no memory
    return std::unexpected(error{std::make_error_code(std::errc::not_enough_memory), "no memory"});
  } catch (const std::system_error& e) {
    return std::unexpected(error{e.code(), std::string("cannot serve: ") + e.what()});
  }
}

int serve_main(handler h, serve_options options) {
  if (!options.on_listening) {
    options.on_listening = [](const model_choice& model, const std::vector<endpoint>& at) {
      for (const endpoint& e : at) {
        print_line(stdout, one_line("listening on " + e.to_string() + " (" + model.model + ")"));
      }
    };
  }
  if (!options.log) options.log = say_on_standard_error;
  const auto served = serve(std::move(h), options);
  return served ? 0 : detail::report(served.error());
}

}  // namespace iolite
