"""Serves the calls of one function.

The main thread runs functions, because only there can they be interrupted. A second thread, the reader, takes frames
and watches the time; it needs nothing of a function to stop it.

I1  One call at a time.
I2  A process serves one function in its life; the supervisor sees to that. What a function changed in the interpreter
    is therefore seen by itself alone. A worker that is given another function all the same loads that in its place.
I3  Unpickling happens while a call runs, under its deadline, and nowhere else.
I4  An answer is built once, here, as the bytes the caller gets.
I5  After a call that was stopped or ran out of memory the process is not used again: nobody knows what it left half
    done. The supervisor is told with `isLast`.
"""

import binascii
import gc
import importlib
import json
import os
import queue
import select
import signal
import sys
import threading
import traceback

from . import facade, frames, machine, pickled
from .calls import INTERRUPT_SIGNAL, Call
from .failures import Describer, Failure, Stopped
from .output import Log
from .parameters import decode_parameters

_DESCRIPTOR = 3
# Addresses count as memory, so threads of functions have less than the usual 8 MiB as well.
_READER_STACK_BYTES, _FUNCTION_STACK_BYTES = 512 * 1024, 2 * 1024 * 1024
_ANSWER_HEAD, _ANSWER_TAIL = b'{"ret_code":0,"res":"', b'","err":null}'
_encode = binascii.b2a_base64


