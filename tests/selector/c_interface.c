/* The header is C11, and the functions do from C what they say. c_interface.cpp calls this. */
#include "iolite/selector.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

int use_from_c(const char* facility, const char** where);

#define MUST(condition)                                                                            \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      *where = #condition;                                                                         \
      return 0;                                                                                    \
    }                                                                                              \
  } while (0)

int use_from_c(const char* facility, const char** where) {
  iolite_selector* s = NULL;
  iolite_ready out[4];
  int two[2], data = 7;
  MUST(iolite_selector_open("nonsense", &s) == -EINVAL && s == NULL);
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, two) == 0);
  MUST(iolite_selector_open(facility, &s) == 0 && s != NULL);
  MUST(iolite_selector_add(s, two[0], IOLITE_READ, &data) == 0);
  MUST(iolite_selector_add(s, two[0], IOLITE_READ, &data) == -EEXIST);
  MUST(iolite_selector_wait(s, out, 4, 1000) == 0);
  MUST(write(two[1], "x", 1) == 1);
  MUST(iolite_selector_wait(s, out, 4, -1) == 1);
  MUST(out[0].fd == two[0] && out[0].events == IOLITE_READ && out[0].data == &data);
  MUST(iolite_selector_modify(s, two[0], IOLITE_READ | IOLITE_WRITE, NULL) == 0);
  MUST(iolite_selector_wait(s, out, 4, -1) == 1);
  MUST(out[0].events == (IOLITE_READ | IOLITE_WRITE) && out[0].data == NULL);
  MUST(iolite_selector_remove(s, two[0]) == 0);
  MUST(iolite_selector_wake(s) == 0);
  MUST(iolite_selector_wait(s, out, 4, -1) == 0);
  MUST(iolite_selector_fd(s) >= 0 || iolite_selector_fd(s) == -ENOTSUP);
  MUST(iolite_selector_name(s)[0] != '\0');
  iolite_selector_close(s);
  close(two[0]);
  close(two[1]);
  return 1;
}
