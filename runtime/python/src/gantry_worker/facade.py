"""`import gantry`: what a function may ask of the call that runs. It is there only inside a function's process."""

import sys
import types
from time import monotonic, time

# What comes sooner is dropped.
_PROGRESS_EVERY_SECONDS = 0.5


class _Module(types.ModuleType):
    """The module itself, so that its names always speak of the call that runs."""

    def __init__(self, current, send_progress):
        super().__init__("gantry", __doc__)
        self.__dict__["_current"] = current
        self.__dict__["_send_progress"] = send_progress
        self.__dict__["_last"] = (None, 0.0)

    @property
    def execution_id(self):
        """The id under which the execution can be read; None between calls."""
        call = self._current()
        return None if call is None else call.execution_id

    @property
    def deadline(self):
        """The instant (seconds as of `time.time()`) at which the call is stopped; None between calls."""
        call = self._current()
        return None if call is None else time() + call.seconds_left

    def log(self, *values):
        """Like print; into the log of the execution."""
        print(*values, file=sys.__stdout__)

    def progress(self, share):
        """Says how far the call is, 0 to 1. At most twice a second is sent."""
        call, ratio = self._current(), float(share)
        if call is None or not 0 <= ratio <= 1:
            return
        last_call, last = self._last
        if last_call is call and monotonic() - last < _PROGRESS_EVERY_SECONDS:
            return
        self.__dict__["_last"] = (call, monotonic())
        self._send_progress(call, round(ratio * 1000))


def install(current, send_progress):
    """Makes `import gantry` find it."""
    sys.modules["gantry"] = _Module(current, send_progress)
