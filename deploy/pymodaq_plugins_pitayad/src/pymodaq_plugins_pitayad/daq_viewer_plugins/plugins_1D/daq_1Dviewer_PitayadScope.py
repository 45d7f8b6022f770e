"""The oscilloscope of a Red Pitaya as a 1D detector."""

from __future__ import annotations

from pymodaq.control_modules.viewer_utility_classes import main

from pymodaq_plugins_pitayad.viewer import BoardViewer


class DAQ_1DViewer_PitayadScope(BoardViewer, module="scope"):
    """Two channels of up to 16384 samples."""


if __name__ == "__main__":
    main(__file__)
