"""A Red Pitaya that runs pitayad. Usable alone, without PyMoDAQ's windows:

>>> from pymodaq_plugins_pitayad import Board
>>> with Board() as board:                        # the only one on this network; else Board("rp-f0a1b2.local")
...     board.asg0.set(waveform="sin", frequency=1e3, amplitude=0.5, trigger_source="immediately")
...     trace = board.scope.grab()
"""

from __future__ import annotations

import contextlib
import getpass
import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Callable, Literal

from .connection import Address, Answer, Connection, Outcome
from .discovery import FoundBoard, neighbourhood
from .errors import Lost, NotProtocol, PitayadError
from .link import Hooks, Link
from .module import Module, PendingGrab
from .settings import Setting, read_settings
from .trace import GrabOutcome, Trace
from .wire import ExportMessage

logger = logging.getLogger(__name__)

Mode = Literal["share", "own"]


@dataclass(frozen=True)
class Event:
    """Something that happened to a board without being asked for."""

    kind: Literal["lost", "back", "changed", "progress"]
    text: str = ""
    module: str = ""
    parameter: str = ""
    setting: Setting | None = None
    points: dict[str, Any] | None = None
    """Of progress: points that came since the last one, from point ``first`` on, one list a quantity."""


class Board:
    """A board, connected until it is closed; a lost connection is made again by itself.

    ``where``: one that `discover` found, a name from the list, a serial number, ``host`` or ``host:port``; empty: the
    only one on this network. ``owner``: the name under which modules are held; by default user and host. Raises
    PitayadError if it cannot be reached.

    May be used by several threads. Two connections are kept: a slow acquisition must not delay a setting.
    """

    def __init__(self, where: str | FoundBoard | Address = "", *, owner: str = "", mode: Mode = "share") -> None:
        self._where = where
        self.owner = owner or default_owner()
        self.mode: Mode = mode
        self._lock = threading.RLock()
        self._attached: dict[str, Mode] = {}
        self._listeners: list[Callable[[Event], None]] = []
        self._data: Link | None = None
        self._closed = False
        self.address = Address((), 0)
        self.identity: dict[str, Any] = {}
        self._modules: dict[str, Module] = {}
        self._commands = self._link("ACTUATOR")
        try:
            self._describe()
        except PitayadError:
            self.close()
            raise

    @staticmethod
    def discover(timeout: float = 1.5) -> list[FoundBoard]:
        """The boards that announce themselves on this network."""
        return neighbourhood.look(timeout)

    # ------------------------------------------------------------------------------------------- what there is

    @property
    def modules(self) -> dict[str, Module]:
        """The instruments of the board by name."""
        return dict(self._modules)

    def __getattr__(self, name: str) -> Module:
        module = self.__dict__.get("_modules", {}).get(name)
        if module is None:
            raise AttributeError(f"the board has no module {name}")
        return module

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._modules]

    @property
    def connected(self) -> bool:
        """Whether the board can be reached just now."""
        data = self._data
        return self._commands.connected and (data is None or data.connected)

    def _describe(self) -> None:
        reply = self.ask("list")
        try:
            self._modules = {module["name"]: Module(self, module) for module in reply.pop("modules")}
        except (KeyError, TypeError) as error:
            raise NotProtocol(f"{self.address} does not say what modules it has") from error
        self.identity = reply

    # ------------------------------------------------------------------------------------------- asking

    def command(self, command: str, /, **arguments: Any) -> Answer:
        """Sends a command and waits for its answer. Raises Refused, Late or Lost."""
        return self._commands.request(command, **arguments)

    def ask(self, command: str, /, **arguments: Any) -> dict[str, Any]:
        """Sends a command that is answered by a dictionary."""
        reply = self.command(command, **arguments).payload
        if not reply or not isinstance(reply[0], dict):
            raise NotProtocol(f"the board answered {command} without a dictionary")
        return reply[0]

    def status(self) -> dict[str, Any]:
        """Holders, acquisitions, counters …"""
        return self.ask("status")

    def off(self) -> None:
        """Every output off, generators stopped; works whoever holds what."""
        self.ask("off")

    def settings(self, module: str) -> Setting:
        """The settings tree of a module."""
        answer = self.command("Send Infos", module=module)
        return read_settings(answer.payload[0])

    # ------------------------------------------------------------------------------------------- holding

    def attach(self, module: str, mode: Mode | None = None) -> None:
        """Says who uses a module, here and on every new connection. Raises Refused with the holder's name."""
        mode = mode or self.mode
        self._attach(self._commands.connection, module, mode)
        with self._lock:
            self._attached[module] = mode
            data = self._data
        if data is not None:
            self._attach(data.connection, module, mode)

    def detach(self, module: str) -> None:
        """Lets go of a module."""
        with self._lock:
            if self._attached.pop(module, None) is None:
                return
            links = [self._commands, self._data]
        for link in links:
            if link is not None and link.connected:
                with contextlib.suppress(PitayadError):
                    link.request("detach", module=module)

    def _attach(self, connection: Connection, module: str, mode: Mode) -> None:
        connection.request("attach", module=module, mode=mode, owner=self.owner)

    # ------------------------------------------------------------------------------------------- traces

    def start_grab(self, module: str, done: Callable[[GrabOutcome], None], options: dict[str, Any]) -> PendingGrab:
        """As Module.start_grab."""
        grab = PendingGrab(self, module)

        def settle(outcome: Outcome) -> None:
            grab.done = True
            if isinstance(outcome, PitayadError):
                done(outcome)
                return
            try:
                message = outcome.payload[0]
                if not isinstance(message, ExportMessage):
                    raise NotProtocol("the board answered a grab without data")
                trace = Trace(message)
            except PitayadError as error:
                done(error)
                return
            done(trace)

        self._data_link().submit("grab", settle, module=module, **options)
        return grab

    def stop(self, module: str) -> None:
        """Withdraws the grabs of this client, without waiting."""
        data = self._data
        if data is not None and data.connected:
            data.submit("stop", lambda outcome: None, module=module, all=False)

    def _data_link(self) -> Link:
        with self._lock:
            if self._closed:
                raise Lost("the board was closed")
            if self._data is None:
                self._data = self._link("GRABBER")
            return self._data

    # ------------------------------------------------------------------------------------------- events

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Calls back on each event, on a thread that must not wait, until the returned function is called."""
        with self._lock:
            self._listeners.append(listener)

        def forget() -> None:
            with self._lock, contextlib.suppress(ValueError):
                self._listeners.remove(listener)

        return forget

    def _tell(self, event: Event) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            try:
                listener(event)
            except Exception:
                logger.exception("a listener failed")

    def _unasked(self, answer: Answer) -> None:
        if answer.word == "Changed":
            path, xml = answer.payload
            with contextlib.suppress(NotProtocol):
                setting = read_settings(xml)
                module = str(path[0]) if isinstance(path, (list, tuple)) and path else ""
                self._tell(Event("changed", module=module, parameter=setting.name, setting=setting))
        elif answer.word == "Progress" and isinstance(answer.payload[0], dict):
            progress = answer.payload[0]
            points = progress.get("points")
            self._tell(
                Event(
                    "progress",
                    text=str(progress.get("text", "")),
                    module=str(progress.get("module", "")),
                    points=points if isinstance(points, dict) else None,
                )
            )

    # ------------------------------------------------------------------------------------------- connections

    def _link(self, kind: str) -> Link:
        def state(reason: Lost | None) -> None:
            if reason is not None:
                self._tell(Event("lost", text=str(reason)))
            elif self.connected:
                self._tell(Event("back", text=f"connected again to {self.address}"))

        return Link(kind, Hooks(locate=self._locate, greet=self._greet, unasked=self._unasked, state=state))

    def _locate(self) -> Address:
        where = self._where
        if isinstance(where, FoundBoard):
            # It may have got another address since it was found.
            known = next((board for board in neighbourhood.boards() if board.name == where.name), where)
            self.address = known.address
        elif isinstance(where, Address):
            self.address = where
        else:
            self.address = neighbourhood.resolve(where)
        return self.address

    def _greet(self, connection: Connection) -> None:
        with self._lock:
            attached = list(self._attached.items())
        for module, mode in attached:
            self._attach(connection, module, mode)
        if connection.kind == "ACTUATOR":
            connection.request("subscribe")

    def close(self) -> None:
        """Closes both connections. Outputs and settings of the board stay as they are."""
        with self._lock:
            self._closed = True
            links: Iterator[Link | None] = iter((self.__dict__.get("_commands"), self._data))
        for link in links:
            if link is not None:
                link.close()

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __str__(self) -> str:
        host = self.identity.get("hostname")
        return f"{host} ({self.address})" if host else str(self.address)

    def __repr__(self) -> str:
        return f"<Board {self}: {', '.join(self._modules)}>"


def default_owner() -> str:
    """User and host: who else wants a module reads this name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = "someone"
    return f"{user}@{socket.gethostname()}"
