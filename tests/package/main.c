/* The least a C program can do with the selector. */
#include <iolite/selector.h>

int main(void) {
  iolite_selector* s = 0;
  if (iolite_selector_open(0, &s) != 0) return 1;
  iolite_ready ready[1];
  const int count = iolite_selector_wait(s, ready, 1, 0);
  iolite_selector_close(s);
  return count == 0 ? 0 : 2;
}
