"""The protobuf messages of C clients, described here instead of in a file that would have to be compiled."""

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

DecodeError = message.DecodeError

_FILE = "gantry_worker/c_client.proto"
_PACKAGE = "gantry.c_client"
_FIELD = descriptor_pb2.FieldDescriptorProto
# In the order of their field numbers, from 1. Each is a message with `repeated values = 1`.
_ARRAYS = (
    "double",
    "float",
    "int32",
    "int64",
    "uint32",
    "uint64",
    "sint32",
    "sint64",
    "fixed32",
    "fixed64",
    "sfixed32",
    "sfixed64",
    "bool",
)


def _field(owner, name, number, kind, label=_FIELD.LABEL_OPTIONAL, type_name=None, oneof=None):
    field = owner.field.add(name=name, number=number, type=kind, label=label)
    if type_name is not None:
        field.type_name = f".{_PACKAGE}.{type_name}"
    if oneof is not None:
        field.oneof_index = oneof


def _describe():
    file = descriptor_pb2.FileDescriptorProto(name=_FILE, package=_PACKAGE, syntax="proto3")
    function = file.message_type.add(name="MyFunc")
    _field(function, "fc_code", 1, _FIELD.TYPE_STRING)
    parameter = file.message_type.add(name="MyParam")
    parameter.oneof_decl.add(name="param")
    for number, kind in enumerate(_ARRAYS, start=1):
        array = file.message_type.add(name=f"My_{kind}")
        _field(array, "values", 1, getattr(_FIELD, f"TYPE_{kind.upper()}"), _FIELD.LABEL_REPEATED)
        _field(parameter, f"my_{kind}", number, _FIELD.TYPE_MESSAGE, type_name=array.name, oneof=0)
    _field(parameter, "my_string", 14, _FIELD.TYPE_STRING, oneof=0)
    _field(parameter, "my_bytes", 15, _FIELD.TYPE_BYTES, oneof=0)
    response = file.message_type.add(name="FaasResponse")
    _field(response, "my_faas_response", 1, _FIELD.TYPE_MESSAGE, _FIELD.LABEL_REPEATED, type_name="MyParam")
    return file


def _classes():
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_describe())
    names = ("MyFunc", "MyParam", "FaasResponse")
    found = [pool.FindMessageTypeByName(f"{_PACKAGE}.{name}") for name in names]
    if hasattr(message_factory, "GetMessageClass"):
        return {one.name: message_factory.GetMessageClass(one) for one in found}
    factory = message_factory.MessageFactory(pool)  # Before protobuf 4.22.
    return {one.name: factory.GetPrototype(one) for one in found}


_by_name = _classes()


def new(name):
    """An empty message."""
    return _by_name[name]()


def parse(name, data):
    """The message in the bytes. Raises DecodeError."""
    return _by_name[name].FromString(bytes(data))
