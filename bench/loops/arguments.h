// What every server of bench/ is told, those in C and C++ and ours: --listen 127.0.0.1:PORT or
// unix:PATH, --buffer BYTES of a receive. Some know more: --fan, --threads N, --spin MICROSECONDS,
// --lease (the library's own buffers), --direct N (a table of N direct descriptors), --receives
// observed|each|multishot (as engine_options::receiving has them).
#pragma once
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
  const char* listen;
  size_t buffer_bytes;
  bool lease;
  bool fan;  // what one connection sends goes to all others, instead of back
  int threads;
  int spin_us;  // how long to ask again and again before sleeping
  int direct;
  const char* receives;
};

enum {
  knows_fan = 1,
  knows_threads = 2,
  knows_spin = 4,
  knows_lease = 8,
  knows_direct = 16,
  knows_receives = 32
};

// Ends the program on what it does not know: nothing is measured that was not asked for.
static inline struct arguments read_arguments(int argc, char** argv, int knows) {
  struct arguments a = {"127.0.0.1:0", 4096, false, false, 1, 0, 0, "observed"};
  for (int i = 1; i < argc; ++i) {
    const char* const name = argv[i];
    const bool fan = strcmp(name, "--fan") == 0 && (knows & knows_fan);
    const bool lease = strcmp(name, "--lease") == 0 && (knows & knows_lease);
    a.fan |= fan;
    a.lease |= lease;
    if (fan || lease) continue;
    const char* const value = i + 1 < argc ? argv[++i] : "";
    const int number = atoi(value);
    if (strcmp(name, "--listen") == 0) {
      a.listen = value;
    } else if (strcmp(name, "--buffer") == 0 && number > 0) {
      a.buffer_bytes = (size_t)number;
    } else if (strcmp(name, "--threads") == 0 && number > 0 && (knows & knows_threads)) {
      a.threads = number;
    } else if (strcmp(name, "--spin") == 0 && (knows & knows_spin)) {
      a.spin_us = number;
    } else if (strcmp(name, "--direct") == 0 && (knows & knows_direct)) {
      a.direct = number;
    } else if (strcmp(name, "--receives") == 0 && (knows & knows_receives)) {
      a.receives = value;
    } else {
      fprintf(stderr, "does not know %s %s\n", name, value);
      exit(1);
    }
  }
  return a;
}
