# The peers. One that cannot be built here is left out; bench/run keeps its row and says what it
# needs.
include(CheckCXXSourceCompiles)
set(IOLITE_PEERS_DIR "${CMAKE_CURRENT_BINARY_DIR}/peers")
find_path(IOLITE_ASIO_DIR asio.hpp)
if(IOLITE_ASIO_DIR)
  # Asio 1.22 knows coroutines with GCC only.
  set(CMAKE_REQUIRED_DEFINITIONS -DASIO_STANDALONE)
  set(CMAKE_REQUIRED_INCLUDES "${IOLITE_ASIO_DIR}")
  set(CMAKE_REQUIRED_LIBRARIES Threads::Threads)
  check_cxx_source_compiles("#include <asio/awaitable.hpp>
    asio::awaitable<void> nothing(); int main() {}" IOLITE_ASIO_COROUTINES)
  unset(CMAKE_REQUIRED_DEFINITIONS)
  unset(CMAKE_REQUIRED_INCLUDES)
  unset(CMAKE_REQUIRED_LIBRARIES)
endif()

# iolite_peer(NAME SOURCE LIBRARY...)
function(iolite_peer name source)
  add_executable(bench_peer_${name} peers/${source})
  set_target_properties(bench_peer_${name} PROPERTIES
    OUTPUT_NAME ${name} C_STANDARD 11 C_EXTENSIONS ON
    RUNTIME_OUTPUT_DIRECTORY "${IOLITE_PEERS_DIR}")
  target_compile_definitions(bench_peer_${name} PRIVATE _GNU_SOURCE ASIO_STANDALONE)
  target_link_libraries(bench_peer_${name} PRIVATE ${ARGN})
endfunction()

# iolite_c_peer(NAME HEADER LIBRARY)
function(iolite_c_peer name header library)
  string(TOUPPER "IOLITE_${library}" known)
  find_path(${known}_DIR ${header})
  find_library(${known} ${library})
  if(${known} AND ${known}_DIR)
    iolite_peer(${name} ${name}.c ${${known}})
    target_include_directories(bench_peer_${name} SYSTEM PRIVATE "${${known}_DIR}")
  else()
    message(STATUS "bench: no ${library} to compare with")
  endif()
endfunction()

iolite_c_peer(libuv uv.h uv)
iolite_c_peer(libev ev.h ev)
iolite_c_peer(libevent_events event2/event.h event_core)
iolite_c_peer(libevent_bufferevent event2/event.h event_core)

if(IOLITE_ASIO_DIR)
  iolite_peer(asio_callbacks asio_callbacks.cpp Threads::Threads)
  target_include_directories(bench_peer_asio_callbacks SYSTEM PRIVATE "${IOLITE_ASIO_DIR}")
endif()
if(IOLITE_ASIO_COROUTINES)
  iolite_peer(asio_coroutines asio_coroutines.cpp Threads::Threads)
  target_include_directories(bench_peer_asio_coroutines SYSTEM PRIVATE "${IOLITE_ASIO_DIR}")
else()
  message(STATUS "bench: no Asio with coroutines to compare with (Debian: libasio-dev)")
endif()

find_program(IOLITE_GO go)
if(IOLITE_GO)
  add_custom_command(OUTPUT "${IOLITE_PEERS_DIR}/go"
    COMMAND "${CMAKE_COMMAND}" -E env "GOCACHE=${IOLITE_PEERS_DIR}/go-cache" GOFLAGS= GOPROXY=off
      "${IOLITE_GO}" build -o "${IOLITE_PEERS_DIR}/go" "${CMAKE_CURRENT_SOURCE_DIR}/peers/echo.go"
    DEPENDS peers/echo.go VERBATIM)
  add_custom_target(bench_peer_go DEPENDS "${IOLITE_PEERS_DIR}/go")
else()
  message(STATUS "bench: no Go to compare with (Debian: golang-go)")
endif()

# Debian's Rust with Debian's crates, without a network. The sources are copied: cargo writes its
# lock file beside them.
find_program(IOLITE_CARGO cargo PATHS /usr/bin NO_DEFAULT_PATH)
find_program(IOLITE_RUSTC rustc PATHS /usr/bin NO_DEFAULT_PATH)
set(crates /usr/share/cargo/registry)
file(GLOB tokio "${crates}/tokio-1.*")
if(IOLITE_CARGO AND IOLITE_RUSTC AND tokio)
  set(project "${IOLITE_PEERS_DIR}/tokio-project")
  add_custom_command(OUTPUT "${IOLITE_PEERS_DIR}/tokio"
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${project}/src"
    COMMAND "${CMAKE_COMMAND}" -E copy "${CMAKE_CURRENT_SOURCE_DIR}/peers/tokio/Cargo.toml"
      "${project}"
    COMMAND "${CMAKE_COMMAND}" -E copy "${CMAKE_CURRENT_SOURCE_DIR}/peers/tokio/main.rs"
      "${project}/src"
    COMMAND "${CMAKE_COMMAND}" -E env "RUSTC=${IOLITE_RUSTC}" "CARGO_HOME=${project}/home"
      "${IOLITE_CARGO}" build --release --offline --quiet
      --manifest-path "${project}/Cargo.toml" --target-dir "${project}/target"
      --config "source.crates-io.replace-with='debian'"
      --config "source.debian.directory='${crates}'"
    COMMAND "${CMAKE_COMMAND}" -E copy "${project}/target/release/bench-tokio"
      "${IOLITE_PEERS_DIR}/tokio"
    DEPENDS peers/tokio/Cargo.toml peers/tokio/main.rs VERBATIM)
  add_custom_target(bench_peer_tokio DEPENDS "${IOLITE_PEERS_DIR}/tokio")
else()
  message(STATUS "bench: no tokio to compare with (Debian: cargo, rustc, librust-tokio-dev)")
endif()
