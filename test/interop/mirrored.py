"""Stock plug-ins of PyMoDAQ that show the settings of the instrument at the other end, and what that must come to."""

from __future__ import annotations

import importlib.util
import time
from typing import Any

import numpy as np
from checks import check, note
from daemon import Daemon, wait_for
from windowless import Instrument, pump


class Mirror(Instrument):
    """To be inherited beside Detector or Actuator."""

    def child(self, name: str) -> Any:
        """A setting of the board, as this window mirrors it."""
        return self.setting("settings_client", name)

    def mirrors(self, seconds: float = 20.0) -> bool:
        """Whether the board's settings are there in time: all of them, which PyMoDAQ shows one after the other."""
        end = time.monotonic() + seconds
        shown = 0
        while time.monotonic() < end:
            pump(seconds=0.5)
            before, shown = shown, len(self.setting("settings_client").children())
            if 0 < shown == before:
                return True
        return False

    def reason(self) -> str:
        """The last refusal, as the window shows it."""
        raise NotImplementedError


def nothing_of_ours() -> None:
    """The environment is a stock PyMoDAQ."""
    with check("nothing of ours is installed"):
        assert importlib.util.find_spec("pymodaq_plugins_pitayad") is None


def brings_traces(viewer: Any, count: int) -> None:
    """A 1D viewer on the scope, which records what `Daemon.play` plays."""
    with check("snaps bring traces"):
        spent = []
        for _ in range(count):
            start = time.monotonic()
            data = viewer.snap()
            spent.append(time.monotonic() - start)
        note(repr(data), f"median {1e3 * np.median(spent):.1f} ms a snap")
        assert data.labels == ["ch1", "ch2"] and len(data.data[0]) >= 16382 and data.units == "V"
        assert abs(np.abs(data.data[0]).max() - 0.5) < 0.02
        axis = data.get_axis_from_index(0)[0]
        assert (axis.label, axis.units) == ("Time", "s")


def settings_go_both_ways(viewer: Any, daemon: Daemon, decimation: int) -> None:
    """A viewer on the scope; ``decimation`` is what it has in the end."""
    with check("a setting changed in the dashboard reaches the FPGA and comes back as it was taken"):
        viewer.child("threshold").setValue(0.10001)
        assert wait_for(lambda: abs(daemon.get("scope")["threshold"] - 0.1) < 1e-3)
        taken = daemon.get("scope")["threshold"]
        assert pump(lambda: viewer.child("threshold").value() == taken, 5), (viewer.child("threshold").value(), taken)
        note("asked for 0.10001, taken", taken)
        viewer.child("decimation").setValue(8)
        assert pump(lambda: daemon.get("scope")["decimation"] == 8, 5)
        assert pump(lambda: abs(viewer.child("duration").value() - daemon.get("scope")["duration"]) < 1e-9, 5)
        assert len(viewer.snap().data[0]) >= 16382

    with check("a setting changed elsewhere is mirrored"):
        daemon.set("scope", decimation=decimation)
        assert pump(lambda: viewer.child("decimation").value() == decimation, 5)

    with check("a value that is refused is put back, and the reason shown"):
        # As a user of other software might, who does not know the limits.
        viewer.child("threshold").setLimits((-10, 10))
        viewer.child("threshold").setValue(7.0)
        assert pump(lambda: abs(viewer.child("threshold").value() - taken) < 1e-9, 5), viewer.child("threshold").value()
        assert pump(lambda: "from -" in viewer.reason(), 5), viewer.reason()
        note(viewer.reason())
