"""What a grab brings."""

from __future__ import annotations

from typing import Any, Union

import numpy as np

from .errors import NotProtocol, PitayadError
from .wire import DataMessage, ExportMessage


class Trace:
    """What a grab brings: lines over an axis, of one or several quantities; or single values.

    Of the scope: ``trace.time`` in s, ``trace["ch1"]`` in ``trace.units``; ``trace.attributes`` say how it was
    recorded. What other modules measure has more quantities, by their names: ``curve.quantities["Phase"]["in1"]``,
    ``curve.axis``.
    """

    def __init__(self, message: ExportMessage, number: int = 0) -> None:
        if not message.data or not all(data.arrays for data in message.data):
            raise NotProtocol("the board sent a trace without data")
        self.message = message
        self.data: DataMessage = message.data[number]

    @property
    def quantities(self) -> dict[str, Trace]:
        """All of them by name, the first being the one that this is."""
        return {data.name: Trace(self.message, number) for number, data in enumerate(self.message.data)}

    @property
    def labels(self) -> list[str]:
        """Names of the channels."""
        return self.data.labels

    @property
    def units(self) -> str:
        """Unit of the samples."""
        return self.data.units

    @property
    def attributes(self) -> dict[str, Any]:
        """``board``, ``module``, ``inputs``, ``settings``, ``decimation``, ``clipped`` …"""
        return self.data.attributes

    @property
    def axis(self) -> np.ndarray:
        """What the samples are over: times in s, 0 is the trigger; or frequencies in Hz; empty for single values."""
        return self.data.axes[0].values if self.data.axes else np.empty(0)

    time = axis

    @property
    def errors(self) -> dict[str, np.ndarray]:
        """Uncertainties by channel, where there are any."""
        return dict(zip(self.data.labels, self.data.errors))

    def __getitem__(self, channel: str | int) -> np.ndarray:
        if isinstance(channel, str):
            if channel not in self.data.labels:
                raise KeyError(f"{channel} (there are {', '.join(self.data.labels)})")
            channel = self.data.labels.index(channel)
        return self.data.arrays[channel]

    def __len__(self) -> int:
        return len(self.data.arrays[0])

    def __repr__(self) -> str:
        return f"Trace({self.data.name}: {', '.join(self.labels)}; {len(self)} points, {self.units})"


GrabOutcome = Union[Trace, PitayadError]
"""How a grab ends."""
