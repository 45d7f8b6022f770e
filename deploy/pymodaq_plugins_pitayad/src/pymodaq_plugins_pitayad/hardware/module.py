"""One instrument of a board: its parameters, its grabs, its moves."""

from __future__ import annotations

import contextlib
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Callable

from .connection import Answer
from .errors import NotProtocol, PitayadError
from .settings import Setting
from .trace import GrabOutcome, Trace
from .wire import DataMessage

if TYPE_CHECKING:
    from .board import Board


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
