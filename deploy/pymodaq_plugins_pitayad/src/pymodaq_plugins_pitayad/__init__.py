"""PyMoDAQ instruments on a Red Pitaya that runs pitayad, and a client that works without PyMoDAQ's windows."""

from .hardware.board import Board, Event, Module, PendingGrab, Trace
from .hardware.discovery import FoundBoard
from .hardware.errors import Late, Lost, NotFound, NotProtocol, PitayadError, Refused

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
