"""Length-prefixed frames between the supervisor and this process.

    u32 length of the rest | u8 kind | u32 length of meta | meta (JSON, UTF-8) | payload (bytes)

I1  A frame is written whole, under a lock: the main thread and the reader both write.
I2  A frame that arrived in one piece is not copied; a large one is read straight into its own buffer.
I3  The end of the stream, and anything that is no frame, means that the supervisor is gone.
"""

import json
import os
import struct
import threading

RUN, CODE, ABORT, READY, NEED_CODE, PROGRESS, DONE = 1, 2, 3, 4, 5, 6, 7

_PREFIX = struct.Struct(">I")
_HEAD = struct.Struct(">IBI")
_CHUNK_BYTES = 64 * 1024
_HEAD_BYTES = 5
# The supervisor's own bounds are tighter; this only keeps a broken stream from asking for all memory.
_MAX_FRAME_BYTES = 512 * 1024 * 1024

# Taken while this file is loaded: a function may change the modules it imports.
_dumps, _loads = json.JSONEncoder(separators=(",", ":")).encode, json.JSONDecoder().raw_decode
_read, _readv, _writev = os.read, os.readv, os.writev


class Gone(Exception):
    """The supervisor is gone."""


class Channel:
    """This process's end of the frames."""

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self._lock = threading.Lock()
        self._buffer = bytearray()
        os.set_blocking(descriptor, True)
        os.set_inheritable(descriptor, False)

    def send(self, kind, meta, *payload):
        """Writes one frame; `payload` is any number of bytes-like parts."""
        text = _dumps(meta).encode()
        length = _HEAD_BYTES + len(text) + sum(map(len, payload))
        parts = [memoryview(_HEAD.pack(length, kind, len(text)) + text), *map(memoryview, payload)]
        with self._lock:  # I1
            _write_all(self.descriptor, [part for part in parts if len(part) > 0])

    @property
    def has_frame(self):
        """Whether bytes of another frame were read already."""
        return len(self._buffer) > 0

    def receive(self):
        """The next frame as (kind, meta, payload). Waits. Raises Gone (I3)."""
        self._fill(_PREFIX.size)
        (length,) = _PREFIX.unpack_from(self._buffer)
        if not _HEAD_BYTES <= length <= _MAX_FRAME_BYTES:
            raise Gone
        body = self._take(_PREFIX.size, length)
        meta_end = _HEAD_BYTES + _PREFIX.unpack_from(body, 1)[0]
        if meta_end > length:
            raise Gone
        meta, _ = _loads(str(body[_HEAD_BYTES:meta_end], "utf-8"))
        return body[0], meta, body[meta_end:]

    def _fill(self, count):
        while len(self._buffer) < count:
            self._buffer += self._some(_CHUNK_BYTES)

    def _some(self, most):
        try:
            chunk = _read(self.descriptor, most)
        except OSError as error:
            raise Gone from error
        if chunk == b"":
            raise Gone
        return chunk

    def _take(self, skip, length):
        """`length` bytes after the first `skip` of the stream, as a view of memory of their own."""
        have = len(self._buffer) - skip
        if have >= length:
            body = bytes(memoryview(self._buffer)[skip : skip + length])
            del self._buffer[: skip + length]
            return memoryview(body)
        body = bytearray(length)
        view = memoryview(body)
        view[:have] = memoryview(self._buffer)[skip:]
        self._buffer = bytearray()
        while have < length:  # I2
            try:
                count = _readv(self.descriptor, [view[have:]])
            except OSError as error:
                raise Gone from error
            if count == 0:
                raise Gone
            have += count
        return view


def _write_all(descriptor, parts):
    while parts:
        try:
            written = _writev(descriptor, parts)
        except OSError as error:
            raise Gone from error
        while parts and written >= len(parts[0]):
            written -= len(parts.pop(0))
        if written > 0:
            parts[0] = parts[0][written:]
