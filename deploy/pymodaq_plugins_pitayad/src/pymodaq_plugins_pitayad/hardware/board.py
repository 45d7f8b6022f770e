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
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Callable, Literal, Union

import numpy as np

from .connection import Address, Answer, Connection, Outcome
from .discovery import FoundBoard, neighbourhood
from .errors import Late, Lost, NotProtocol, PitayadError, Refused
from .link import Hooks, Link
from .settings import Setting, read_settings
from .wire import DataMessage, ExportMessage

logger = logging.getLogger(__name__)

Mode = Literal["share", "own"]

STOP_TIMEOUT = 2.0
"""Seconds to wait until the board confirms that a grab was stopped, where somebody waits for it."""


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


class Trace:
    """What a grab brings: lines over an axis, of one or several quantities; or single values.

    Of the scope: ``trace.time`` in s, ``trace["ch1"]`` in ``trace.units``; ``trace.attributes`` say how it was
    recorded. What other modules measure has more quantities, by their names: ``curve.quantities["Phase"]["in1"]``,
    ``curve.axis``.
    """

    def __init__(self, message: ExportMessage, number: int = 0) -> None:
        if not message.data or not all(data.arrays for data in message.data):
            raise NotProtocol("the board sent a trace without data")
        self.message = message
        self.data: DataMessage = message.data[number]

    @property
    def quantities(self) -> dict[str, Trace]:
        """All of them by name, the first being the one that this is."""
        return {data.name: Trace(self.message, number) for number, data in enumerate(self.message.data)}

    @property
    def labels(self) -> list[str]:
        """Names of the channels."""
        return self.data.labels

    @property
    def units(self) -> str:
        """Unit of the samples."""
        return self.data.units

    @property
    def attributes(self) -> dict[str, Any]:
        """``board``, ``module``, ``inputs``, ``settings``, ``decimation``, ``clipped`` …"""
        return self.data.attributes

    @property
    def axis(self) -> np.ndarray:
        """What the samples are over: times in s, 0 is the trigger; or frequencies in Hz; empty for single values."""
        return self.data.axes[0].values if self.data.axes else np.empty(0)

    time = axis

    @property
    def errors(self) -> dict[str, np.ndarray]:
        """Uncertainties by channel, where there are any."""
        return dict(zip(self.data.labels, self.data.errors))

    def __getitem__(self, channel: str | int) -> np.ndarray:
        if isinstance(channel, str):
            if channel not in self.data.labels:
                raise KeyError(f"{channel} (there are {', '.join(self.data.labels)})")
            channel = self.data.labels.index(channel)
        return self.data.arrays[channel]

    def __len__(self) -> int:
        return len(self.data.arrays[0])

    def __repr__(self) -> str:
        return f"Trace({self.data.name}: {', '.join(self.labels)}; {len(self)} points, {self.units})"


class PendingGrab:
    """A grab under way. Its outcome was given to a callback, or is waited for with ``result``."""

    def __init__(self, board: Board, module: str) -> None:
        self._board = board
        self._module = module
        self.done = False

    def stop(self) -> None:
        """Withdraws it, at once and without waiting; its outcome is a Refused that says so."""
        if not self.done:
            self._board.stop(self._module)


GrabOutcome = Union[Trace, PitayadError]


class Module:
    """One instrument of a board: ``scope``, ``asg0`` …; parameters are attributes with PyRPL's names.

    >>> board.asg0.frequency = 2e3
    >>> board.asg0.frequency
    2000.0
    """

    def __init__(self, board: Board, description: dict[str, Any]) -> None:
        names = [parameter["name"] for parameter in description.get("parameters", [])]
        # Plain assignment would be a setting of the board.
        self.__dict__.update(board=board, name=str(description["name"]), description=description, names=tuple(names))

    board: Board
    name: str
    description: dict[str, Any]
    names: tuple[str, ...]

    def parameter(self, name: str) -> dict[str, Any]:
        """Declaration of a parameter: ``label``, ``help``, ``kind``, ``unit``, ``min``, ``max``, ``choices`` …"""
        for parameter in self.description["parameters"]:
            if parameter["name"] == name:
                return dict(parameter)
        raise KeyError(f"{self.name} has no {name}")

    def get(self, *names: str) -> dict[str, Any]:
        """Values as the hardware has them; all unless named."""
        arguments = {"parameters": list(names)} if names else {}
        return dict(self.board.ask("get", module=self.name, **arguments))

    def set(self, **values: Any) -> dict[str, Any]:
        """Sets all of these or, if one is refused, none. Gives the values that the hardware took."""
        return dict(self.board.ask("configure", module=self.name, config=values))

    def settings(self) -> Setting:
        """The settings tree as PyMoDAQ shows it."""
        return self.board.settings(self.name)

    def grab(self, timeout: float | None = None, **options: Any) -> Trace:
        """Acquires a new trace and waits for it.

        ``timeout``: seconds until the board gives up; by default the trace's duration and 5 s. Options: ``config``
        (settings to write first), ``fresh=False`` (one that is running will do); of the scope also ``start`` and
        ``points`` (a part), ``statistics`` (mean, rms, peak-to-peak from time ``from`` to ``to``).
        """
        outcome: Future[GrabOutcome] = Future()
        self.start_grab(outcome.set_result, timeout=timeout, **options)
        try:
            result = outcome.result()
        except BaseException:
            with contextlib.suppress(PitayadError):
                self.board.stop(self.name)
            raise
        if isinstance(result, PitayadError):
            raise result
        return result

    def start_grab(
        self, done: Callable[[GrabOutcome], None], timeout: float | None = None, **options: Any
    ) -> PendingGrab:
        """Sends a grab and returns; ``done`` gets the trace or the error on the thread that reads from the board."""
        if timeout is not None:
            options["timeout"] = float(timeout)
        return self.board.start_grab(self.name, done, options)

    def position(self, parameter: str) -> tuple[float, str]:
        """Present value of an actuator, and its unit."""
        return _position(self.board.command("check_position", module=self.name, parameter=parameter))

    def move_to(self, parameter: str, value: float, units: str = "") -> tuple[float, str]:
        """Moves an actuator; gives the value that the hardware took, and its unit."""
        return _position(
            self.board.command("move_abs", module=self.name, parameter=parameter, value=float(value), units=units)
        )

    def move_home(self, parameter: str) -> tuple[float, str]:
        """Moves an actuator to where it is at rest; refused where the board declares no such place."""
        return _position(self.board.command("move_home", module=self.name, parameter=parameter))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self.names:
            raise AttributeError(f"{self.name} has no {name}")
        return self.get(name)[name]

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.names:
            raise AttributeError(f"{self.name} has no {name}")
        self.set(**{name: value})

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.names]

    def __repr__(self) -> str:
        return f"<{self.name} of {self.board}>"


def _position(answer: Answer) -> tuple[float, str]:
    data = answer.payload[0]
    if not isinstance(data, DataMessage) or not data.arrays or not data.arrays[0].size:
        raise NotProtocol("the board sent a position that is none")
    return float(data.arrays[0].flat[0]), data.units


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


__all__ = ["Board", "Event", "Late", "Lost", "Module", "PendingGrab", "PitayadError", "Refused", "Trace"]
