"""The caller's JSON array of base64 strings, as bytes."""

import binascii
import json
import re

from .failures import Failure

# A list of base64 strings as clients write it. It has no escapes and no quotes inside, so it need not be made into
# text first: for large arrays that saves two copies.
_PLAIN = re.compile(rb'\[\s*(?:"[A-Za-z0-9+/=]*+"\s*+(?:,\s*+"[A-Za-z0-9+/=]*+"\s*+)*+)?\]\s*')
_ITEM = re.compile(rb'"([^"]*)"')
_decode = binascii.a2b_base64
_parse = json.JSONDecoder().decode


def decode_parameters(data):
    """One bytes object for each parameter. Raises Failure that says which one is wrong."""
    if len(data) == 0:
        return []
    if _PLAIN.fullmatch(data):
        items = [data[match.start(1) : match.end(1)] for match in _ITEM.finditer(data)]
    else:
        items = _parse_list(data)
    return [_decode_item(item, index) for index, item in enumerate(items)]


def _parse_list(data):
    try:
        items = _parse(str(data, "utf-8"))
    except ValueError:
        items = None
    if not isinstance(items, list):
        raise Failure("invalid-parameters", "the parameters are not a JSON array")
    return items


def _decode_item(item, index):
    if not isinstance(item, (str, memoryview, bytes)):
        raise Failure("invalid-parameters", f"parameter {index + 1} is not a string")
    try:
        return _decode(item, strict_mode=True)
    except ValueError:
        raise Failure("invalid-parameters", f"parameter {index + 1} is not base64") from None
