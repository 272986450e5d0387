"""LANG "PY": functions and values pickled by cloudpickle.

A code object is only good for the version of Python that compiled it; another one would crash the interpreter. Nothing
in a pickle says which version that was, so its instructions are looked at while it is made.
"""

import importlib
import io
import opcode
import pickle
import sys
import types

import cloudpickle
from cloudpickle import cloudpickle_fast

from .failures import Failure, Unreadable, limit_met

_VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
_CODES = frozenset(opcode.opmap.values())
# Instructions are followed by a number of empty ones that differs between versions.
_CACHES = getattr(opcode, "_inline_cache_entries", None)
# Every code object starts with the first of these, after any of the second.
_START = opcode.opmap.get("RESUME")
_BEFORE_START = frozenset(
    opcode.opmap.get(name)
    for name in ("EXTENDED_ARG", "COPY_FREE_VARS", "MAKE_CELL", "RETURN_GENERATOR", "POP_TOP")
)
_LOOKS_AT_CODE = sys.version_info[:2] in ((3, 11), (3, 12)) and isinstance(_CACHES, list)


class ForeignCode(Unreadable):
    """The code was compiled by another version of Python."""

    def __init__(self):
        super().__init__(f"it was compiled by another version of Python; here functions run on Python {_VERSION}")


def _is_own(instructions):
    if not _LOOKS_AT_CODE:
        return True
    if next((code for code in instructions[::2] if code not in _BEFORE_START), None) != _START:
        return False
    index, end = 0, len(instructions)
    while index < end:
        code = instructions[index]
        if code not in _CODES or code == 0:
            return False
        for _ in range(_CACHES[code]):
            index += 2
            if index >= end or instructions[index] != 0:
                return False
        index += 2
    return True


def _make_code(*fields):
    # Before it is made: the interpreter overwrites what it takes for empty.
    instructions = next((field for field in fields if isinstance(field, bytes)), b"")
    if not _is_own(instructions):
        raise ForeignCode()
    try:
        return types.CodeType(*fields)
    except (TypeError, ValueError):
        raise ForeignCode() from None


def _builtin_type(name):
    return _make_code if name == "CodeType" else cloudpickle.cloudpickle._builtin_type(name)


def _field_type(name):
    """What marks the fields of a dataclass; cloudpickle knows of it from release 3 on."""
    if name not in ("_FIELD", "_FIELD_CLASSVAR", "_FIELD_INITVAR"):
        raise pickle.UnpicklingError(f"no kind of field: {name}")
    return getattr(importlib.import_module("dataclasses"), name)


# What a pickle may ask of cloudpickle and gets from here instead.
_OWN_PARTS = {"_builtin_type": _builtin_type, "_get_dataclass_field_type_sentinel": _field_type}


def _known_module(module):
    """numpy 2 moved `numpy.core`, and its arrays name the new place; here numpy may be older."""
    if module != "numpy._core" and not module.startswith("numpy._core."):
        return module
    version = str(getattr(importlib.import_module("numpy"), "__version__", ""))
    # The last releases before 2 have some of the new place's modules, and all of the old one's.
    return f"numpy.core{module[len('numpy._core'):]}" if version.startswith("1.") else module


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        module = _known_module(module)
        if module.startswith("cloudpickle."):
            if name in _OWN_PARTS:
                return _OWN_PARTS[name]
            # Later releases of cloudpickle have in one module what this one has in two.
            if not hasattr(cloudpickle.cloudpickle, name) and hasattr(cloudpickle_fast, name):
                return getattr(cloudpickle_fast, name)
        return super().find_class(module, name)


def _load(data):
    return _Unpickler(io.BytesIO(data)).load()


class _BoundedFile:
    """Collects what is pickled; refuses what goes beyond the bound while it is being made."""

    def __init__(self, limit_bytes):
        self._limit_bytes = limit_bytes
        self._size_bytes = 0
        self.parts = []

    def write(self, data):
        if isinstance(data, pickle.PickleBuffer):
            data = data.raw()
        self._size_bytes += len(data)
        if self._size_bytes > self._limit_bytes:
            text = f"the pickled result is larger than {self._limit_bytes} bytes"
            raise Failure("result-too-large", text)
        self.parts.append(bytes(data))
        return len(data)


def load_function(code, _describer):
    """What `fc` unpickles to. Whatever it raises, the function is to blame."""
    function = _load(code)
    if not callable(function):
        kind = type(function).__name__
        raise Failure("invalid-function", f"the pickle holds no function but an object of type {kind}")
    return function


def load_parameter(data):
    """One parameter. Raises Unreadable for what is no pickle at all, and says what a parameter is."""
    try:
        return _load(data)
    except Exception as error:
        # With this byte every pickle begins whose protocol is not of the last century.
        if bytes(data[:1]) == b"\x80" or limit_met(error) is not None:
            raise
        raise Unreadable(
            "it is no pickle; each parameter of a function in PY is the base64 of one, as "
            "base64.b64encode(pickle.dumps(value)) makes it (`gantry call` makes them from JSON)"
        ) from None


_lazy = {
    types.GeneratorType: "a generator; return a list of what it yields",
    types.CoroutineType: "a coroutine; a function cannot be async",
    types.AsyncGeneratorType: "an async generator; a function cannot be async",
}


def dump_result(value, limit_bytes):
    """The pickled result. Raises Failure."""
    kind = _lazy.get(type(value))
    if kind is not None:
        raise Failure("result-not-serializable", f"the function returned {kind}")
    file = _BoundedFile(limit_bytes)
    try:
        cloudpickle.CloudPickler(file).dump(value)
    except Failure:
        raise
    except Exception as error:
        if limit_met(error) is not None:
            raise
        text = f"the result cannot be pickled: {type(error).__name__}: {error}"
        raise Failure("result-not-serializable", text[:2048]) from None
    return file.parts[0] if len(file.parts) == 1 else b"".join(file.parts)
