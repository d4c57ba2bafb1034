// libuv: uv_read_start() with one buffer for the loop, since libuv asks for it right before it
// reads; the answer by uv_try_write(), and only what the socket does not take by uv_write(), with
// reading stopped meanwhile. Practice: libuv documentation, "uv_stream_t" (uv_read_start,
// uv_try_write) and the guide, "Networking". With --fan the same to every other connection.
#include "../loops/listening.h"

#include <uv.h>

struct connection {
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } of;
  int place;  // in open_connections
};

struct rest {
  uv_write_t request;
  struct connection* from;  // whose reading stands still; null: nobody's
  char bytes[];
};

static struct arguments arguments;
static char* received;
static struct connection* open_connections[1 << 16];
static int count;

static void check(int r, const char* what) {
  if (r < 0) give_up(what, -r);
}

static void init(struct connection* c) {
  if (is_unix(&arguments)) uv_pipe_init(uv_default_loop(), &c->of.pipe, 0);
  else uv_tcp_init(uv_default_loop(), &c->of.tcp);
}

static void closed(uv_handle_t* handle) { free(handle); }

static void end(struct connection* c) {
  if (uv_is_closing(&c->of.handle)) return;
  open_connections[c->place] = open_connections[--count];
  open_connections[c->place]->place = c->place;
  uv_close(&c->of.handle, closed);
}

static void give_buffer(uv_handle_t* handle, size_t suggested, uv_buf_t* buffer) {
  (void)handle, (void)suggested;
  *buffer = uv_buf_init(received, (unsigned)arguments.buffer_bytes);
}

static void on_bytes(uv_stream_t* stream, ssize_t n, const uv_buf_t* buffer);

static void rest_sent(uv_write_t* request, int status) {
  struct rest* r = (struct rest*)request;
  if (status < 0) end((struct connection*)request->handle);
  else if (r->from) uv_read_start(&r->from->of.stream, give_buffer, on_bytes);
  free(r);
}

// `from` waits until all is out; null: nobody does.
static void send_to(struct connection* c, uv_buf_t text, struct connection* from) {
  int n = uv_try_write(&c->of.stream, &text, 1);
  if (n == UV_EAGAIN) n = 0;
  if (n < 0) {
    end(c);
  } else if ((size_t)n < text.len) {
    const size_t left = text.len - (size_t)n;
    struct rest* r = malloc(sizeof *r + left);
    if (!r) give_up("malloc", ENOMEM);
    memcpy(r->bytes, text.base + n, left);
    r->from = from;
    if (from) uv_read_stop(&from->of.stream);
    uv_buf_t rest = uv_buf_init(r->bytes, (unsigned)left);
    check(uv_write(&r->request, &c->of.stream, &rest, 1, rest_sent), "uv_write");
  }
}

static void on_bytes(uv_stream_t* stream, ssize_t n, const uv_buf_t* buffer) {
  struct connection* c = (struct connection*)stream;
  if (n < 0) {
    end(c);
  } else if (n > 0) {
    const uv_buf_t text = uv_buf_init(buffer->base, (unsigned)n);
    if (!arguments.fan) send_to(c, text, c);
    // From the end: who is dropped is replaced by the last.
    else
      for (int i = count - 1; i >= 0; --i)
        if (open_connections[i] != c) send_to(open_connections[i], text, NULL);
  }
}

static void on_connection(uv_stream_t* listener, int status) {
  if (status < 0) return;
  struct connection* c = malloc(sizeof *c);
  if (!c) give_up("malloc", ENOMEM);
  init(c);
  c->place = count;
  open_connections[count++] = c;
  if (uv_accept(listener, &c->of.stream) < 0) end(c);
  else uv_read_start(&c->of.stream, give_buffer, on_bytes);
}

int main(int argc, char** argv) {
  arguments = read_arguments(argc, argv, knows_fan);
  received = malloc(arguments.buffer_bytes);
  static struct connection listener;
  const int fd = listen_at(&arguments, 0);
  init(&listener);
  if (is_unix(&arguments)) check(uv_pipe_open(&listener.of.pipe, fd), "uv_pipe_open");
  else check(uv_tcp_open(&listener.of.tcp, fd), "uv_tcp_open");
  check(uv_listen(&listener.of.stream, backlog, on_connection), "uv_listen");
  return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
