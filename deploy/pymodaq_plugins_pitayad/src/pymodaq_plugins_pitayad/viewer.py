"""What the detectors of a board share: grabs of one of its modules, which may be long, and can be stopped."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pymodaq.control_modules.viewer_utility_classes import DAQ_Viewer_base, comon_parameters
from pymodaq.utils.data import Axis, DataFromPlugins, DataToExport
from qtpy import QtCore

from .hardware.board import Board
from .hardware.errors import Lost, PitayadError
from .hardware.module import PendingGrab
from .hardware.trace import GrabOutcome, Trace
from .hardware.wire import DataMessage, ExportMessage
from .parameters import board_parameters
from .plugin import BoardPlugin
from .utils import Config

RETRY = 500
"""Milliseconds after which a continuous grab goes on when the board refused once."""

WATCH = 100
"""Milliseconds between looks whether PyMoDAQ still wants what is being waited for."""

BREATH = 0.002
"""Seconds that PyMoDAQ's loop is held up at a time while data are awaited; its coming ends that at once."""

AHEAD = 2
"""Data of a continuous grab that may be on their way to the window: while one is drawn, the next is measured."""

SEEN = object()
"""Event: the window has taken data out of its queue."""

config = Config()


def to_pymodaq(message: DataMessage, **more: Any) -> DataFromPlugins:
    """The board's data as PyMoDAQ's, with all attributes that it sent, and ``more`` of PyMoDAQ's own."""
    # What the class has already, as a method for instance, must not be covered.
    extra = {name: value for name, value in message.attributes.items() if not hasattr(DataFromPlugins, name)}
    data = DataFromPlugins(
        message.name,
        data=[aligned(array) for array in message.arrays],
        dim=message.dim,
        units=message.units,
        labels=message.labels,
        errors=[aligned(array) for array in message.errors] or None,
        axes=[
            Axis(axis.label, axis.units, data=aligned(axis.values), index=axis.index, spread_order=axis.spread_order)
            for axis in message.axes
        ],
        origin=message.origin,
        **extra,
        **more,
    )
    data.timestamp = message.timestamp
    return data


def aligned(array: np.ndarray) -> np.ndarray:
    """Numbers where the processor likes them: in a message they lie anywhere."""
    return array if array.flags.aligned else array.copy()


class Reception(QtCore.QObject):
    """Tells when the window's thread has come to what was sent before. Without it, data of a board that measures faster
    than they are drawn would fill the memory, and the window would answer later and later.
    """

    sent = QtCore.Signal()

    def __init__(self, tell: Callable[[object], None]) -> None:
        super().__init__()
        self._tell = tell
        window = QtCore.QCoreApplication.instance()
        if window is not None:
            self.moveToThread(window.thread())
        self.sent.connect(self._arrived)

    @QtCore.Slot()
    def _arrived(self) -> None:
        """In the window's thread."""
        self._tell(SEEN)


