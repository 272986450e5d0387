"""How a call fails: codes of the platform, and texts that show the function's own frames and nothing of the host."""

import errno
import importlib.util
import os
import sys

import cloudpickle

_MAX_MESSAGE_CHARS = 2048
_MAX_FRAMES = 8
_MAX_CAUSES = 3
# How far a chain of causes is followed to find that it began with a limit.
_MAX_CHAIN = 32
# One file beyond the size of the folder is EFBIG, a folder that is full the others.
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
# What the loader of shared libraries says when there are no addresses left for one.
_NOT_MAPPED = ("failed to map segment from shared object", "Cannot allocate memory")
_LIMITS = {
    "out-of-memory": "the function used more memory than its {memoryMiB} MiB",
    "scratch-full": "the function wrote more than its scratch folder holds",
}


class Failure(Exception):
    """A call that ended badly, in the platform's words."""

    def __init__(self, code, text, is_last=False):
        super().__init__(code, text)
        self.code = code
        self.text = text
        # The process is not fit for another call.
        self.is_last = is_last


class Unreadable(Exception):
    """Bytes of the caller that cannot be understood; the message says why."""


class Stopped(BaseException):
    """Raised in the middle of a function whose time is over or that was cancelled."""


class Describer:
    """Puts what was raised into words."""

    def __init__(self, program_folder, module_hints, limits):
        # Made while there is memory for it.
        self._limit_texts = {code: text.format(**limits) for code, text in _LIMITS.items()}
        # Frames of these are the worker's steps, not the function's.
        own = (program_folder, os.path.dirname(cloudpickle.__file__))
        self._own_folders = tuple(os.path.join(folder, "") for folder in own) + ("<frozen ",)
        self._module_hints = module_hints
        # Lines of functions that came as text, by file name.
        self.sources = {}

    def to_failure(self, raised, code="function-error", before=""):
        """The failure for anything that was raised. Raises nothing itself."""
        if isinstance(raised, Failure):
            return raised
        limit = limit_met(raised)
        if limit is not None:
            return self._to_limit(limit, raised)
        try:
            return Failure(code, before + self.describe(raised))
        except BaseException:
            return Failure(code, before + type(raised).__name__)

    def _to_limit(self, code, raised):
        text = self._limit_texts[code]
        if not isinstance(raised, MemoryError):
            try:
                text += f": {self.describe(raised)}"
            except BaseException:
                pass  # There is no memory for it.
        return Failure(code, text, is_last=True)

    def describe(self, raised):
        """`Type: message`, the last frames, and what caused it."""
        text = _head(raised) + self._hint(raised) + self._frames(raised)
        seen = {id(raised)}
        for _ in range(_MAX_CAUSES):
            cause = _cause_of(raised)
            if cause is None or id(cause) in seen:
                break
            seen.add(id(cause))
            text += f"\ncaused by {_head(cause)}{self._hint(cause)}{self._frames(cause)}"
            raised = cause
        return text

    def _hint(self, raised):
        if not isinstance(raised, ModuleNotFoundError) or not isinstance(raised.name, str):
            return ""
        hints = self._module_hints
        own = hints.get(raised.name, {}).get("own")
        if own is not None:
            package = f": apt-get install {own['debian']}" if "debian" in own else ""
            text = "declares it, but it is not installed on this machine"
            return f" (flavour {own['flavour']} {text}{package})"
        top = raised.name.split(".")[0]
        hint = hints.get(raised.name)
        if hint is None and top != raised.name and _can_be_imported(top):
            return f" ({top} is here{_version_of(top)} and has no {raised.name})"
        hint = hint or hints.get(top, {})
        flavours = hint.get("flavours", ())
        if not flavours:
            return f" (no flavour known here has the module {raised.name})"
        return f" (flavours that have the module {raised.name}: {', '.join(flavours)})"

    def _frames(self, raised):
        """The last frames that are not the worker's or the import system's."""
        lines, repeated = [], 0
        step = raised.__traceback__
        while step is not None:
            code = step.tb_frame.f_code
            name = code.co_filename
            if not name.startswith(self._own_folders):
                line = f'\n  File "{name}", line {step.tb_lineno}, in {code.co_name}'
                line += self._source_line(name, step.tb_lineno)
                if lines and lines[-1] == line:
                    repeated += 1
                else:
                    lines.append(line)
            step = step.tb_next
        more = f"\n  ({repeated} more of the same frames)" if repeated > 0 else ""
        return "".join(lines[-_MAX_FRAMES:]) + more

    def _source_line(self, name, number):
        lines = self.sources.get(name, ())
        if not 0 < number <= len(lines):
            return ""
        return f"\n    {lines[number - 1].strip()[:200]}"


def limit_met(raised):
    """The code of the limit that it, or what it came from, ran into, or None. Raises nothing."""
    try:
        for _ in range(_MAX_CHAIN):
            if raised is None:
                return None
            code = _limit_of(raised)
            if code is not None:
                return code
            raised = _cause_of(raised)
    except BaseException:
        pass  # What is asked of it may be code of the function.
    return None


def _limit_of(raised):
    if isinstance(raised, MemoryError):
        return "out-of-memory"
    if isinstance(raised, OSError):
        if raised.errno == errno.ENOMEM:
            return "out-of-memory"
        return "scratch-full" if raised.errno in _FULL else None
    if isinstance(raised, ImportError) and any(text in str(raised.msg) for text in _NOT_MAPPED):
        return "out-of-memory"
    return None


def _cause_of(raised):
    cause = raised.__cause__
    if cause is None and not raised.__suppress_context__:
        cause = raised.__context__
    return cause


def _can_be_imported(name):
    if name in sys.modules:
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except Exception:
        return False


def _version_of(name):
    """` in version 1.2`, or nothing for a module that does not say which it has."""
    if name in sys.stdlib_module_names:
        return f" as Python {sys.version_info[0]}.{sys.version_info[1]} has it"
    try:
        version = sys.modules[name].__version__
    except Exception:
        return ""
    return f" in version {version[:40]}" if isinstance(version, str) else ""


def _head(raised):
    if isinstance(raised, Unreadable):
        return str(raised)
    kind = type(raised)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__"):
        name = f"{kind.__module__}.{name}"
    try:
        message = str(raised)
    except Exception:
        message = "its message cannot be read"
    return f"{name}: {message}"[:_MAX_MESSAGE_CHARS] if message else name
