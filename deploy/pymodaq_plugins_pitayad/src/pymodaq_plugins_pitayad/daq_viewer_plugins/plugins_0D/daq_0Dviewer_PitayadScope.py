"""A window of the oscilloscope of a Red Pitaya as a 0D detector."""

from __future__ import annotations

from typing import Any

from pymodaq.control_modules.viewer_utility_classes import main

from pymodaq_plugins_pitayad.viewer import BoardViewer

WINDOW = [
    {
        "title": "Window:",
        "name": "window",
        "type": "group",
        "children": [
            {
                "title": "Whole trace:",
                "name": "whole",
                "type": "bool",
                "value": True,
                "tip": "Off: the part of the trace between these times.",
            },
            {"title": "From:", "name": "from", "type": "float", "value": 0.0, "suffix": "s", "siPrefix": True},
            {"title": "To:", "name": "to", "type": "float", "value": 1e-3, "suffix": "s", "siPrefix": True},
        ],
    }
]


class DAQ_0DViewer_PitayadScope(BoardViewer, module="scope", own=WINDOW):
    """Mean, rms and peak-to-peak of the channels within a window of the trace, worked out on the board."""

    def _options(self) -> dict[str, Any]:
        if self.settings["window", "whole"]:
            return {"statistics": {}}
        return {"statistics": {name: float(self.settings["window", name]) for name in ("from", "to")}}


if __name__ == "__main__":
    main(__file__)
