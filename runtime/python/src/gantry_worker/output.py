"""What a call prints, kept up to a bound.

Descriptors 1 and 2 are a pipe that ends in this very process, so that what C extensions print is caught too. The pipe
never blocks and nobody has to empty it in time:

I1  What Python prints goes through `LogStream`, which empties the pipe into memory when it is full, until the bound.
    Beyond the bound it is dropped, and the writer does not notice.
I2  What is written past Python waits in the pipe for the end of the call; what does not fit is refused there (EAGAIN).
I3  The first bytes are kept, followed by a marker when something was dropped.
"""

import fcntl
import io
import os
import sys

_MARKER = b"\n[log truncated]\n"
_CHUNK_BYTES = 64 * 1024
# What Linux lets anybody ask for.
_MAX_PIPE_BYTES = 1024 * 1024

_read, _write = os.read, os.write


class Log:
    """The log of the call that runs."""

    def __init__(self, limit_bytes):
        self._limit_bytes = limit_bytes
        self._kept = bytearray()
        self._is_truncated = False
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        wanted = min(max(2 * limit_bytes, _CHUNK_BYTES), _MAX_PIPE_BYTES)
        try:
            fcntl.fcntl(self._writer, fcntl.F_SETPIPE_SZ, wanted)
        except OSError:
            pass  # Its own size will do.

    def capture(self):
        """Puts the standard streams and their descriptors in its place; standard input is empty.

        The worker's own last words go to `diagnostics`, where standard error went before.
        """
        self.diagnostics = os.dup(2)
        for descriptor in (1, 2):
            os.dup2(self._writer, descriptor, inheritable=False)
        sys.stdin = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        # The originals would write to the descriptors when they are finalized.
        self._originals = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
        self._streams = (_text_on(self), _text_on(self))
        sys.stdout, sys.stderr = self._streams
        sys.__stdout__, sys.__stderr__ = self._streams

    def begin(self, limit_bytes):
        """Forgets the call before; what was printed between calls belongs to nobody."""
        self._limit_bytes = 0
        self._drain()
        self._limit_bytes = limit_bytes
        self._kept = bytearray()
        self._is_truncated = False
        sys.stdout, sys.stderr = self._streams

    def take(self):
        """The log so far."""
        self._drain()
        return bytes(self._kept) + _MARKER if self._is_truncated else bytes(self._kept)

    def write(self, data):
        """I1"""
        view = memoryview(data)
        while len(view) > 0 and not self._is_truncated:
            try:
                view = view[_write(self._writer, view[:_CHUNK_BYTES]) :]
            except BlockingIOError:
                self._drain()

    def _drain(self):
        while True:
            try:
                chunk = _read(self._reader, _CHUNK_BYTES)
            except BlockingIOError:
                return
            room = self._limit_bytes - len(self._kept)
            self._kept += chunk[: max(room, 0)]
            if len(chunk) > room:
                self._is_truncated = True  # I3


class LogStream(io.RawIOBase):
    """`sys.stdout.buffer`: takes everything and keeps what fits."""

    def __init__(self, log):
        self._log = log

    def writable(self):
        return True

    def write(self, data):
        self._log.write(data)
        return len(data)

    def fileno(self):
        return 1

    def close(self):
        """Stays open for the next call."""


def _text_on(log):
    return io.TextIOWrapper(LogStream(log), encoding="utf-8", errors="backslashreplace", write_through=True)