class Worker:
    """See the head of this file."""

    def __init__(self, limits, program_folder):
        self._limits = limits
        self._describer = Describer(program_folder, limits.get("moduleHints") or {}, limits)
        self._channel = frames.Channel(_DESCRIPTOR)
        self._log = Log(limits["logBytes"])
        # Runs, code and aborts on their way from the reader to the main thread.
        self._inbox = queue.SimpleQueue()
        self._call = None
        self._function_key = None
        self._function = None

    @classmethod
    def from_json(cls, limits, program_folder):
        """The worker for the limits the supervisor gave."""
        return cls(json.loads(limits), program_folder)

    def serve(self):
        """Says that it is ready and serves until the process is ended."""
        machine.prepare()
        self._log.capture()
        try:
            self._serve()
        finally:
            self._end()

    def _serve(self):
        facade.install(lambda: self._call, self._send_progress)
        signal.signal(INTERRUPT_SIGNAL, self._on_interrupt)
        threading.stack_size(_READER_STACK_BYTES)
        threading.Thread(target=self._read, name="gantry reader", daemon=True).start()
        threading.stack_size(_FUNCTION_STACK_BYTES)
        gc.collect()
        gc.freeze()
        machine.limit_memory(self._limits["memoryMiB"])
        self._channel.send(frames.READY, {"pid": os.getpid()})
        while True:
            kind, call, _ = self._inbox.get()
            if kind == frames.RUN:
                self._serve_call(call)

    def _end(self):
        """Nothing of this process may stay; what went wrong in the worker itself is said first."""
        kind, raised, _ = sys.exc_info()
        try:
            if kind not in (None, frames.Gone):
                os.write(self._log.diagnostics, "".join(traceback.format_exception(raised)).encode())
        finally:
            machine.die()

    # The main thread.

    def _serve_call(self, call):
        self._log.begin(_given(call.log_bytes, self._limits["logBytes"]))
        try:
            language = self._language_of(call)
            code = self._code_for(call)
            call.start()
            outcome = self._run(language, call, code)
        except Failure as failure:
            outcome = failure
        self._finish(call, outcome)

    def _language_of(self, call):
        if call.language == "PY":
            return pickled
        # Only its functions need protobuf.
        return importlib.import_module(".typed", __package__)

    def _code_for(self, call):
        """The code if the function is not loaded, else None."""
        if self._function_key == call.function_key:
            return None
        self._channel.send(frames.NEED_CODE, {"call": call.number})
        while True:
            kind, about, payload = self._inbox.get()
            if about is not call:
                continue
            if kind == frames.CODE:
                return payload
            raise Failure("cancelled", "stopped on request")

    def _run(self, language, call, code):
        """The bytes of the result, or a Failure."""
        try:
            try:
                call.is_interruptible = True
                if call.is_stopping:
                    raise Stopped
                return self._execute(language, call, code)  # I3
            finally:
                call.is_interruptible = False
        except BaseException as raised:
            return self._describer.to_failure(raised)

    def _execute(self, language, call, code):
        if code is not None:
            self._load(language, call, code)
        function = self._function
        data = decode_parameters(call.parameters)
        call.parameters = None
        parameters = [self._load_parameter(language, data, index) for index in range(len(data))]
        del data
        value = function(*parameters)
        del parameters
        return language.dump_result(value, _given(call.result_bytes, self._limits["resultBytes"]))

    def _load(self, language, call, code):
        self._function_key = self._function = None
        try:
            self._function = language.load_function(code, self._describer)
        except Exception as raised:
            raise self._describer.to_failure(raised, "invalid-function") from None
        self._function_key = call.function_key

    def _load_parameter(self, language, data, index):
        part, data[index] = data[index], None
        try:
            return language.load_parameter(part)
        except Exception as raised:
            before = f"parameter {index + 1} cannot be read: "
            raise self._describer.to_failure(raised, "invalid-parameters", before) from None

    def _finish(self, call, outcome):
        elapsed_ms = call.elapsed_ms
        if not call.try_end():
            return  # The reader answered; the supervisor ends the process.
        if call.stop_reason is not None:
            outcome = _stopped(call)
        self._call = None
        self._answer(call, outcome, elapsed_ms)

    def _on_interrupt(self, _number, _frame):
        call = self._call
        if call is not None and call.is_interruptible and call.is_stopping:
            raise Stopped

    # Either thread; whoever ended the call.

    def _answer(self, call, outcome, elapsed_ms):
        meta = {"call": call.number, "runMs": elapsed_ms}
        log = self._log.take()
        if isinstance(outcome, Failure):
            meta.update(code=outcome.code, text=outcome.text, answerBytes=0)
            if outcome.is_last:
                meta.update(isLast=True, isReplaced=True)
            self._channel.send(frames.DONE, meta, log)
            return
        result = _encode(outcome, newline=False)
        meta["answerBytes"] = len(_ANSWER_HEAD) + len(result) + len(_ANSWER_TAIL)  # I4
        self._channel.send(frames.DONE, meta, _ANSWER_HEAD, result, _ANSWER_TAIL, log)

    def _send_progress(self, call, per_mille):
        if call.is_over:
            return
        is_in_main = threading.current_thread() is threading.main_thread()
        if is_in_main:
            call.is_interruptible = False  # An interrupt in the middle of a frame would leave half of it.
        self._channel.send(frames.PROGRESS, {"call": call.number, "perMille": per_mille})
        if is_in_main:
            call.is_interruptible = True

    # The reader.

    def _read(self):
        try:
            poller = select.poll()
            poller.register(_DESCRIPTOR, select.POLLIN)
            while True:
                wait_seconds = self._watch_time()
                wait_ms = None if wait_seconds is None else max(1, int(wait_seconds * 1000) + 1)
                if self._channel.has_frame or poller.poll(wait_ms):
                    self._on_frame(*self._channel.receive())
        finally:
            self._end()

    def _watch_time(self):
        call = self._call
        if call is None:
            return None
        seconds, is_grace_over = call.look()
        if is_grace_over and call.try_end():
            self._answer(call, _stopped(call), call.elapsed_ms)
        return seconds

    def _on_frame(self, kind, meta, payload):
        call = self._call
        if kind == frames.RUN:
            call = self._call = Call(meta, payload)
        elif call is None or call.number != meta.get("call"):
            return
        elif kind == frames.ABORT:
            call.stop("cancelled")
        # The parameters are in the call, which lets go of them once they are read.
        self._inbox.put((kind, call, payload if kind == frames.CODE else None))


def _stopped(call):
    if call.stop_reason == "timeout":
        return Failure("execution-timeout", f"stopped after {call.run_ms} ms", is_last=True)
    return Failure("cancelled", "stopped on request", is_last=True)


def _given(value, default):
    return default if value is None else value
