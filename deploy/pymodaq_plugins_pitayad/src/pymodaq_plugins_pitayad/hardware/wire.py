"""Bytes to objects and back, in the grammar of PyMoDAQ 5. No input or output, no Qt, no PyMoDAQ.

A board speaks both of PyMoDAQ's grammars. This client always uses that of PyMoDAQ 5, whatever version is installed: it
gives the length of each message before the message, has dictionaries, and its objects say what they are. Bytes that
come in are checked before anything is allocated: lengths against what is there, depths and counts against limits.
Arrays are views of the received bytes, not copies.

    message = u32 length, tagged
    tagged  = string class name, body
    string  = u32 length, UTF-8
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, Callable

import numpy as np

from .errors import NotProtocol

MAX_MESSAGE = 256 * 2**20
"""Longest message that is accepted, in bytes: far more than any board has samples for."""

MAX_TEXT = 16 * 2**20
"""Longest text that is accepted, in bytes: a settings tree has some 10 kB."""

MAX_DEPTH = 32
"""How deep lists may lie in lists."""

MAX_TAG = 64
"""Longest name of a class, in bytes."""

MAX_DIMENSIONS = 8
"""Most dimensions of an array."""

DTYPES = frozenset("fiucb")
"""Kinds of numbers that arrays may have; never objects, whose bytes would be pointers."""

_U32 = struct.Struct(">I")


@dataclass
class AxisMessage:
    """An axis of data: its values along one dimension of the arrays."""

    label: str
    units: str
    values: np.ndarray
    index: int = 0
    spread_order: int = 0


@dataclass
class DataMessage:
    """Arrays of one shape with what they are: PyMoDAQ's DataRaw, DataActuator and their kin."""

    kind: str
    name: str
    timestamp: float
    arrays: list[np.ndarray]
    units: str = ""
    labels: list[str] = field(default_factory=list)
    axes: list[AxisMessage] = field(default_factory=list)
    source: str = "raw"
    dim: str = "Data0D"
    distribution: str = "uniform"
    origin: str = ""
    nav_indexes: tuple[int, ...] = ()
    errors: list[np.ndarray] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class ExportMessage:
    """Several data objects sent as one: PyMoDAQ's DataToExport."""

    name: str
    timestamp: float
    data: list[DataMessage]
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class ParameterMessage:
    """One parameter of a settings tree, as XML, with its place in the tree."""

    path: list[str]
    xml: bytes


DATA_CLASSES = frozenset({"DataWithAxes", "DataRaw", "DataActuator", "DataFromPlugins", "DataCalculated"})
EXPORT_CLASSES = frozenset({"DataToExport", "DataScan", "DataToActuators"})


# ---------------------------------------------------------------------------------------------- objects to bytes


def encode(value: Any) -> bytes:
    """One message: what commands are made of (None, bool, int, float, str, bytes, list, tuple, dict).

    Raises TypeError for anything else, and OverflowError for integers of more than 64 bits.
    """
    body = _tagged(value)
    return _U32.pack(len(body)) + body


def _text(value: str) -> bytes:
    raw = value.encode()
    return _U32.pack(len(raw)) + raw


def _number(tag: str, dtype: str, raw: bytes) -> bytes:
    return _text(tag) + _text(dtype) + _U32.pack(len(raw)) + raw


def _tagged(value: Any) -> bytes:
    if value is None:
        return _text("NoneType")
    if isinstance(value, (bool, np.bool_)):
        return _number("bool", "|b1", b"\1" if value else b"\0")
    if isinstance(value, (int, np.integer)):
        return _number("int", "<i8", int(value).to_bytes(8, "little", signed=True))
    if isinstance(value, (float, np.floating)):
        return _number("float", "<f8", struct.pack("<d", value))
    if isinstance(value, str):
        return _text("str") + _text(value)
    if isinstance(value, bytes):
        return _text("bytes") + _U32.pack(len(value)) + value
    if isinstance(value, (list, tuple)):
        return _text("list") + _U32.pack(len(value)) + b"".join(map(_tagged, value))
    if isinstance(value, dict):
        return _text("dict") + _tagged(list(value)) + b"".join(map(_tagged, value.values()))
    raise TypeError(f"a {type(value).__name__} cannot be sent to a board")


# ---------------------------------------------------------------------------------------------- bytes to objects


def check_length(header: bytes) -> int:
    """Length of the message that these four bytes announce. Raises NotProtocol if no board would send that much."""
    (length,) = _U32.unpack(header)
    if length > MAX_MESSAGE:
        raise NotProtocol(f"the peer announced a message of {length} bytes, this is no pitayad")
    return length


def decode(body: bytes | bytearray | memoryview) -> Any:
    """The object in a message, without its length. Raises NotProtocol if these bytes are not exactly one object."""
    reader = _Reader(memoryview(body))
    try:
        value = reader.tagged()
    except NotProtocol:
        raise
    except (UnicodeDecodeError, ValueError, TypeError, OverflowError, struct.error) as error:
        raise NotProtocol(f"the peer sent an object that cannot be read: {error}") from error
    if reader.left:
        raise NotProtocol(f"the peer sent {reader.left} bytes too many in a message")
    return value


