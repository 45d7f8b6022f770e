"""A board's settings tree: PyMoDAQ's XML to plain data. Nothing in it is evaluated as code."""

from __future__ import annotations

import ast
import math
import re
import threading
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from .errors import NotProtocol

MAX_LITERAL = 100_000
"""Longest text of limits or of a list that is read, in characters."""

WRAPPED = re.compile(r"(str|int|float)\((.*)\)", re.DOTALL)
"""How PyMoDAQ writes the value of a list: ``int(8)``."""

PARSING = threading.Lock()
"""CPython 3.11.7 was seen to stumble over two threads that parse at a time, with a SystemError."""

PARSING_TRIES = 5

PLAIN = {"bool_push": "bool", "led_push": "led", "slide": "float", "text_pb": "text"}
"""Kinds that differ in looks only."""


@dataclass
class Setting:
    """One parameter, or a group of them."""

    name: str
    kind: str
    """PyMoDAQ's type: ``group float int bool list str text led …``"""
    title: str
    value: Any = None
    limits: Any = None
    """A pair for numbers, a list or dictionary for lists."""
    unit: str = ""
    tip: str = ""
    readonly: bool = False
    visible: bool = True
    children: list[Setting] = field(default_factory=list)

    def leaves(self) -> list[Setting]:
        """All parameters below, or itself."""
        if self.kind == "group":
            return [leaf for child in self.children for leaf in child.leaves()]
        return [self]


def read_settings(xml: bytes | str) -> Setting:
    """The tree, or the one parameter, in PyMoDAQ's XML. Raises NotProtocol if it is no such XML."""
    try:
        root = ElementTree.fromstring(xml)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise NotProtocol(f"the board's settings cannot be read: {error}") from error
    return _setting(root)


def _setting(element: ElementTree.Element) -> Setting:
    kind = element.get("type") or ("group" if len(element) else "str")
    group = kind.startswith("group")
    title = element.get("title") or element.tag
    return Setting(
        name=element.tag,
        kind="group" if group else kind,
        title=element.tag if title == "None" else title,
        value=None if group else read_value(kind, element.text or ""),
        limits=read_literal(element.get("limits")),
        unit=element.get("suffix") or "",
        tip=element.get("tip") or "",
        readonly=element.get("readonly") == "1",
        visible=element.get("visible") != "0",
        children=[_setting(child) for child in element],
    )


def read_value(kind: str, text: str) -> Any:
    """The value that the text of an element of this kind stands for. Raises NotProtocol if it is none."""
    kind = PLAIN.get(kind, kind)
    try:
        if kind == "int":
            number = text.strip()
            return int(number) if re.fullmatch(r"[+-]?\d+", number) else int(float(number))
        if kind == "float":
            return float(text)
        if kind in ("bool", "led"):
            return text.strip().lower() in ("1", "true")
    except (ValueError, OverflowError) as error:
        raise NotProtocol(f"the board sent {text[:40]!r} as the value of a setting of type {kind}") from error
    if kind == "list":
        return _listed(text)
    return text


def _listed(text: str) -> Any:
    """``str('HV')``, ``int(8)``, ``'HV'``, ``8`` or ``HV``."""
    wrapped = WRAPPED.fullmatch(text.strip())
    inner = read_literal(wrapped[2] if wrapped else text)
    if inner is None:
        inner = wrapped[2] if wrapped else text
    if wrapped and wrapped[1] != "str":
        number = float(inner) if isinstance(inner, (int, float, str)) and _is_number(inner) else math.nan
        return int(inner) if wrapped[1] == "int" and isinstance(inner, int) else number
    return str(inner) if wrapped else inner


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def read_literal(text: str | None) -> Any:
    """A Python literal: a number, a text, a list of them. None for all else, and nothing is evaluated."""
    if text is None or len(text) > MAX_LITERAL:
        return None
    # Somebody else's thread may parse at this moment; not each time.
    for _ in range(PARSING_TRIES):
        try:
            with PARSING:
                return ast.literal_eval(text.strip())
        except SystemError:
            continue
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            break
    return None


def same(one: Any, other: Any) -> bool:
    """Whether two values of a setting are the same, whatever kind of number or list they are kept in."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one == other and isinstance(one, bool) == isinstance(other, bool)
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one == other or (math.isnan(one) and math.isnan(other))
    return str(one) == str(other)
