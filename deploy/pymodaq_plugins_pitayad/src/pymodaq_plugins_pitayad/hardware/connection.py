"""One TCP connection to a board, from the type word to the end of the stream.

Every request is a dictionary with a number of its own, so that answers find their requests in any order. One thread
reads; it hands each answer to whoever asked, on that thread, so a callback must be quick and must never ask and wait.
Nothing waits for ever: a board that is silent is pinged, and one that does not answer a ping is lost. An ended
stream ends every request that waits, with the reason.
"""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import logging
import socket
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoResult
from dataclasses import dataclass
from typing import Any, Callable, Union

from .errors import Late, Lost, NotProtocol, PitayadError, Refused
from .wire import check_length, decode, encode

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 3.0
"""Seconds to wait for one address to accept; a board on the same network does so in milliseconds."""

SILENCE = 4.0
"""Seconds without a byte after which the board is pinged, and as many again until it is given up."""

SEND_TIMEOUT = 5.0
"""Seconds in which the system must take a request; a board that reads nothing that long is lost."""

LAST_WORDS = 0.3
"""Seconds in which the reason for the end of a connection is read, after sending has failed."""

ANSWER_TIMEOUT = 10.0
"""Seconds in which an answer must come, unless a request names its own. A grab has none: the board ends it."""

PAYLOADS = {
    "Done": 1,
    "move_done": 1,
    "position_is": 1,
    "Infos": 1,
    "Info_xml": 2,
    "Reply": 1,
    "Error": 1,
    "pong": 0,
    "Changed": 2,
    "Progress": 1,
}
"""Words of the board, and how many objects follow each."""

UNASKED = frozenset({"Changed", "Progress"})
"""Words that answer no request."""


@dataclass(frozen=True)
class Address:
    """Where a board listens: one or more names or numbers of one host, and the port."""

    hosts: tuple[str, ...]
    port: int

    def __str__(self) -> str:
        host = self.hosts[0] if self.hosts else "?"
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


@dataclass
class Answer:
    """What came back: the board's word and the objects after it."""

    word: str
    payload: list[Any]


Outcome = Union[Answer, PitayadError]
"""What a request ends with."""


@dataclass
class _Pending:
    command: str
    done: Callable[[Outcome], None]


def in_order(hosts: Iterable[str], port: int) -> list[tuple[Any, ...]]:
    """Socket addresses to try: IPv4 first, then global IPv6. A link-local one is of no use without its interface."""
    found: list[tuple[Any, ...]] = []
    for host in hosts:
        try:
            for family, kind, protocol, _, where in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                if family in (socket.AF_INET, socket.AF_INET6) and (family, kind, protocol, where) not in found:
                    found.append((family, kind, protocol, where))
        except OSError as error:
            logger.debug("no address for %s: %s", host, error)

    def usable(entry: tuple[Any, ...]) -> bool:
        family, where = entry[0], entry[3]
        if family == socket.AF_INET:
            return True
        return not ipaddress.ip_address(where[0].split("%")[0]).is_link_local or where[3] != 0

    return sorted(filter(usable, found), key=lambda entry: entry[0] != socket.AF_INET)


def reach(address: Address, timeout: float = CONNECT_TIMEOUT) -> socket.socket:
    """A socket to the first address that accepts. Raises Lost with the reason of the last that did not."""
    reason = "the name is not known"
    for family, kind, protocol, where in in_order(address.hosts, address.port):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(timeout)
            sock.connect(where)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError as error:
            sock.close()
            reason = "nobody answers" if isinstance(error, TimeoutError) else (error.strerror or str(error))
    raise Lost(f"no connection to {address}: {reason}")


