"""Boards on this network, found by multicast DNS (``_pymodaq._tcp``). Nothing is sent before the first question."""

from __future__ import annotations

import atexit
import contextlib
import ipaddress
import logging
import re
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .connection import Address
from .errors import NotFound

if TYPE_CHECKING:
    from zeroconf import Zeroconf

logger = logging.getLogger(__name__)

SERVICE = "_pymodaq._tcp.local."
"""The service type that boards announce."""

PORT = 6341
"""PyMoDAQ's port, and that of a board unless its announcement says otherwise."""

LOOK_TIMEOUT = 3.0
"""Seconds to look for a board that is not known yet; answers come within a second."""

DETAILS_TIMEOUT = 2000
"""Milliseconds to wait for the address of an announced board."""


@dataclass(frozen=True)
class FoundBoard:
    """A board that announced itself."""

    name: str
    """Unique on the network: ``pitayad on rp-f0a1b2``."""
    address: Address
    properties: dict[str, str] = field(default_factory=dict, compare=False)
    """What it announced: ``model``, ``serial``, ``version``, ``modules``, ``bitstream`` …"""

    @property
    def serial(self) -> str:
        """The board's own number; stays the same when the board gets another name."""
        return self.properties.get("serial", "")

    @property
    def label(self) -> str:
        """Name and serial number, as shown in lists; `Neighbourhood.resolve` understands it."""
        return f"{self.name} [{self.serial}]" if self.serial else self.name


class Neighbourhood:
    """The boards that announce themselves, kept up to date by a browser in the background."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._boards: dict[str, FoundBoard] = {}
        self._zeroconf: Zeroconf | None = None

    def start(self) -> None:
        """Begins to browse, if it has not yet. Without a network the list stays empty, with a line in the log."""
        with self._lock:
            if self._zeroconf is not None:
                return
            try:
                from zeroconf import InterfaceChoice, ServiceBrowser, Zeroconf

                self._zeroconf = Zeroconf(interfaces=InterfaceChoice.All)
            except (ImportError, OSError) as error:
                logger.warning("boards cannot be looked for: %s", error)
                return
            zeroconf = self._zeroconf
        atexit.register(self.stop)
        ServiceBrowser(zeroconf, SERVICE, handlers=[self._heard])

    def stop(self) -> None:
        """Ends browsing and forgets what was found."""
        with self._lock:
            zeroconf, self._zeroconf = self._zeroconf, None
            self._boards.clear()
        if zeroconf is not None:
            atexit.unregister(self.stop)
            with contextlib.suppress(Exception):
                zeroconf.close()

    def refresh(self) -> None:
        """Looks anew, as if just started; also after the network was changed."""
        self.stop()
        self.start()

    def boards(self) -> list[FoundBoard]:
        """Those known now, by name."""
        with self._lock:
            return sorted(self._boards.values(), key=lambda board: board.name)

    def look(self, timeout: float = LOOK_TIMEOUT) -> list[FoundBoard]:
        """Those found within ``timeout`` seconds."""
        self.start()
        time.sleep(timeout)
        return self.boards()

    def resolve(self, text: str, timeout: float = LOOK_TIMEOUT) -> Address:
        """The address that a user means: a label from the list, a name, a serial number, ``host`` or ``host:port``.

        An empty text means the only board there is. Raises NotFound with the boards that there are.
        """
        text = text.strip()
        typed = parse_address(text)
        if typed is not None:
            return typed
        self.start()
        deadline = time.monotonic() + timeout
        # When any board would do, others must have had the time to answer too.
        patience = time.monotonic() + min(timeout, 1.0) if text == "" else 0.0
        while True:
            boards = self.boards()
            matching = [board for board in boards if matches(board, text)]
            if time.monotonic() >= patience:
                if len(matching) == 1:
                    return matching[0].address
                if text == "" and matching:
                    break
            left = deadline - time.monotonic()
            if left <= 0:
                break
            with self._changed:
                self._changed.wait(min(left, 0.1))
        known = ", ".join(board.label for board in boards) or "none"
        if not text:
            what = "no board was found" if not boards else f"there are {len(boards)} boards: choose one"
        elif matching:
            what = f"several boards answer to {text!r}"
        else:
            host = text.split(" ")[0]
            if host == text:
                return Address((host,), PORT)
            what = f"no board answers to {text!r}"
        raise NotFound(f"{what} (found: {known}); a typed host:port always works")

    def _heard(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: object) -> None:
        """Called by zeroconf on its own thread, which must not wait: details are asked for on another."""
        removed = getattr(state_change, "name", "") == "Removed"
        threading.Thread(target=self._learn, args=(zeroconf, name, removed), daemon=True).start()

    def _learn(self, zeroconf: Zeroconf, name: str, removed: bool) -> None:
        board = None
        if not removed:
            try:
                from zeroconf import IPVersion

                info = zeroconf.get_service_info(SERVICE, name, timeout=DETAILS_TIMEOUT)
                if info is not None and info.port:
                    properties = {
                        _text(key): _text(value) for key, value in info.properties.items() if value is not None
                    }
                    hosts = sorted_hosts(info.parsed_scoped_addresses(IPVersion.All))
                    if hosts:
                        board = FoundBoard(name[: -len(SERVICE) - 1], Address(hosts, int(info.port)), properties)
            except Exception as error:
                logger.debug("no details of %s: %s", name, error)
        with self._changed:
            if zeroconf is not self._zeroconf:
                return
            if board is not None:
                self._boards[name] = board
            elif removed:
                self._boards.pop(name, None)
            self._changed.notify_all()


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def sorted_hosts(hosts: Iterable[str]) -> tuple[str, ...]:
    """IPv4 first, then IPv6 that is valid beyond one cable, then the rest."""

    def rank(host: str) -> tuple[int, str]:
        address = ipaddress.ip_address(host.split("%")[0])
        return (0 if address.version == 4 else 2 if address.is_link_local else 1, host)

    return tuple(sorted(hosts, key=rank))


def matches(board: FoundBoard, text: str) -> bool:
    """Whether a user who writes ``text`` means this board. A serial number in brackets counts before the name."""
    if text == "":
        return True
    bracketed = re.search(r"\[([^\[\]]+)\]$", text)
    if bracketed:
        return board.serial.lower() == bracketed[1].lower()
    host = board.name.rsplit(" on ", 1)[-1]
    return text.lower() in (board.name.lower(), board.serial.lower(), host.lower(), f"{host}.local".lower())


def parse_address(text: str) -> Address | None:
    """What is certainly typed: a number, a name with a dot or a port. None for what may be the name of a board."""
    text = text.strip()
    with contextlib.suppress(ValueError):
        return Address((str(ipaddress.ip_address(text)),), PORT)
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:\[\]]+)):(\d{1,5})", text)
    if match and 0 < int(match[3]) < 65536:
        return Address((match[1] or match[2],), int(match[3]))
    if text == "localhost":
        return Address((text,), PORT)
    if re.fullmatch(r"[\w-]+(\.[\w-]+)+", text) and not text.endswith(".local"):
        return Address((text,), PORT)
    return None


neighbourhood = Neighbourhood()
"""That of this process: one browser for all who ask."""
