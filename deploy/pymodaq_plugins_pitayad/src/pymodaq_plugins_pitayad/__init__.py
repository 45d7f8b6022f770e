"""PyMoDAQ instruments on a Red Pitaya that runs pitayad, and a client that works without PyMoDAQ's windows."""

from .hardware.board import Board, Event
from .hardware.discovery import FoundBoard
from .hardware.errors import Late, Lost, NotFound, NotProtocol, PitayadError, Refused
from .hardware.module import Module, PendingGrab
from .hardware.trace import Trace

__version__ = "0.1.0"

__all__ = [
    "Board",
    "Event",
    "FoundBoard",
    "Late",
    "Lost",
    "Module",
    "NotFound",
    "NotProtocol",
    "PendingGrab",
    "PitayadError",
    "Refused",
    "Trace",
]
