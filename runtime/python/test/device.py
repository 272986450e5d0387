"""The device's side in tests: makes the bytes that Python clients send, and reads the bytes they get.

Requests and answers are JSON, one a line:

    {"source": "def f(a): ...", "values": "[1, 2]"}     {"fc": base64, "fc_hash": hex, "params": [base64, ...]}
    {"res": base64, "show": "value.shape"}              {"text": "..."}   the repr of what `show` says of the value

`source` defines the function `f`; `values` is an expression for its parameters.
"""

import base64
import hashlib
import json
import sys

import cloudpickle


def encode(value):
    return base64.b64encode(cloudpickle.dumps(value)).decode()


def dump(source, values):
    space = {"__name__": "__main__"}
    exec(compile(source, "device.py", "exec"), space)
    function = space["f"]
    code = getattr(function, "__code__", None)
    # As the clients have it: a hash of the instructions only, not of constants, names or what is closed over.
    fc_hash = hashlib.sha256(b"" if code is None else code.co_code).hexdigest()
    parameters = [encode(value) for value in eval(values, space)]
    return {"fc": encode(function), "fc_hash": fc_hash, "params": parameters}


def load(res, show):
    return {"text": repr(eval(show, {"value": cloudpickle.loads(base64.b64decode(res))}))}


for line in sys.stdin:
    request = json.loads(line)
    answer = dump(**request) if "source" in request else load(**request)
    print(json.dumps(answer), flush=True)
