// See fixture.hpp.
#include "fixture.hpp"

#include "models/backends.hpp"
#include "serve/server.hpp"
#include "support/model_names.hpp"

#include <stdexcept>
#include <thread>

namespace iolite_test {

using namespace iolite;

void fault_matrix::TearDown() {
  if (IsSkipped() || HasFailure()) return;
  EXPECT_GT(happened_ + (os_ ? os_->injected() : 0), 0U) << "the fault did not happen";
}

std::unique_ptr<iolite::engine> fault_matrix::another() const {
  auto made = make_engine_on(kernel::real(), GetParam());
  if (!made) throw std::runtime_error(made.error().message);
  return std::move(*made);
}

iolite::engine& fault_matrix::on(std::vector<fault> calls,
                                 std::vector<completion_fault> completions,
                                 const engine_options& options) {
  it_.reset();  // before the kernel it stands on
  if (os_) happened_ += os_->injected();
  os_ = std::make_unique<faulty>(kernel::real(), std::move(calls));
  os_->fail_completions(std::move(completions));
  auto made = make_engine_on(*os_, GetParam(), options);
  if (!made) throw std::runtime_error(made.error().message);
  it_ = std::move(*made);
  return *it_;
}

void fault_of_models::TearDown() {
  if (IsSkipped() || HasFailure()) return;
  EXPECT_GT(happened_, 0U) << "the fault did not happen";
}

serve_options fault_of_models::options() const {
  serve_options o;
  o.model = GetParam();
  o.workers = 1;
  o.drain_timeout = 5s;
  o.engine.when_idle = engine_options::idle::sleep;
  return o;
}

served::serving fault_of_models::on(std::vector<fault> calls,
                                    std::vector<completion_fault> completions) {
  return [calls, completions](handler h,
                              const serve_options& o) -> std::expected<serve_report, error> {
    auto model = choose(o.model);
    if (!model) return std::unexpected(model.error());
    static faulty* os = nullptr;  // as long as its process
    os = new faulty(kernel::real(), calls);
    if (!completions.empty()) os->fail_completions(completions);
    return std::make_shared<server>(*os, std::move(h), o, std::move(*model))->run();
  };
}

placement fault_of_models::placed() const { return choose(GetParam()).value().placement; }

bool fault_of_models::one_each() const {
  return GetParam() == "blocking/pool" || GetParam() == "blocking/prefork";
}

namespace {

task<> accept_one(listener& from, task<> (*handler)(stream)) {
  auto peer = co_await from.accept();
  if (peer) co_await handler(std::move(*peer));
}

}  // namespace

std::string echo_of(iolite::engine& on, const std::string& text, task<> (*handler)(stream)) {
  auto l = listener::open(on, *endpoint::parse("127.0.0.1:0"));
  if (!l) throw std::runtime_error(l.error().message);
  std::string back;
  std::jthread other([&back, &text, at = l->local()] {
    const raw_socket peer = raw_socket::connect(at);
    std::jthread writer([&] {
      peer.send_all(text);
      peer.half_close();
    });
    back = peer.recv_until_end();
  });
  on.run(accept_one(*l, handler));
  l->close();
  other.join();
  return back;
}

namespace {

std::vector<std::string> engines_of_calls() {
  std::vector<std::string> out = engine_names(true);
  std::erase(out, "io_uring");
  std::erase(out, "posix_aio");
  return out;
}
std::vector<std::string> engines_of_loops() {
  std::vector<std::string> out = engine_names(true);
  std::erase(out, "blocking");
  return out;
}
std::vector<std::string> only(const std::string& name) {
  std::vector<std::string> out = engine_names(true);
  std::erase_if(out, [&](const std::string& e) { return e != name; });
  return out;
}
const auto by_name = [](const auto& p) { return p.param; };

}  // namespace

namespace {

std::vector<std::string> models_that(bool (*applies)(placement)) {
  std::vector<std::string> out;
  for (const model_info& m : known_models()) {
    if (m.available && applies(m.placement)) out.push_back(m.model);
  }
  return out;
}

}  // namespace

#define MODELS(suite, condition)                                                                   \
  INSTANTIATE_TEST_SUITE_P(                                                                        \
      faults, suite,                                                                               \
      testing::ValuesIn(models_that([]([[maybe_unused]] placement p) { return condition; })),      \
      name_by_model)
MODELS(fault_of_models, true);
MODELS(fault_of_threads, p == placement::thread);
MODELS(fault_of_pools, p == placement::pool);
MODELS(fault_of_processes, p == placement::process);
MODELS(fault_of_workers, p == placement::prefork);

INSTANTIATE_TEST_SUITE_P(faults, fault_matrix, testing::ValuesIn(engine_names(true)), by_name);
INSTANTIATE_TEST_SUITE_P(faults, fault_matrix_of_calls, testing::ValuesIn(engines_of_calls()),
                         by_name);
INSTANTIATE_TEST_SUITE_P(faults, fault_matrix_of_loops, testing::ValuesIn(engines_of_loops()),
                         by_name);
INSTANTIATE_TEST_SUITE_P(faults, fault_matrix_io_uring, testing::ValuesIn(only("io_uring")),
                         by_name);
INSTANTIATE_TEST_SUITE_P(faults, fault_matrix_posix_aio, testing::ValuesIn(only("posix_aio")),
                         by_name);
INSTANTIATE_TEST_SUITE_P(faults, fault_matrix_signal, testing::ValuesIn(only("signal")), by_name);
INSTANTIATE_TEST_SUITE_P(faults, fault_matrix_poll, testing::ValuesIn(only("poll")), by_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(fault_matrix_io_uring);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(fault_matrix_posix_aio);

}  // namespace iolite_test
