"""Lines of the form ``ok   what``, ``FAIL what: why`` and ``skipped: what: why``, one for each check."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator

T = {"failed": 0}


@contextlib.contextmanager
def check(what: str) -> Iterator[None]:
    """Passed when its body does not raise. What comes after goes on in any case."""
    try:
        yield
    except Exception as error:
        T["failed"] += 1
        if not isinstance(error, AssertionError):
            traceback.print_exc()
        say(f"FAIL {what}: {type(error).__name__} {error}")
    else:
        say(f"ok   {what}")


def say(line: str) -> None:
    """A line of its own, in one piece: threads of PyMoDAQ write there, too, and not always to the end of a line."""
    sys.stdout.write(f"\n{line}\n")
    sys.stdout.flush()


def skip(what: str, missing: str) -> None:
    """What this machine cannot run, and what it lacks for that."""
    say(f"skipped: {what}: {missing}")


def soon(attempt: Callable[[], float], limit: float, tries: int = 3) -> float:
    """The seconds that something took, as ``attempt`` gives them; must be less than the limit.

    It is tried again when it was not: a machine that is busy is late now and then, what is slow is late always.
    """
    spent: list[float] = []
    for _ in range(tries):
        spent.append(attempt())
        if spent[-1] < limit:
            return spent[-1]
    raise AssertionError(f"{', '.join(f'{one:.2f}' for one in spent)} s, not {limit} s")


def note(*what: object) -> None:
    """A measured value, shown with the checks."""
    print("     -", *what, flush=True)


def watchdog(seconds: float) -> None:
    """Ends the process, with what every thread was doing."""

    def end() -> None:
        faulthandler.dump_traceback()
        print(f"FAIL time limit of {seconds} s", flush=True)
        os._exit(9)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def leave() -> None:
    """Without Python's own way out: PyMoDAQ's threads and widgets often crash on it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1 if T["failed"] else 0)
