// The least a program can do with the library: its headers compile and it links.
#include <iolite/iolite.hpp>

int main() { return iolite::endpoint::parse("127.0.0.1:0").has_value() ? 0 : 1; }
