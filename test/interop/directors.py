"""LECODirector plug-ins of a stock PyMoDAQ 5, as a user works with them."""

from __future__ import annotations

import time
from typing import Any

from mirrored import Mirror
from windowless import Actuator, Detector, pump

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


class Director(Mirror):
    """To be inherited beside Detector or Actuator."""

    def fill_in(self, actor: str, port: int, host: str = "127.0.0.1") -> None:
        """What the user types."""
        self.setting("actor_name").setValue(actor)
        self.setting("host").setValue(host)
        self.setting("port").setValue(port)

    def reason(self) -> str:
        """Told as one of the settings."""
        return str(self.child("last_refusal").value())


class Viewer(Director, Detector):
    """A DAQ_Viewer with the stock plug-in LECODirector."""

    def __init__(self, dimension: int, title: str = "viewer") -> None:
        from pymodaq.control_modules.daq_viewer_ui.viewer_selector import SelectedModule

        super().__init__(title, dimension, SelectedModule(f"DAQ{dimension}D", "LECODirector"))

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


class Mover(Director, Actuator):
    """A DAQ_Move with the stock plug-in LECODirector."""

    def __init__(self, title: str = "mover") -> None:
        super().__init__(title, "LECODirector")
