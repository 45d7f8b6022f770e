"""The network analyzer of a Red Pitaya as a 1D detector."""

from __future__ import annotations

import numpy as np
from pymodaq.control_modules.viewer_utility_classes import main
from pymodaq.utils.data import Axis, DataFromPlugins, DataToExport

from pymodaq_plugins_pitayad.hardware.board import Event
from pymodaq_plugins_pitayad.hardware.wire import ExportMessage
from pymodaq_plugins_pitayad.parameters import SETTINGS
from pymodaq_plugins_pitayad.viewer import BoardViewer, to_pymodaq

SHOWN = ("Magnitude", "Phase")
"""Real and imaginary part are in the data, and are not plotted."""


class DAQ_1DViewer_PitayadNetworkAnalyzer(BoardViewer, module="networkanalyzer"):
    """Transfer function over frequency as magnitude and phase, which fill while it sweeps."""

    def _started(self) -> None:
        self._swept: dict[str, np.ndarray] = {}

    def _data(self, message: ExportMessage) -> list[DataFromPlugins]:
        return [to_pymodaq(entry, do_plot=entry.name in SHOWN, do_save=True) for entry in message.data]

    def _progressed(self, event: Event) -> None:
        """The points so far, for the display alone: the whole curve comes at the end."""
        if (
            self._grab is None
            or not event.points
            or self.settings[SETTINGS, "start_freq"] == self.settings[SETTINGS, "stop_freq"]
        ):
            return
        first = int(event.points.get("first", 0))
        for name in ("frequency", "re", "im"):
            known = self._swept.get(name, np.empty(0))
            news = np.asarray(event.points.get(name, ()), dtype=float)
            if first > len(known):
                # Somebody else's sweep, which was under way when this grab joined it.
                return
            self._swept[name] = np.concatenate([known[:first], news, known[first + len(news) :]])
        transfer = self._swept["re"] + 1j * self._swept["im"]
        axis = Axis("Frequency", "Hz", data=self._swept["frequency"], index=0)
        lines = (("Magnitude", "", np.abs(transfer)), ("Phase", "deg", np.degrees(np.angle(transfer))))
        self.dte_signal_temp.emit(
            DataToExport(
                self.module.description["title"],
                data=[
                    DataFromPlugins(
                        name,
                        data=[line],
                        dim="Data1D",
                        units=unit,
                        labels=[str(self.settings[SETTINGS, "input"])],
                        axes=[axis],
                        do_plot=True,
                        do_save=False,
                    )
                    for name, unit, line in lines
                ],
            )
        )


if __name__ == "__main__":
    main(__file__)
