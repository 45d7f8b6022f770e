"""LECODirector plug-ins of a stock PyMoDAQ 5, as a user works with them."""

from __future__ import annotations

import socket
import time
from typing import Any

from windowless import Instrument, pump

FRAMES: list[float] = []
"""When a director of this process took a set_data."""


def count_frames() -> None:
    """Notes each frame in the moment in which a director takes it, before it is acknowledged and drawn."""
    from pymodaq.utils.leco import daq_xDviewer_LECODirector as module

    stock = module.DAQ_xDViewer_LECODirector.set_data

    def set_data(self: Any, data: Any, additional_payload: Any = None) -> None:
        FRAMES.append(time.monotonic())
        stock(self, data, additional_payload)

    module.DAQ_xDViewer_LECODirector.set_data = set_data


def free_port() -> int:
    """One that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Director(Instrument):
    """A DAQ_Viewer or DAQ_Move with the stock plug-in LECODirector."""

    def fill_in(self, actor: str, port: int, host: str = "127.0.0.1") -> None:
        """What the user types."""
        self.setting("actor_name").setValue(actor)
        self.setting("host").setValue(host)
        self.setting("port").setValue(port)

    def child(self, name: str) -> Any:
        """A setting of the board, as this window mirrors it."""
        return self.setting("settings_client", name)

    def mirrors(self, seconds: float = 10.0) -> bool:
        """Whether the board's settings are there in time."""
        return pump(lambda: bool(self.setting("settings_client").children()), seconds)

    def reason(self) -> str:
        """The last refusal, as the window shows it."""
        return str(self.child("last_refusal").value())


class Viewer(Director):
    """Of 0D or 1D."""

    def __init__(self, dim: str, title: str = "viewer") -> None:
        from pymodaq.control_modules.daq_viewer import DAQ_Viewer
        from pymodaq.control_modules.daq_viewer_ui.viewer_selector import SelectedModule

        self.module = DAQ_Viewer(None, title=title, daq_type=f"DAQ{dim}")
        self.group = "detector_settings"
        super().__init__()
        self.module.detector = SelectedModule(f"DAQ{dim}", "LECODirector")
        pump(seconds=0.2)
        self.frames: list[Any] = []
        self.module.grab_done_signal.connect(lambda data: self.frames.append(data.deepcopy()))

    def snap(self, seconds: float = 10.0) -> Any:
        """What one snap brings."""
        before = len(self.frames)
        self.module.snap()
        assert pump(lambda: len(self.frames) > before, seconds), f"no data within {seconds} s: {self.texts[-3:]}"
        return self.frames[-1][0]

    def grab(self, count: int) -> tuple[float, int]:
        """Grabs on and on until it took so many frames; gives their rate, and how many came 0.5 s after the end."""
        start, first = time.monotonic(), len(FRAMES)
        self.module.grab_data(grab_state=True, snap_state=False)
        assert pump(lambda: len(FRAMES) >= first + count, 20), f"{len(FRAMES) - first} frames in 20 s"
        self.module.stop_grab()
        end = time.monotonic()
        taken = sum(moment <= end for moment in FRAMES[first:])
        pump(seconds=1.5)
        return taken / (end - start), sum(moment > end + 0.5 for moment in FRAMES)


class Mover(Director):
    """Moves an actor."""

    def __init__(self, title: str = "mover") -> None:
        from pymodaq.control_modules.daq_move import DAQ_Move

        self.module = DAQ_Move(None, title=title)
        self.group = "actuator_settings"
        super().__init__()
        self.module.actuator = "LECODirector"
        pump(seconds=0.2)
        self.done: list[Any] = []
        self.values: list[Any] = []
        self.module.move_done_signal.connect(lambda value: self.done.append(value.deepcopy()))
        self.module.current_value_signal.connect(lambda value: self.values.append(value.deepcopy()))

    def move(self, order: str, value: float | None = None, units: str = "", seconds: float = 10.0) -> float:
        """Gives where it ended, in the unit of the axis."""
        from pymodaq.utils.data import DataActuator

        before = len(self.done)
        if value is None:
            getattr(self.module, order)()
        else:
            getattr(self.module, order)(DataActuator("target", data=float(value), units=units or self.module.units))
        assert pump(lambda: len(self.done) > before, seconds), f"no move_done within {seconds} s: {self.texts[-3:]}"
        return float(self.done[-1].value(self.module.units))
