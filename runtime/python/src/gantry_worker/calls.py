"""One call, shared by the main thread, which runs it, and the reader, which stops it.

I1  The phase decides who ends a call. It leaves `running` or `stopping` once, under a lock, and whoever took it out
    answers the supervisor.
I2  The main thread is interrupted only while `is_interruptible`: between the worker's own steps a signal does nothing.
I3  A call that is stopped is signalled again and again, because a function may swallow the first; when it has not
    ended after the grace the reader answers in its place.
"""

import signal
import threading
from time import monotonic

# By default it is ignored: a function that resets handlers does not kill its process with it.
INTERRUPT_SIGNAL = signal.SIGURG
_GRACE_SECONDS = 0.2
_NUDGE_SECONDS = 0.05

_WAITING, _RUNNING, _STOPPING, _OVER = range(4)


class Call:
    """A call from its frame to its end."""

    def __init__(self, meta, parameters):
        self.number = meta["call"]
        self.language = meta["language"]
        self.function_key = (meta["language"], meta["functionSha256"])
        self.execution_id = meta["executionId"]
        self.run_ms = meta["runMs"]
        self.result_bytes = meta.get("resultBytes")
        self.log_bytes = meta.get("logBytes")
        self.parameters = parameters
        self.is_interruptible = False
        self.stop_reason = None
        self._started = 0.0
        self._stopped = 0.0
        self._phase = _WAITING
        self._lock = threading.Lock()

    def start(self):
        """Its time runs from now on."""
        with self._lock:
            self._started = monotonic()
            if self._phase == _WAITING:
                self._phase = _RUNNING

    @property
    def is_over(self):
        return self._phase == _OVER

    @property
    def is_stopping(self):
        return self._phase == _STOPPING

    @property
    def elapsed_ms(self):
        return 0.0 if self._started == 0.0 else (monotonic() - self._started) * 1000

    @property
    def seconds_left(self):
        return self.run_ms / 1000 - (monotonic() - self._started)

    def try_end(self):
        """Whether the caller answers for it (I1)."""
        with self._lock:
            if self._phase == _OVER:
                return False
            self._phase = _OVER
            return True

    def stop(self, reason):
        """Interrupts it for good: `timeout` or `cancelled`."""
        with self._lock:
            if self._phase in (_STOPPING, _OVER):
                return
            was_running = self._phase == _RUNNING
            self.stop_reason = reason
            self._stopped = monotonic()
            self._phase = _STOPPING
        if was_running:
            self.interrupt()

    def interrupt(self):
        """Makes the main thread look at its phase."""
        signal.pthread_kill(threading.main_thread().ident, INTERRUPT_SIGNAL)

    def look(self):
        """The reader's look at the time. Returns (seconds until the next look or None, whether the grace is over)."""
        if self._phase == _OVER:
            return None, False
        if self._phase == _WAITING:
            return max(self.run_ms / 1000, _NUDGE_SECONDS), False
        if self._phase == _RUNNING:
            left = self.seconds_left
            if left > 0:
                return left, False
            self.stop("timeout")
        if monotonic() - self._stopped >= _GRACE_SECONDS:
            return None, True
        self.interrupt()  # I3
        return _NUDGE_SECONDS, False
