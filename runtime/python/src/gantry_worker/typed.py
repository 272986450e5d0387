"""LANG "C": what C clients send. The function is Python source text in a protobuf message; parameters and results are
typed protobuf messages.

A message has one value (it becomes that value) or several (a list). The first function that the text defines outside
of classes and other functions is the one. It gets globals of its own. What it returns becomes:

    True, False      my_bool       a list or tuple       one item for each element
    int              my_int64      a list in a list      one item with several values (bool, int or float)
    float            my_double     None                  no item
    str, bytes       my_string, my_bytes

An int, or several without a negative one, that an int64 does not hold becomes my_uint64 if that does.

The bounds are those of the C client's buffers: what is beyond them it could not read.
"""

import ast

from . import messages
from .failures import Failure, Unreadable

_MAX_ITEMS = 8
_MAX_VALUES = 128
_MAX_BYTES = 1024
# Its buffer also holds the zero byte that ends a text.
_MAX_TEXT_BYTES = _MAX_BYTES - 1
_MAX_RESULT_BYTES = 8 * 1024
_INT64 = range(-(2**63), 2**63)
_UINT64 = range(2**64)
_FILE_NAME = "function.py"


def load_function(code, describer):
    """The function of a `MyFunc`. Raises Failure, or whatever its text raises."""
    try:
        text = messages.parse("MyFunc", code).fc_code
    except messages.DecodeError:
        raise Failure("invalid-function", "it is not the protobuf message of a function") from None
    describer.sources[_FILE_NAME] = text.splitlines()
    # Not ast.parse: its frame would be the last one of a SyntaxError.
    tree = compile(text, _FILE_NAME, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    name = _first_function(tree.body)
    if name is None:
        raise Failure("invalid-function", "the text has no function: there is no `def name(` in it")
    own_globals = {"__name__": "__main__"}
    exec(compile(tree, _FILE_NAME, "exec", dont_inherit=True), own_globals)
    function = own_globals.get(name)
    if not callable(function):
        raise Failure("invalid-function", f"the text does not define {name}")
    return function


def _first_function(statements):
    """The name that the first `def` of these statements gives to the module: not those of methods."""
    for statement in statements:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return statement.name
        if isinstance(statement, ast.ClassDef):
            continue
        # Branches of `if`, `try`, `with` and the like, in the order of the text.
        for _, part in ast.iter_fields(statement):
            for branch in part if isinstance(part, list) else ():
                # A statement, or an `except` or `case` that holds some.
                inner = [branch] if isinstance(branch, ast.stmt) else getattr(branch, "body", None)
                name = _first_function(inner) if isinstance(inner, list) else None
                if name is not None:
                    return name
    return None


def load_parameter(data):
    """The value or values of a `MyParam`."""
    try:
        message = messages.parse("MyParam", data)
    except messages.DecodeError:
        raise Unreadable("it is not the protobuf message of a parameter") from None
    name = message.WhichOneof("param")
    if name is None:
        raise Unreadable("its message has no value")
    value = getattr(message, name)
    if name in ("my_string", "my_bytes"):
        return value
    values = list(value.values)
    return values[0] if len(values) == 1 else values


def dump_result(value, limit_bytes):
    """The `FaasResponse`. Raises Failure."""
    value = _plain(value)
    items = [] if value is None else value if isinstance(value, (list, tuple)) else [value]
    if len(items) > _MAX_ITEMS:
        raise Failure("result-too-large", f"{len(items)} results; a C client reads at most {_MAX_ITEMS}")
    response = messages.new("FaasResponse")
    for index, item in enumerate(items):
        try:
            _fill(response.my_faas_response.add(), _plain(item))
        except _Unfit as unfit:
            raise Failure(unfit.code, f"result {index + 1}: {unfit}") from None
    data = response.SerializeToString()
    limit_bytes = min(limit_bytes, _MAX_RESULT_BYTES)
    if len(data) > limit_bytes:
        raise Failure("result-too-large", f"the result has {len(data)} bytes, the limit is {limit_bytes}")
    return data


class _Unfit(Exception):
    def __init__(self, text, code="result-not-serializable"):
        super().__init__(text)
        self.code = code


def _plain(value):
    """Arrays and scalars of numpy as Python's own."""
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    return value


def _fill(message, value):
    if isinstance(value, str):
        try:
            encoded = value.encode()
        except UnicodeEncodeError:
            raise _Unfit("text that is not Unicode (half of a surrogate pair)") from None
        _check_size(len(encoded), _MAX_TEXT_BYTES, "text")
        message.my_string = value
    elif isinstance(value, (bytes, bytearray)):
        _check_size(len(value), _MAX_BYTES, "bytes")
        message.my_bytes = bytes(value)
    elif isinstance(value, (list, tuple)):
        if len(value) > _MAX_VALUES:
            raise _Unfit(f"{len(value)} values; a C client reads at most {_MAX_VALUES}", "result-too-large")
        _fill_numbers(message, [_plain(one) for one in value])
    else:
        _fill_numbers(message, [value])


def _fill_numbers(message, values):
    field, values = _choose(values)
    inner = getattr(message, field)
    inner.SetInParent()
    inner.values.extend(values)


def _choose(values):
    """The field for these values, and the values as it takes them."""
    for value in values:
        if not isinstance(value, (bool, int, float)):
            raise _Unfit(f"a {type(value).__name__} cannot be sent to a C client")
    if values and all(isinstance(value, bool) for value in values):
        return "my_bool", values
    if any(isinstance(value, float) for value in values):
        try:
            return "my_double", [float(value) for value in values]
        except OverflowError:
            raise _Unfit("an int is too large for a double") from None
    values = [int(value) for value in values]
    if all(value in _INT64 for value in values):
        return "my_int64", values
    if all(value in _UINT64 for value in values):
        return "my_uint64", values
    raise _Unfit("an int does not fit into 64 bits")


def _check_size(size, most, what):
    if size > most:
        raise _Unfit(f"{what} of {size} bytes; a C client reads at most {most}", "result-too-large")
