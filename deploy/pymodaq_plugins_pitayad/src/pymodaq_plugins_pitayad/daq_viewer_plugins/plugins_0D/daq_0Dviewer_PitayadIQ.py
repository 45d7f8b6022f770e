"""The lock-ins of a Red Pitaya as a 0D detector."""

from __future__ import annotations

from pymodaq.control_modules.viewer_utility_classes import main

from pymodaq_plugins_pitayad.viewer import BoardViewer


class DAQ_0DViewer_PitayadIQ(BoardViewer, module="iqs", beside=("iq0", "iq1", "iq2")):
    """I, Q, amplitude and phase of the inputs of one or several lock-ins, averaged over a time."""


if __name__ == "__main__":
    main(__file__)
