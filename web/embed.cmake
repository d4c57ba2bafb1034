# cmake -D PAGE=FILE.html -D OUT=FILE.cpp -P embed.cmake: the file as page_template().
file(READ "${PAGE}" bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REPEAT "." 80 line)
string(REGEX REPLACE "(${line})" "\\1\n" bytes "${bytes}")
file(WRITE "${OUT}" "// Made by web/embed.cmake.
#include \"page/template.hpp\"

namespace iolite::app {

namespace {

constexpr unsigned char page[] = {
${bytes}
};

}  // namespace

std::string_view page_template() noexcept {
  return {reinterpret_cast<const char*>(page), sizeof page};
}

}  // namespace iolite::app
")
