"""The board joins the Coordinator of a stock PyMoDAQ 5.3; nothing of ours is installed there."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import checks
from checks import check, note
from daemon import Daemon, free_port, wait_for
from mirrored import nothing_of_ours
from windowless import pump

checks.watchdog(280)

from directors import Mover, Viewer, count_frames  # noqa: E402

count_frames()
port = free_port()
host = socket.gethostname().split(".")[0]


def start_coordinator(namespace: str) -> subprocess.Popen[bytes]:
    """The one of pyleco, as PyMoDAQ's menu starts it."""
    command = [sys.executable, "-m", "pyleco.coordinators.coordinator", "--namespace", namespace, "--port", str(port)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def signed_in(since: int, seconds: float = 30) -> float:
    """Waits until all actors of the board are signed in; gives how long."""
    start = time.monotonic()
    assert wait_for(lambda: any(line.get("msg") == "signed in" for line in daemon.lines[since:]), seconds)
    return time.monotonic() - start


def works() -> None:
    """A snap, and a move."""
    points = len(viewer.snap(20).data[0])
    assert points >= 16382, points
    for target in (2e7, 3e6):
        reached = mover.move("move_abs", target, seconds=20)
        assert abs(reached - target) < 120, (reached, target, mover.done)
        present = daemon.get("asg0")["frequency"]
        assert abs(present - target / 1e3) < 0.12, (present, target)


nothing_of_ours()

# The board was on first.
daemon = Daemon(more=["--leco-coordinator", f"127.0.0.1:{port}"])
daemon.play()
in_vain = wait_for(lambda: any("nobody listens" in str(line.get("reason")) for line in daemon.lines), 15)
coordinator = start_coordinator("labpc")

with check("the board finds a Coordinator that was started after it, and signs in all its devices"):
    note(f"signed in after {signed_in(0):.1f} s")
    assert in_vain, "it never said that nobody listens"

viewer, mover = Viewer(1), Mover()

with check("viewer and move, under the host's name, for several boards may be in one Coordinator"):
    viewer.fill_in(f"{host}_scope", port)
    viewer.init()
    assert viewer.mirrors() and viewer.child("decimation").value() == 64
    mover.fill_in(f"{host}_asg0_frequency", port)
    mover.init()
    assert pump(lambda: mover.module.units == "mHz", 5), mover.module.units
    works()

with check("a continuous grab, and its end"):
    rate, late = viewer.grab(5)
    note(f"{rate:.0f} frames/s")
    assert late == 0

with check("the daemon is killed and comes back: the Coordinator knows it again at once, and data flow without a hand"):
    since = len(daemon.lines)
    daemon.kill()
    pump(seconds=2)
    daemon.start()
    note(f"signed in after {signed_in(since, 10):.1f} s")
    daemon.play()
    works()

with check("the Coordinator is killed, and another one started: all sign in there, and data flow without a hand"):
    frames = len(viewer.frames)
    viewer.module.grab_data(grab_state=True, snap_state=False)
    assert pump(lambda: len(viewer.frames) > frames + 2, 20)
    coordinator.kill()
    coordinator.wait()
    pump(seconds=3)
    since, frames = len(daemon.lines), len(viewer.frames)
    coordinator = start_coordinator("other")
    signed_in(since)
    assert pump(lambda: len(viewer.frames) > frames + 5, 20), "the grab does not go on"
    viewer.module.stop_grab()
    pump(seconds=1)
    works()

with check("the daemon ends, and signs out; when it is back, a plug-in can be initialised"):
    assert daemon.stop() == 0
    pump(seconds=1)
    since = len(daemon.lines)
    daemon.start()
    signed_in(since)
    daemon.play()
    fresh = Viewer(1, "fresh")
    fresh.fill_in(f"{host}_scope", port)
    fresh.init()
    assert len(fresh.snap(20).data[0]) >= 16382

daemon.stop()
coordinator.kill()
checks.leave()
