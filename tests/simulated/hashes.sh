#!/bin/sh
# hashes.sh SEEDS PROGRAM...: all builds of simulated_hashes write the same lines. One program is
# run twice: its memory lies elsewhere then.
set -eu
seeds=$1
shift
[ $# -gt 1 ] || set -- "$1" "$1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$1" "$seeds" >"$folder/first"
first=$1
shift
for program in "$@"; do
  "$program" "$seeds" >"$folder/other"
  if ! diff "$folder/first" "$folder/other" >"$folder/differences"; then
    echo "$first and $program differ; the first lines:" >&2
    head -n 20 "$folder/differences" >&2
    exit 1
  fi
done
lines=$(wc -l <"$folder/first")
echo "$lines hashes of $seeds seeds are the same in $(($# + 1)) runs"