class _Reader:
    """A place in the bytes of one message."""

    def __init__(self, body: memoryview) -> None:
        self.body = body
        self.at = 0
        self.depth = 0

    @property
    def left(self) -> int:
        return len(self.body) - self.at

    def take(self, count: int) -> memoryview:
        if count > self.left:
            raise NotProtocol(f"the peer's message ends {count - self.left} bytes too early")
        self.at += count
        return self.body[self.at - count : self.at]

    def u32(self) -> int:
        return int(_U32.unpack(self.take(4))[0])

    def text(self, limit: int = MAX_TEXT) -> str:
        length = self.u32()
        if length > limit:
            raise NotProtocol(f"the peer sent a text of {length} bytes, at most {limit} are accepted")
        return str(self.take(length), "utf-8")

    def count(self) -> int:
        """Number of things that follow; each needs at least its tag, so what is left is a limit."""
        count = self.u32()
        if count * 4 > self.left:
            raise NotProtocol(f"the peer announced {count} objects in {self.left} bytes")
        return count

    def dtype(self) -> np.dtype:
        dtype = np.dtype(self.text(16))
        if dtype.kind not in DTYPES or dtype.itemsize == 0:
            raise NotProtocol(f"the peer sent numbers of type {dtype.str}")
        return dtype

    def tagged(self) -> Any:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise NotProtocol(f"the peer sent objects nested deeper than {MAX_DEPTH}")
        tag = self.text(MAX_TAG)
        if tag in DATA_CLASSES:
            value: Any = self.data(tag)
        elif tag in EXPORT_CLASSES:
            value = self.export()
        else:
            body = _BODIES.get(tag)
            if body is None:
                raise NotProtocol(f"the peer sent an object of the unknown class {tag!r}")
            value = body(self)
        self.depth -= 1
        return value

    def expect(self, kind: type | tuple[type, ...]) -> Any:
        value = self.tagged()
        if not isinstance(value, kind):
            raise NotProtocol(f"the peer sent a {type(value).__name__} where it does not belong")
        return value

    def array(self) -> np.ndarray:
        dtype = self.dtype()
        size = self.u32()
        dimensions = self.u32()
        if dimensions > MAX_DIMENSIONS:
            raise NotProtocol(f"the peer sent an array of {dimensions} dimensions")
        shape = [self.u32() for _ in range(dimensions)]
        raw = np.frombuffer(self.take(size), dtype)
        return raw.reshape(shape or 1)

    def scalar(self) -> Any:
        dtype = self.dtype()
        raw = self.take(self.u32())
        if len(raw) != dtype.itemsize:
            raise NotProtocol(f"the peer sent {len(raw)} bytes for one {dtype.str}")
        return np.frombuffer(raw, dtype)[0].item()

    def items(self) -> list[Any]:
        return [self.tagged() for _ in range(self.count())]

    def dictionary(self) -> dict[Any, Any]:
        keys = self.expect(list)
        if not all(isinstance(key, (str, int, float, bool)) for key in keys):
            raise NotProtocol("the peer sent a dictionary whose keys are no plain values")
        return {key: self.tagged() for key in keys}

    def all_of(self, kind: type) -> list[Any]:
        values = self.expect((list, tuple))
        if not all(isinstance(value, kind) for value in values):
            raise NotProtocol(f"the peer sent a list in which not everything is a {kind.__name__}")
        return list(values)

    def attributes(self) -> dict[str, Any]:
        return {name: self.tagged() for name in self.all_of(str)}

    def axis(self) -> AxisMessage:
        return AxisMessage(
            label=self.expect(str),
            units=self.expect(str),
            values=self.expect(np.ndarray),
            index=self.expect(int),
            spread_order=self.expect(int),
        )

    def data(self, kind: str) -> DataMessage:
        timestamp = float(self.expect((float, int)))
        name, source, dim, distribution = (self.expect(str) for _ in range(4))
        return DataMessage(
            kind=kind,
            name=name,
            timestamp=timestamp,
            source=source,
            dim=dim,
            distribution=distribution,
            arrays=self.all_of(np.ndarray),
            units=self.expect(str),
            labels=self.all_of(str),
            origin=self.expect(str),
            nav_indexes=tuple(self.all_of(int)),
            axes=self.all_of(AxisMessage),
            errors=self.all_of(np.ndarray),
            attributes=self.attributes(),
        )

    def export(self) -> ExportMessage:
        timestamp = float(self.expect((float, int)))
        return ExportMessage(
            timestamp=timestamp, name=self.expect(str), data=self.all_of(DataMessage), attributes=self.attributes()
        )

    def parameter(self) -> ParameterMessage:
        return ParameterMessage(path=self.all_of(str), xml=self.expect(bytes))


_BODIES: dict[str, Callable[[_Reader], Any]] = {
    "NoneType": lambda reader: None,
    "str": _Reader.text,
    "bytes": lambda reader: bytes(reader.take(reader.u32())),
    "int": _Reader.scalar,
    "float": _Reader.scalar,
    "complex": _Reader.scalar,
    "bool": _Reader.scalar,
    "ndarray": _Reader.array,
    "list": _Reader.items,
    "tuple": lambda reader: tuple(reader.items()),
    "dict": _Reader.dictionary,
    "Axis": _Reader.axis,
    "NavAxis": _Reader.axis,
    "ParameterWithPath": _Reader.parameter,
}
"""Class name to the reader of its body."""
