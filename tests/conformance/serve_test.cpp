// See serve_test.hpp.
#include "serve_test.hpp"

#include "support/engine_test.hpp"
#include "support/model_names.hpp"

#include <cstdlib>
#include <stdexcept>

namespace iolite_test {

using namespace iolite;

namespace {

// Also `io_uring_direct/pool`, where connections stay on the engine that accepts them.
std::vector<std::string> names_where(bool (*applies)(const model_info&)) {
  std::vector<std::string> out;
  for (const model_info& m : known_models()) {
    if (!m.available || !applies(m)) continue;
    out.push_back(m.model);
    if (m.placement == placement::thread || m.placement == placement::process) continue;
    for (const std::string& mark : variants_of(m)) {
      out.push_back(m.model);
      out.back().insert(m.engine.size(), mark);
    }
  }
  return out;
}
auto models_where(bool (*applies)(const model_info&)) {
  return testing::ValuesIn(names_where(applies));
}

bool any(const model_info&) { return true; }
bool by_processes(const model_info& m) { return m.placement == placement::process; }
bool by_workers(const model_info& m) { return m.placement == placement::prefork; }
bool by_loops(const model_info& m) {
  return m.placement == placement::pool && m.engine != "blocking";
}
bool with_children(const model_info& m) { return by_processes(m) || by_workers(m); }
bool in_one_process(const model_info& m) { return !with_children(m); }
bool until_full(const model_info& m) {
  return !by_processes(m) && (m.engine != "blocking" || m.placement == placement::thread);
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(conformance, serve, models_where(any), name_by_model);
INSTANTIATE_TEST_SUITE_P(conformance, serve_in_one_process, models_where(in_one_process),
                         name_by_model);
INSTANTIATE_TEST_SUITE_P(conformance, serve_with_children, models_where(with_children),
                         name_by_model);
INSTANTIATE_TEST_SUITE_P(conformance, serve_by_processes, models_where(by_processes),
                         name_by_model);
INSTANTIATE_TEST_SUITE_P(conformance, serve_by_workers, models_where(by_workers), name_by_model);
INSTANTIATE_TEST_SUITE_P(conformance, serve_by_loops, models_where(by_loops), name_by_model);
INSTANTIATE_TEST_SUITE_P(conformance, serve_until_full, models_where(until_full), name_by_model);

std::vector<std::string> all_models() { return names_where(any); }

std::string name_of_model(const testing::TestParamInfo<std::string>& model) {
  return name_by_model(model);
}

void serve::SetUp() {
  before_ = open_descriptors();
  if (has_run_elsewhere(GetParam().substr(0, GetParam().find('/')))) {
    GTEST_SKIP() << "it has run in a process of its own";
  }
}
void serve::TearDown() { EXPECT_EQ(open_descriptors(), before_) << "descriptors leaked"; }

std::string serve::model() const { return without_variant(GetParam()); }

serve_options serve::options() const {
  serve_options o;
  o.model = model();
  o.engine = options_of(GetParam());
  o.drain_timeout = 5s;
  o.engine.when_idle = engine_options::idle::sleep;
  return o;
}

placement serve::placed() const {
  for (const model_info& m : known_models()) {
    if (m.model == model()) return m.placement;
  }
  throw std::runtime_error("no such model");
}

engine_traits serve::traits() const {
  return new_engine(GetParam().substr(0, GetParam().find('/')))->traits();
}

void expect_echo(const raw_socket& peer, const std::string& text) {
  EXPECT_TRUE(peer.send_all(text));
  EXPECT_EQ(peer.recv_exactly(text.size()), text);
}

bool answers(const raw_socket& peer, int limit_ms) {
  peer.set_recv_limit_ms(limit_ms);
  bool got = false;
  try {
    got = !peer.recv_some(1).empty();
  } catch (const std::system_error&) {
  }
  peer.set_recv_limit_ms(20'000);
  return got;
}

task<> fragile_echo(stream peer) {
  for (;;) {
    const auto got = co_await receive(peer);
    if (!got || got->empty()) co_return;
    if (*got == "boom") throw std::runtime_error("boom");
    if (*got == "abort") std::abort();
    const auto sent = co_await send_text(peer, *got);
    if (!sent) co_return;
  }
}

}  // namespace iolite_test
