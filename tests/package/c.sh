#!/bin/sh
# c.sh COMPILER PKG_CONFIG PREFIX LIBDIR OUTPUT: a C program with the installed shared library.
set -eu
compiler=$1 pkg_config=$2 prefix=$3 libdir=$4 output=$5

PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig
export PKG_CONFIG_PATH
# Unquoted: the flags are words.
# shellcheck disable=SC2046
"$compiler" -std=c11 -Wall -Wextra -Werror "$(dirname "$0")/main.c" -o "$output" \
  $("$pkg_config" --cflags --libs iolite) -Wl,-rpath,"$prefix/$libdir"
exec "$output"
