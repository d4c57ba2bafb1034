# iolite::http: the HTTP/1.1 codec, over llhttp. Where that is missing all else is built. llhttp is
# a package of CMake's, or the C sources that Debian's node-llhttp installs; those become part of
# the library, so that programs that use it need no llhttp.
set(IOLITE_FIND_LLHTTP "")
if(NOT IOLITE_HTTP)
  return()
endif()

find_package(llhttp CONFIG QUIET)
foreach(candidate llhttp::llhttp_static llhttp::llhttp_shared llhttp::llhttp)
  if(TARGET ${candidate} AND NOT IOLITE_FIND_LLHTTP)
    set(llhttp_target ${candidate})
    set(IOLITE_FIND_LLHTTP "find_dependency(llhttp)")
  endif()
endforeach()

if(NOT IOLITE_FIND_LLHTTP)
  find_path(IOLITE_LLHTTP_INCLUDE llhttp.h PATHS /usr/share/include/llhttp)
  find_path(IOLITE_LLHTTP_SOURCES llhttp.c PATHS /usr/share/llhttp)
  if(NOT IOLITE_LLHTTP_INCLUDE OR NOT IOLITE_LLHTTP_SOURCES)
    message(STATUS "iolite: iolite::http is not built: there is no llhttp. "
      "Debian's package is node-llhttp; -DIOLITE_HTTP=OFF silences this.")
    return()
  endif()
  enable_language(C)
  add_library(iolite_llhttp OBJECT "${IOLITE_LLHTTP_SOURCES}/llhttp.c"
    "${IOLITE_LLHTTP_SOURCES}/api.c" "${IOLITE_LLHTTP_SOURCES}/http.c")
  target_include_directories(iolite_llhttp SYSTEM PUBLIC "${IOLITE_LLHTTP_INCLUDE}")
  target_compile_definitions(iolite_llhttp PUBLIC LLHTTP_STRICT_MODE=1)
  target_compile_options(iolite_llhttp PRIVATE -w)  # not ours to mend
  set_target_properties(iolite_llhttp PROPERTIES UNITY_BUILD OFF)
endif()

file(GLOB iolite_http_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/http/*.cpp")
add_library(iolite_http STATIC ${iolite_http_sources})
add_library(iolite::http ALIAS iolite_http)
set_target_properties(iolite_http PROPERTIES EXPORT_NAME http)
add_dependencies(iolite_library iolite_http)
target_include_directories(iolite_http PRIVATE
  "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}")
target_link_libraries(iolite_http PUBLIC iolite)
if(TARGET iolite_llhttp)
  target_sources(iolite_http PRIVATE $<TARGET_OBJECTS:iolite_llhttp>)
  target_include_directories(iolite_http SYSTEM PRIVATE "${IOLITE_LLHTTP_INCLUDE}")
  target_compile_definitions(iolite_http PRIVATE LLHTTP_STRICT_MODE=1)
else()
  target_link_libraries(iolite_http PRIVATE ${llhttp_target})
endif()
install(TARGETS iolite_http EXPORT iolite-targets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT library)
