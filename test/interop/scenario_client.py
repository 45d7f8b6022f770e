"""Our client alone, without PyMoDAQ: the wire against what a peer may send, and a board that dies in every way."""

from __future__ import annotations

import contextlib
import math
import random
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import checks
import numpy as np
from checks import check, note, soon
from daemon import Daemon, wait_for
from pymodaq_plugins_pitayad import Board, Late, Lost, NotProtocol, Refused
from pymodaq_plugins_pitayad.hardware import connection as connections
from pymodaq_plugins_pitayad.hardware.connection import Address, Connection, in_order
from pymodaq_plugins_pitayad.hardware.discovery import FoundBoard, matches, parse_address, sorted_hosts
from pymodaq_plugins_pitayad.hardware.settings import read_settings, read_value, same
from pymodaq_plugins_pitayad.hardware.wire import MAX_MESSAGE, check_length, decode, encode

checks.watchdog(150)


@contextlib.contextmanager
def peer(*answers: bytes, hold: float = 0.0) -> Iterator[Address]:
    """Somebody who accepts, sends these bytes whatever is asked, waits, and closes."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                for answer in answers:
                    client.sendall(answer)
                time.sleep(hold)
                client.close()

    threading.Thread(target=serve, daemon=True).start()
    yield Address(("127.0.0.1",), server.getsockname()[1])
    server.close()


def ended(address: Address, seconds: float = 5.0) -> str:
    """Why a connection to this peer ended."""
    reason: Future[Lost] = Future()
    try:
        made = Connection(address, "GRABBER", lambda answer: None)
    except Lost as error:
        return str(error)
    made.on_end(reason.set_result)
    waiting: Future[object] = Future()
    with contextlib.suppress(Lost):
        made.submit("grab", waiting.set_result, module="scope")
        assert isinstance(waiting.result(seconds), Lost)
    text = str(reason.result(seconds))
    made.close()
    assert not made.open
    return text


with check("what commands are made of goes both ways"):
    for value in (
        None,
        True,
        False,
        0,
        -1,
        2**62,
        0.1,
        -math.inf,
        "",
        "µV",
        b"\0\1",
        [],
        [1, [2.5, ["a"]]],
        {"command": "grab", "config": {"decimation": 64}, "id": 7},
    ):
        message = encode(value)
        assert struct.unpack(">I", message[:4])[0] == len(message) - 4
        back = decode(message[4:])
        assert back == value and type(back) is type(value), (value, back)
    assert math.isnan(decode(encode(math.nan)[4:]))
    assert encode("GRABBER").hex() == "0000001200000003737472000000074752414242" + "4552"

with check("what cannot be sent is refused here"):
    for value in (object(), np.zeros(3), {1j: 2}, 2**64):
        try:
            encode(value)
        except (TypeError, OverflowError):
            continue
        raise AssertionError(value)

with check("bent bytes are refused, quickly and without a large allocation"):
    good = encode({"command": "grab", "config": {"decimation": 64, "list": [1, 2.5, "a", None]}, "id": 7})[4:]
    draw = random.Random(1)
    start = time.monotonic()
    refused = 0
    for _ in range(20000):
        bent = bytearray(good)
        for _ in range(draw.randint(1, 4)):
            bent[draw.randrange(len(bent))] = draw.randrange(256)
        if draw.random() < 0.3:
            del bent[draw.randrange(len(bent)) :]
        try:
            decode(bent)
        except NotProtocol:
            refused += 1
    assert refused > 15000, refused
    assert time.monotonic() - start < 20
    deep = b"".join(b"\0\0\0\4list\0\0\0\1" for _ in range(10000)) + b"\0\0\0\x08NoneType"
    many = b"\0\0\0\4list\xff\xff\xff\xff"
    objects = b"\0\0\0\7ndarray\0\0\0\2|O\0\0\0\x08\0\0\0\1\0\0\0\1" + bytes(8)
    huge = b"\0\0\0\7ndarray\0\0\0\3<f8\xff\xff\xff\xf8\0\0\0\1\x1f\xff\xff\xff"
    wrong = b"\0\0\0\3str\0\0\0\2\xff\xfe"
    for body in (deep, many, objects, huge, wrong, b"", b"\0\0\0\3str", good + b"\0"):
        try:
            decode(body)
        except NotProtocol:
            continue
        raise AssertionError(body[:40])
    try:
        check_length(struct.pack(">I", MAX_MESSAGE + 1))
        raise AssertionError("too long, and taken")
    except NotProtocol:
        pass

with check("settings: PyMoDAQ's forms are read, and nothing is evaluated"):
    xml = """<s type="group" title="S"><a type="list" title="A" limits="['LV', 'HV']">str('HV')</a>
      <b type="list" title="B" limits="[1, 8]">int(8)</b><c type="float" title="C" limits="(-1.0, 1.0)">nan</c>
      <d type="bool" title="None" readonly="1">1</d><e type="int" title="E">3.7</e>
      <f type="list" title="F" limits="__import__('os').abort()">__import__('os').abort()</f></s>"""
    tree = read_settings(xml)
    values = {leaf.name: leaf.value for leaf in tree.leaves()}
    assert values["a"] == "HV" and values["b"] == 8 and math.isnan(values["c"]) and values["d"] is True
    assert values["e"] == 3 and tree.children[3].title == "d" and tree.children[3].readonly
    assert tree.children[5].limits is None and isinstance(values["f"], str)
    assert read_value("int", str(2**63)) == 2**63
    assert same(1, 1.0) and not same(True, 1) and same(math.nan, math.nan) and not same("a", "b")
    for bad in ("", "<a", "<a type='int'>x</a>", "<a type='float'></a>"):
        try:
            read_settings(bad)
        except NotProtocol:
            continue
        raise AssertionError(bad)

with check("addresses as they are typed, and boards as they are meant"):
    assert parse_address("192.168.1.7") == Address(("192.168.1.7",), 6341)
    assert parse_address("localhost") == Address(("localhost",), 6341)
    assert parse_address("rp.lab.example:7000") == Address(("rp.lab.example",), 7000)
    assert parse_address("[fe80::1]:7000") == Address(("fe80::1",), 7000)
    assert parse_address("localhost:99999") is None and parse_address("rp-f0a1b2") is None and parse_address("") is None
    one = FoundBoard("pitayad on rp", Address(("10.0.0.1",), 1), {"serial": "0abc"})
    two = FoundBoard("pitayad on rp (2)", Address(("10.0.0.2",), 1), {"serial": "1abc"})
    assert matches(one, one.label) and not matches(two, one.label)
    # Names change when boards meet; the serial number in brackets stays.
    assert matches(two, "pitayad on rp [1abc]") and not matches(one, "pitayad on rp [1abc]")
    assert matches(one, "0ABC") and matches(one, "rp") and matches(one, "rp.local") and not matches(two, "rp")
    assert sorted_hosts(["fe80::1%2", "2001:db8::1", "10.0.0.1"]) == ("10.0.0.1", "2001:db8::1", "fe80::1%2")
    families = [entry[0] for entry in in_order(["::1", "127.0.0.1"], 1)]
    assert families in ([socket.AF_INET, socket.AF_INET6], [socket.AF_INET])

with check("who is no board: every way of ending a stream ends what waits, with the reason"):
    error = encode("Error") + encode("There are too many clients.")
    for what, answers, hold, expected in (
        ("closes at once", [], 0.0, "closed the connection"),
        ("half a length", [b"\0\0"], 0.0, "closed the connection"),
        ("half a message", [encode("Done")[:-2]], 0.0, "closed the connection"),
        ("HTTP", [b"HTTP/1.1 400 Bad Request\r\n\r\n"], 0.2, "no pitayad"),
        ("unknown word", [encode("Hello")], 0.2, "unknown word"),
        ("no word", [encode([1, 2])], 0.2, "where a word was due"),
        ("an answer to nothing", [encode("Reply") + encode({}) + encode(99)], 0.2, "never made"),
        ("a reason, then the end", [error], 0.2, "too many clients"),
    ):
        with peer(*answers, hold=hold) as address:
            # A peer that goes without reading what it was sent resets the connection.
            text = re.sub("broke: (Connection reset by peer|Broken pipe)", "closed the connection", ended(address))
            assert expected in text, (what, text)

with check("a silent peer is given up, a slow answer is late"):
    connections.SILENCE = 0.3
    with peer(hold=5.0) as address:
        start = time.monotonic()
        assert "silent" in ended(address)
        assert 0.5 < time.monotonic() - start < 2.0
    connections.SILENCE = 4.0
    with peer(hold=3.0) as address:
        made = Connection(address, "ACTUATOR", lambda answer: None)
        try:
            made.request("get", timeout=0.2)
            raise AssertionError("an answer from nobody")
        except Late as late:
            assert "0.2 s" in str(late)
        made.close()

with check("nobody there"):
    try:
        Board("127.0.0.1:1")
        raise AssertionError("connected")
    except Lost as lost:
        note(lost)

daemon = Daemon()
where = f"127.0.0.1:{daemon.port}"

with check("PyMoDAQ is not needed"):
    board = Board(where)
    assert "pymodaq" not in sys.modules
    assert {"scope", "asg0", "asg1"} <= set(board.modules)
    note(repr(board))

with check("parameters are attributes; what the hardware took comes back"):
    board.asg0.set(waveform="sin", amplitude=0.5, output_direct="out1", trigger_source="immediately")
    board.asg0.frequency = 12345.678
    assert abs(board.asg0.frequency - 12345.678) < 0.1
    assert board.scope.set(decimation=64)["decimation"] == 64
    try:
        board.asg0.frequenzy = 1
        raise AssertionError("a new parameter")
    except AttributeError:
        pass
    for values in ({"amplitude": 1.5}, {"waveform": "circle"}, {"frequency": math.nan}, {"amplitude": "much"}):
        try:
            board.asg0.set(offset=0.3, **values)
            raise AssertionError(values)
        except Refused as refused:
            note(refused)
    assert board.asg0.offset == 0.0

with check("traces, fresh after each setting"):
    board.scope.set(input1="in1", trigger_source="immediately", decimation=8)
    for level in (0.1, 0.4, 0.2, 0.7):
        board.asg0.amplitude = level
        trace = board.scope.grab()
        assert trace.units == "V" and trace.labels == ["ch1", "ch2"] and len(trace.time) == len(trace["ch1"])
        assert abs(np.abs(trace["ch1"]).max() - level) < 0.01, (level, np.abs(trace["ch1"]).max())
    part = board.scope.grab(points=100, start=50)
    assert len(part) == 100


def acquiring() -> bool:
    """Whether the scope is at work, as the board says."""
    return board.status()["acquisitions"]["scope"] is not None


with check("stopping a grab of 8.6 s, and a slow grab delays no setting"):
    board.scope.decimation = 65536

    def stopped() -> float:
        outcome: Future[Any] = Future()
        grab = board.scope.start_grab(outcome.set_result)
        assert wait_for(acquiring)
        start = time.monotonic()
        board.asg0.frequency = 1000
        board.asg0.position("frequency")
        assert time.monotonic() - start < 4, "the setting waited for the grab"
        start = time.monotonic()
        grab.stop()
        end = outcome.result(10)
        took = time.monotonic() - start
        assert isinstance(end, Refused), end
        note(end)
        return took

    soon(stopped, 0.2)
    board.scope.decimation = 8
    try:
        board.scope.set(trigger_source="ch1_positive_edge", threshold=0.99, hysteresis=0.0)
        board.scope.grab(timeout=0.3)
        raise AssertionError("a trace from nothing")
    except Refused as refused:
        note(refused)
    board.scope.set(trigger_source="immediately", threshold=0.0)

with check("changes and their end are told; a lost board is said at once and comes back"):
    events: list[Any] = []
    board.listen(events.append)
    daemon.set("asg1", offset=0.25)
    assert wait_for(lambda: any(event.kind == "changed" and event.parameter == "offset" for event in events)), events
    changed = next(event for event in events if event.kind == "changed" and event.parameter == "offset")
    assert changed.module == "asg1" and changed.setting.value == 0.25
    waiting: Future[Any] = Future()
    board.scope.decimation = 65536
    board.scope.start_grab(waiting.set_result)
    assert wait_for(acquiring)
    daemon.kill()
    assert isinstance(waiting.result(10), Lost)
    assert wait_for(lambda: any(event.kind == "lost" for event in events))

    def refused() -> float:
        start = time.monotonic()
        try:
            board.asg0.get()
            raise AssertionError("an answer from the dead")
        except Lost as lost:
            note(lost)
            return time.monotonic() - start

    soon(refused, 0.1)
    daemon.start()
    assert wait_for(lambda: any(event.kind == "back" for event in events), 8), events
    assert board.asg0.get("frequency") and len(board.scope.grab()) > 16000

with check("a module that another owns is refused, with the owner's name"):
    board.owner = "alice@bench"
    board.attach("asg1", "own")
    with Board(where, owner="bob@desk") as other:
        try:
            other.asg1.offset = 0.1
            raise AssertionError("written")
        except Refused as refused:
            assert "alice@bench" in str(refused), refused
        other.asg0.offset = 0.1
        other.asg0.offset = 0.0
    board.detach("asg1")

with check("closing ends every thread of it"):
    board.close()
    assert wait_for(lambda: not [t for t in threading.enumerate() if t.name.startswith("pitayad")], 3), [
        t.name for t in threading.enumerate()
    ]
    try:
        board.asg0.get()
        raise AssertionError("an answer")
    except Lost:
        pass

with check("the daemon ends cleanly"):
    assert daemon.stop() == 0

checks.leave()