class Connection:
    """An open connection. When it has ended it stays ended: make a new one.

    ``kind`` is PyMoDAQ's type word, ``GRABBER`` or ``ACTUATOR``; ``unasked`` gets what answers no request, on the
    reading thread. Raises Lost if nobody listens there.
    """

    def __init__(self, address: Address, kind: str, unasked: Callable[[Answer], None]) -> None:
        self.address = address
        self.kind = kind
        self._unasked = unasked
        self._ended: Callable[[Lost], None] | None = None
        self._numbers = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._reason: Lost | None = None
        self._refusal = ""
        self._pinged = False
        self._socket = reach(address)
        # Another object for the same socket: sending has other time-outs than reading.
        self._writer = self._socket.dup()
        try:
            self._send(encode(kind))
        except Lost:
            self._shut()
            raise
        self._socket.settimeout(SILENCE)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, name=f"pitayad {kind.lower()} {address}", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------------------------------------- asking

    @property
    def open(self) -> bool:
        """False when it has ended."""
        return self._reason is None

    def submit(self, command: str, done: Callable[[Outcome], None], /, **arguments: Any) -> int:
        """Sends a command; ``done`` gets the outcome on the reading thread. Gives the request's number.

        Raises Lost if it could not be sent; then ``done`` is not called.
        """
        number = next(self._numbers)
        message = encode({"command": command, **arguments, "id": number})
        with self._lock:
            if self._reason is not None:
                raise Lost(str(self._reason))
            self._pending[number] = _Pending(command, done)
        try:
            self._send(message)
        except Lost as error:
            with self._lock:
                mine = self._pending.pop(number, None)
            # A board that hangs up says why before; the reader may be about to read it.
            if threading.current_thread() is not self._thread:
                self._over.wait(LAST_WORDS)
            self._end(error)
            if mine is not None:
                raise Lost(str(self._reason)) from None
        return number

    def request(self, command: str, /, timeout: float | None = ANSWER_TIMEOUT, **arguments: Any) -> Answer:
        """Sends a command and waits for its answer.

        Raises Refused with the board's sentence, Late after ``timeout`` seconds, Lost if the connection ends.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("the thread that reads answers cannot wait for one")
        outcome: Future[Outcome] = Future()
        number = self.submit(command, outcome.set_result, **arguments)
        try:
            result = outcome.result(timeout)
        except NoResult:
            self.forget(number)
            raise Late(f"{self.address} did not answer {command} within {timeout:g} s") from None
        if isinstance(result, PitayadError):
            raise result
        return result

    def forget(self, number: int) -> None:
        """The answer to this request is of no interest any more; it is dropped when it comes."""
        with self._lock:
            if number in self._pending:
                self._pending[number].done = lambda outcome: None

    def on_end(self, ended: Callable[[Lost], None]) -> None:
        """Calls back once when the connection ends; at once if it has ended."""
        with self._lock:
            self._ended = ended
            reason = self._reason
        if reason is not None:
            ended(reason)

    def close(self) -> None:
        """Takes leave and closes. Requests that wait end with Lost."""
        with contextlib.suppress(PitayadError):
            if self.open:
                self._send(encode("Quit"), timeout=0.2)
        self._end(Lost(f"the connection to {self.address} was closed"))
        if threading.current_thread() is not self._thread:
            self._thread.join(1.0)

    # ------------------------------------------------------------------------------------------- sending

    def _send(self, message: bytes, timeout: float = SEND_TIMEOUT) -> None:
        with self._sending:
            try:
                self._writer.settimeout(timeout)
                self._writer.sendall(message)
            except (TimeoutError, socket.timeout):
                raise Lost(f"{self.address} does not read what it is sent") from None
            except OSError as error:
                raise Lost(f"the connection to {self.address} broke: {error.strerror or error}") from None

    # ------------------------------------------------------------------------------------------- reading

    def _read(self) -> None:
        held: Answer | None = None
        try:
            while True:
                item = self._message()
                if isinstance(item, str):
                    # An answer that carries no number was to the connection itself; so far only errors are.
                    if held is not None:
                        self._unnumbered(held)
                    held = self._answer(item)
                    if held.word in UNASKED:
                        self._unasked(held)
                        held = None
                elif held is not None and isinstance(item, (int, float)) and not isinstance(item, bool):
                    self._settle(int(item), held)
                    held = None
                else:
                    raise NotProtocol(f"{self.address} sent a {type(item).__name__} where a word was due")
                if held is not None and held.word == "Error" and not self._pending:
                    self._unnumbered(held)
                    held = None
        except PitayadError as error:
            if held is not None and held.word == "Error":
                self._unnumbered(held)
            reason = error if isinstance(error, Lost) else Lost(str(error))
            self._end(Lost(f"{reason} ({self._refusal})") if self._refusal else reason)
        except Exception as error:
            logger.exception("the reader of %s failed", self.address)
            self._end(Lost(f"reading from {self.address} failed: {error}"))

    def _unnumbered(self, answer: Answer) -> None:
        text = str(answer.payload[0]) if answer.payload else answer.word
        logger.warning("%s: %s", self.address, text)
        self._refusal = text

    def _answer(self, word: str) -> Answer:
        count = PAYLOADS.get(word)
        if count is None:
            raise NotProtocol(f"{self.address} sent the unknown word {word[:40]!r}")
        return Answer(word, [self._message() for _ in range(count)])

    def _settle(self, number: int, answer: Answer) -> None:
        with self._lock:
            pending = self._pending.pop(number, None)
        if pending is None:
            raise NotProtocol(f"{self.address} answered request {number}, which was never made")
        self._finish(pending, Refused(str(answer.payload[0])) if answer.word == "Error" else answer)

    def _finish(self, pending: _Pending, outcome: Outcome) -> None:
        try:
            pending.done(outcome)
        except Exception:
            logger.exception("the answer to %s could not be handed on", pending.command)

    def _message(self) -> Any:
        header = self._receive(4)
        return decode(self._receive(check_length(bytes(header))))

    def _receive(self, count: int) -> bytearray:
        """Exactly ``count`` bytes. The buffer is new each time: arrays are views of it."""
        buffer = bytearray(count)
        view = memoryview(buffer)
        while view:
            try:
                got = self._socket.recv_into(view)
                self._pinged = False
            except (TimeoutError, socket.timeout):
                self._ping()
                continue
            except OSError as error:
                raise self._reason or Lost(
                    f"the connection to {self.address} broke: {error.strerror or error}"
                ) from None
            if got == 0:
                raise self._reason or Lost(f"{self.address} closed the connection")
            view = view[got:]
        return buffer

    def _ping(self) -> None:
        if self._pinged:
            raise Lost(f"{self.address} has been silent for {2 * SILENCE:g} s")
        self._pinged = True
        self.submit("ping", lambda outcome: None)

    def _shut(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._writer.close()
        self._socket.close()

    def _end(self, reason: Lost) -> None:
        with self._lock:
            if self._reason is not None:
                return
            self._reason = reason
            ended = self._ended
            pending: Sequence[_Pending] = list(self._pending.values())
            self._pending.clear()
        self._shut()
        for entry in pending:
            self._finish(entry, reason)
        self._over.set()
        if ended is not None:
            ended(reason)
