# A thread for each request, as Python's standard library has it: a request is a connection.
. "$(dirname "$0")/common.sh"
cat >upper.py <<'END'
import socketserver, threading

class Upper(socketserver.StreamRequestHandler):
    def handle(self):  # in a thread of its own; its end closes the connection
        for line in self.rfile:
            who = f"{threading.current_thread().name}, {threading.active_count()} threads: "
            self.wfile.write(who.encode() + line.upper())

with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Upper) as server:
    print("listening on 127.0.0.1:%d" % server.server_address[1], flush=True)
    server.serve_forever()
END
echo "\$ cat upper.py"
cat upper.py
start python3 upper.py
dial 1
send 1 hello
get 1
dial 2
send 2 "is anybody there?"
get 2
send 1 again
get 1
