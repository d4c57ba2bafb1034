#!/usr/bin/env python3
"""Python's asyncio, or with --uvloop that of uvloop: a Protocol for each connection.

Practice: Python library reference, "Transports and Protocols" (the low-level API for performance; its
TCP echo server) with pause_writing() and resume_writing() for flow control; uvloop's README for the
event loop policy. How much is received at once is the loop's own choice (asyncio 256 KiB): there is
no --buffer. asyncio sets TCP_NODELAY itself.
"""
import argparse
import asyncio


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


async def serve(at):
    loop = asyncio.get_running_loop()
    if at.startswith("unix:"):
        server = await loop.create_unix_server(Echo, at[len("unix:"):], backlog=4096)
        print("listening on", at, flush=True)
    else:
        host, port = at.rsplit(":", 1)
        server = await loop.create_server(Echo, host, int(port), backlog=4096)
        print("listening on %s:%d" % server.sockets[0].getsockname(), flush=True)
    await server.serve_forever()


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--listen", default="127.0.0.1:0")
    p.add_argument("--uvloop", action="store_true")
    o = p.parse_args()
    if o.uvloop:
        import uvloop
        uvloop.install()
    asyncio.run(serve(o.listen))


if __name__ == "__main__":
    main()