class BoardViewer(BoardPlugin, DAQ_Viewer_base):
    """What one module of the board measures; all its settings under *Board settings*.

    Data are asked for and, when they come, emitted: nothing waits in between, so that a grab can be stopped at any
    time. A snap is always a new measurement. A continuous grab takes those that others started too. A subclass names
    its module, and those whose settings are shown beside.
    """

    measured = ""
    beside: Sequence[str] = ()

    def __init_subclass__(
        cls,
        module: str,
        beside: Sequence[str] = (),
        own: Sequence[dict[str, Any]] = (),
        **kwargs: Any,
    ) -> None:
        """What PyMoDAQ reads from the class. ``own``: settings of the plug-in itself."""
        super().__init_subclass__(**kwargs)
        cls.measured = module
        cls.beside = beside
        cls.params = [
            *comon_parameters,
            *board_parameters(config("board", "address"), config("board", "owner")),
            *own,
            {
                "title": "Time-out (s):",
                "name": "timeout",
                "type": "float",
                "value": config("scope", "timeout"),
                "limits": [0.0, 86400.0],
                "tip": "Until the board gives up waiting, for a trigger for instance; 0: what it takes, and 5 s.",
            },
        ]

    def ini_attributes(self) -> None:
        """PyMoDAQ calls this from the constructor."""
        self.controller: Board = None  # type: ignore[assignment]
        self._ticket = 0
        self._wanted = False
        self._live = False
        self._grab: PendingGrab | None = None
        self._reception: Reception | None = None
        self._unseen = 0
        self._held_up = False
        self._heard = threading.Event()
        self._watch: QtCore.QTimer | None = None
        self._breath: QtCore.QTimer | None = None

    def ini_detector(self, controller: Board | None = None) -> tuple[str, bool]:
        """Connects and shows the board's settings; writes nothing to it."""
        try:
            info = self._open(controller, self.measured, self.beside)
        except PitayadError as error:
            self._say(str(error))
            return str(error), False
        self._reception = Reception(self._messenger.tell) if self._messenger is not None else None
        self._unseen = 0
        self._watch = QtCore.QTimer()
        self._watch.setInterval(WATCH)
        self._watch.timeout.connect(self._look_whether_wanted)
        self._breath = QtCore.QTimer()
        self._breath.setInterval(0)
        self._breath.timeout.connect(self._breathe)
        self._say(info)
        return info, True

    def commit_settings(self, param: Any) -> None:
        """Settings of the board are handled when they come in; the others count when they are used."""

    def grab_data(self, Naverage: int = 1, **kwargs: Any) -> None:
        """Asks for data and returns; they are emitted when they are there."""
        self._live = bool(kwargs.get("live", False))
        self._wanted = True
        self._start()

    def stop(self) -> str:
        """Nothing is wanted any more, and the board is told so; returns at once."""
        self._wanted = False
        self._withdraw()
        self._await(False)
        return ""

    def close(self) -> None:
        """Ends the connection, if it is this plug-in's own."""
        self.stop()
        self._close()

    # ------------------------------------------------------------------------------------------- what is special

    def _options(self) -> dict[str, Any]:
        """What else is asked of a grab."""
        return {}

    def _started(self) -> None:
        """A grab begins."""

    def _data(self, message: ExportMessage) -> list[DataFromPlugins]:
        """What the board measured, as PyMoDAQ shows it."""
        return [to_pymodaq(entry) for entry in message.data]

    # ------------------------------------------------------------------------------------------- grabbing

    def _start(self) -> None:
        self._withdraw()
        messenger = self._messenger
        if not self._wanted or messenger is None:
            return
        ticket = self._ticket
        self._heard.clear()
        self._await(True)
        self._held_up = self._live and self._unseen >= AHEAD
        if self._held_up:
            return

        def done(outcome: GrabOutcome) -> None:
            if ticket == self._ticket:
                self._heard.set()
            messenger.tell((ticket, outcome))

        self._started()
        timeout = float(self.settings["timeout"])
        try:
            self._grab = self.module.start_grab(
                done,
                timeout=timeout if timeout > 0 and math.isfinite(timeout) else None,
                fresh=not self._live,
                **self._options(),
            )
        except PitayadError as error:
            self._settle(error)

    def _withdraw(self) -> None:
        """What is under way is not wanted any more."""
        self._ticket += 1
        grab, self._grab = self._grab, None
        if grab is not None:
            try:
                grab.stop()
            except PitayadError as error:
                self._say(str(error))

    def _happened(self, event: object) -> None:
        if event is SEEN:
            self._unseen -= 1
            if self._held_up:
                self._start()
        elif not isinstance(event, tuple):
            super()._happened(event)
        elif event[0] == self._ticket and self._wanted:
            self._settle(event[1])

    def _settle(self, outcome: GrabOutcome) -> None:
        """Data go to PyMoDAQ. A lost board is waited for. A refusal is shown, and a continuous grab goes on."""
        self._grab = None
        self._heard.clear()
        if isinstance(outcome, Trace):
            # PyMoDAQ asks for the next: a board that comes back later owes nothing.
            self._wanted = False
            self._await(False)
            message = outcome.message
            data = DataToExport(message.name, data=self._data(message))
            data.timestamp = message.timestamp
            self.dte_signal.emit(data)
            if self._reception is not None:
                self._unseen += 1
                self._reception.sent.emit()
        elif isinstance(outcome, Lost):
            # If it came back before this was heard, nothing else would start the grab again.
            if self.controller.connected:
                QtCore.QTimer.singleShot(RETRY, self._retry)
        else:
            self._say(str(outcome))
            if self._live:
                QtCore.QTimer.singleShot(RETRY, self._retry)
            else:
                # PyMoDAQ goes round and round until it has its data or is stopped.
                self._wanted = False
                self._await(False)
                self._post("stop", None)

    def _retry(self) -> None:
        if self._wanted and self._grab is None:
            self._start()

    def _came_back(self) -> None:
        self._retry()

    def _await(self, awaiting: bool) -> None:
        """Whether something is to come."""
        for timer in (self._watch, self._breath):
            if timer is not None and awaiting != timer.isActive():
                timer.start() if awaiting else timer.stop()

    def _breathe(self) -> None:
        """PyMoDAQ's loop asks without a pause whether something has happened, and would keep a processor busy."""
        self._heard.wait(BREATH)

    def _look_whether_wanted(self) -> None:
        """PyMoDAQ 4.4 ends a continuous grab without a word to the plug-in."""
        if not getattr(self.parent, "grab_state", True):
            self.stop()
