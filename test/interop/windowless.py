"""PyMoDAQ without a screen, the same for 4.4, 5.1 and 5.3: detectors and actuators as a user works with them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from qtpy import QtCore, QtWidgets

VERSION = tuple(int(part) for part in re.findall(r"\d+", version("pymodaq"))[:2])


def make_app() -> Any:
    """A QApplication, set up as PyMoDAQ wants it."""
    try:
        from pymodaq_gui.qt_utils import mkQApp

        return mkQApp("interop")
    except ImportError:
        return QtWidgets.QApplication.instance() or QtWidgets.QApplication([])


APP = make_app()


def pump(until: Callable[[], Any] = lambda: False, seconds: float = 10.0) -> bool:
    """Lets Qt work until it is true; whether it became true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        # Without a limit it would not come back while data come faster than they are drawn.
        APP.processEvents(QtCore.QEventLoop.AllEvents, 20)
        if until():
            return True
        time.sleep(0.001)
    return bool(until())


class Instrument:
    """What detectors and actuators have in common."""

    module: Any
    group: str

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.module.status_sig.connect(self.texts.append)

    def setting(self, *path: str) -> Any:
        """A parameter of the plug-in, as the window shows it."""
        return self.module.settings.child(self.group, *path)

    def init(self, seconds: float = 20.0) -> None:
        """Presses Init."""
        self.module.init_hardware(True)
        assert pump(lambda: self.module.initialized_state, seconds), f"not initialised: {self.texts[-3:]}"
        pump(seconds=0.2)

    def init_fails(self) -> str:
        """Presses Init; it must not work. Gives the last lines of the status bar."""
        before = len(self.texts)
        self.module.init_hardware(True)
        pump(lambda: any("nitialized: False" in text for text in self.texts[before:]), 15)
        assert not self.module.initialized_state
        return " | ".join(self.texts[before:])

    def quit(self) -> None:
        """Presses Init again, or closes."""
        self.module.quit_fun()
        pump(seconds=0.2)

    def says(self, text: str, since: int, seconds: float = 5.0) -> str:
        """The first line of the status bar that contains this."""

        def found() -> list[str]:
            return [line for line in self.texts[since:] if text in line]

        assert pump(found, seconds), f"the status never said {text!r}, only {self.texts[since:]}"
        return found()[0]


class Detector(Instrument):
    """A DAQ_Viewer, of 0D or 1D, with whatever plug-in; ``plugin``: as this PyMoDAQ wants to be told it."""

    group = "detector_settings"

    def __init__(self, title: str, dimension: int, plugin: Any) -> None:
        from pymodaq.control_modules.daq_viewer import DAQ_Viewer

        self.module = DAQ_Viewer(None, title=title, daq_type=f"DAQ{dimension}D")
        super().__init__()
        self.module.detector = plugin
        pump(seconds=0.2)
        self.frames: list[Any] = []
        self.module.grab_done_signal.connect(lambda data: self.frames.append(data.deepcopy()))

    def snap(self, seconds: float = 10.0) -> Any:
        """The data of one trace, or of the first quantity."""
        return self.measure(seconds)[0]

    def measure(self, seconds: float = 10.0) -> Any:
        """All that one snap brings."""
        before = len(self.frames)
        self.module.snap()
        assert pump(lambda: len(self.frames) > before, seconds), f"no data within {seconds} s: {self.texts[-3:]}"
        return self.frames[-1]


class Actuator(Instrument):
    """A DAQ_Move with whatever plug-in."""

    def __init__(self, title: str, plugin: str) -> None:
        from pymodaq.control_modules.daq_move import DAQ_Move

        self.module = DAQ_Move(None, title=title)
        super().__init__()
        self.module.actuator = plugin
        pump(seconds=0.2)
        self.group = next(name for name in ("actuator_settings", "move_settings") if name in self.module.settings.names)
        self.values: list[Any] = []
        self.done: list[Any] = []
        self.module.current_value_signal.connect(lambda value: self.values.append(value.deepcopy()))
        self.module.move_done_signal.connect(lambda value: self.done.append(value.deepcopy()))

    def order(self, order: str, value: float | None = None, units: str = "") -> None:
        """``move_abs``, ``move_rel`` or ``move_home``, in the unit of the axis unless another is given."""
        from pymodaq.utils.data import DataActuator

        if value is None:
            getattr(self.module, order)()
        else:
            getattr(self.module, order)(DataActuator("target", data=float(value), units=units or self.module.units))

    def move(self, order: str, value: float | None = None, units: str = "", seconds: float = 10.0) -> float:
        """Gives where it ended, in the unit of the axis."""
        before = len(self.done)
        self.order(order, value, units)
        assert pump(lambda: len(self.done) > before, seconds), f"no move_done within {seconds} s: {self.texts[-3:]}"
        return float(self.done[-1].value(self.module.units))


class Viewer(Detector):
    """A DAQ_Viewer with one of our detectors."""

    def __init__(self, title: str = "scope", detector: str = "PitayadScope", dimension: int = 1) -> None:
        super().__init__(title, dimension, detector)
        self.grabbing: list[bool] = []
        self.module.grab_status.connect(self.grabbing.append)

    def values(self, seconds: float = 10.0) -> dict[str, dict[str, float]]:
        """Of a detector of single values: by quantity and channel."""
        return {
            data.name: {label: float(array[0]) for label, array in zip(data.labels, data.data, strict=True)}
            for data in self.measure(seconds)
        }

    def grab(self, on: bool) -> None:
        """The button for a continuous grab."""
        self.module.grab_data(grab_state=on, snap_state=False)

    def stop(self) -> float:
        """Presses Stop; gives the seconds until the instrument's thread had stopped, and left the grab."""
        before = len(self.texts)
        start = time.monotonic()
        self.module.stop()
        stopped = ("Stoping grab", "Stopping grab")
        done = pump(lambda: any(text in stopped for text in self.texts[before:]) and not self.grabbing[-1], 10)
        assert done, "stop was never done"
        return time.monotonic() - start


class Mover(Actuator):
    """A DAQ_Move with one parameter of the board."""

    def __init__(self, axis: str = "asg0 frequency", title: str = "generator", actuator: str = "PitayadASG") -> None:
        super().__init__(title, actuator)
        self.axes = next(name for name in ("controller", "multiaxes") if name in self.setting().names)
        self.setting(self.axes, "axis").setValue(axis)

    def position(self, seconds: float = 10.0) -> float:
        """Asks for the value, in the unit of the axis."""
        before = len(self.values)
        self.module.get_actuator_value()
        assert pump(lambda: len(self.values) > before, seconds), "no position"
        return float(self.values[-1].value(self.module.units))

    def refused(self, value: float, text: str) -> str:
        """A move that the board refuses with this in its sentence, which is given: it never counts as done."""
        texts, done = len(self.texts), len(self.done)
        self.order("move_abs", value)
        line = self.says(text, texts)
        pump(seconds=0.4)
        assert len(self.done) == done, "a move that was refused counted as done"
        return line
