"""Any signals of a Red Pitaya as a 0D detector."""

from __future__ import annotations

from pymodaq.control_modules.viewer_utility_classes import main

from pymodaq_plugins_pitayad.viewer import BoardViewer


class DAQ_0DViewer_PitayadSampler(BoardViewer, module="sampler"):
    """Mean (its error is the standard deviation), standard deviation, minimum and maximum of signals over a time."""


if __name__ == "__main__":
    main(__file__)
