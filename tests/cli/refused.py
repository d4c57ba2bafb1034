"""io_uring refused by a seccomp filter, as most container runtimes do it: seccomp(2), bpf(4)."""
import ctypes
import platform
import struct
import unittest

from command import *

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
IO_URING_SETUP = 425  # the same number on every architecture
EPERM = 1
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
LOAD_WORD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06


def statement(code, yes, no, value):
    return struct.pack("HBBI", code, yes, no, value)


def refuse_io_uring():
    refuse(IO_URING_SETUP)


def refuse(number):
    """The system call of that number is EPERM. For the child, between fork and exec."""
    program = (statement(LOAD_WORD, 0, 0, 0)  # seccomp_data.nr
               + statement(JUMP_EQUAL, 0, 1, number)
               + statement(RETURN, 0, 0, ERRNO | EPERM)
               + statement(RETURN, 0, 0, ALLOW))
    text = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HP", len(program) // 8, ctypes.addressof(text))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 \
            or prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


@unittest.skipUnless(platform.system() == "Linux", "seccomp is Linux's")
class IoUringRefused(Case):
    def test_auto_serves_on_something_else_and_says_why(self):
        with serve("echo", "--listen", ":0", prepare=refuse_io_uring) as s:
            address = s.address()
            self.assertEqual(s.model, "epoll/shared")
            why = s.line("stderr")
            self.assertRegex(why, "^iolite: .*epoll.*io_uring.*(EPERM|not permitted)")
            with dial(address) as peer:
                peer.sendall(b"hello")
                self.assertEqual(receive(peer, 5), b"hello")
            s.send(signal.SIGTERM)
            self.assertEqual(s.status(), 0)
            self.assertEqual(s.rest("stderr"), "")  # that was the one line

    def test_asked_for_by_name_it_does_not_fall_back(self):
        done = run("serve", "echo", "--model", "io_uring", "--listen", ":0",
                   prepare=refuse_io_uring)
        self.assertEqual(done.status, 1)
        self.assertEqual(done.out, "")
        self.one_line(done.err, "(EPERM|not permitted)")

    def test_models_and_doctor_say_why(self):
        row = next(m for m in run("models", "--json", "-", prepare=refuse_io_uring).json()
                   if m["model"] == "io_uring/shared")
        self.assertFalse(row["available"])
        self.assertRegex(row["reason"], "EPERM|not permitted")
        self.assertIn(row["reason"], run("doctor", prepare=refuse_io_uring).out)

    def test_clients_still_work(self):
        with serve("upper", "--model", "poll", "--listen", ":0") as s:
            done = run("connect", s.address(), stdin="hello\n", prepare=refuse_io_uring)
        self.assertEqual((done.status, done.out), (0, "HELLO\n"))


if __name__ == "__main__":
    main()
