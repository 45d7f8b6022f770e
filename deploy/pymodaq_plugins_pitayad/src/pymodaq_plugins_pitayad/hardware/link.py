"""A connection that comes back: when it is lost it is made again, at growing intervals, until it is closed.

Nothing is written to the board on reconnecting. What the link does there is given by its ``greet``: to attach under
the same name and to subscribe, as before.
"""

from __future__ import annotations

import logging
import random
import threading
from dataclasses import dataclass
from typing import Any, Callable

from .connection import Address, Answer, Connection, Outcome
from .errors import Lost, PitayadError

logger = logging.getLogger(__name__)

FIRST_PAUSE = 0.1
"""Seconds until the first new try."""

LONGEST_PAUSE = 5.0
"""Seconds between tries, at most. Each pause is twice the one before, with some chance in it."""


@dataclass
class Hooks:
    """What a link asks of its owner and tells it, on threads of its own."""

    locate: Callable[[], Address]
    """Where the board is now; it may have got another address since. Raises PitayadError if it is not known."""
    greet: Callable[[Connection], None]
    """What has to be said on each new connection."""
    unasked: Callable[[Answer], None]
    """A message that answers no request."""
    state: Callable[[Lost | None], None]
    """Lost with the reason, or back: None."""


class Link:
    """See the module. Opens at once; raises PitayadError if the board cannot be reached."""

    def __init__(self, kind: str, hooks: Hooks) -> None:
        self.kind = kind
        self._hooks = hooks
        self._closed = threading.Event()
        self._lost = Lost("not connected yet")
        self._connection: Connection | None = self._connect()
        self._connection.on_end(self._on_end)

    def _connect(self) -> Connection:
        connection = Connection(self._hooks.locate(), self.kind, self._hooks.unasked)
        try:
            self._hooks.greet(connection)
        except PitayadError:
            connection.close()
            raise
        return connection

    @property
    def connected(self) -> bool:
        """Whether requests can be made just now."""
        return self._connection is not None

    @property
    def connection(self) -> Connection:
        """The connection. Raises Lost, with the reason, while there is none."""
        connection = self._connection
        if connection is None:
            raise Lost(str(self._lost))
        return connection

    def submit(self, command: str, done: Callable[[Outcome], None], /, **arguments: Any) -> int:
        """As Connection.submit."""
        return self.connection.submit(command, done, **arguments)

    def request(self, command: str, /, **arguments: Any) -> Answer:
        """As Connection.request."""
        return self.connection.request(command, **arguments)

    def close(self) -> None:
        """Closes, and tries no more."""
        self._closed.set()
        self._lost = Lost("the connection to the board was closed")
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _on_end(self, reason: Lost) -> None:
        if self._closed.is_set():
            return
        self._lost = reason
        self._connection = None
        self._hooks.state(reason)
        threading.Thread(target=self._come_back, name=f"pitayad {self.kind.lower()} reconnecting", daemon=True).start()

    def _come_back(self) -> None:
        pause = FIRST_PAUSE
        while not self._closed.wait(pause * random.uniform(0.7, 1.0)):
            try:
                connection = self._connect()
            except PitayadError as error:
                self._lost = error if isinstance(error, Lost) else Lost(str(error))
                logger.debug("%s: %s", self.kind, error)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            except Exception:
                logger.exception("reconnecting failed")
                pause = LONGEST_PAUSE
                continue
            self._connection = connection
            if self._closed.is_set():
                connection.close()
                return
            self._hooks.state(None)
            connection.on_end(self._on_end)
            return
