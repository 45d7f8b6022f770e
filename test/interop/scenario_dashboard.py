"""The real dashboard with our preset: all connected, all at work at once, shared with a second dashboard, scanned.

The preset names its board by serial number, and another one is in the same network. Started again with the word
`second` it is that second dashboard, in a process of its own.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import time
from typing import Any

import checks
import numpy as np
from checks import check, note
from daemon import NAMESPACES, Daemon, wait_for
from dashboards import Module, load_example, presets
from pymodaq_plugins_pitayad import Board

PRESET = os.environ.get("PITAYAD_PRESET", f"interop-{os.getpid()}")
daemon = None
beside: Daemon | None = None
"""Another board, which the preset does not name."""
if sys.argv[1:] != ["second"]:
    daemon = Daemon(host="0.0.0.0" if NAMESPACES else "127.0.0.1", discovery=NAMESPACES)
    beside = Daemon(host="0.0.0.0", discovery=True, named="rp-beside") if NAMESPACES else None
where = f"127.0.0.1:{daemon.port}" if daemon else ""
board = f"sim-{socket.gethostname()}" if NAMESPACES else where

# Before PyMoDAQ is imported here: the plug-ins read the configuration once.
installed = presets("install", "pitayad", "--as", PRESET, "--board", board) if daemon else None
example = load_example()

LOCK_IN_AT = 5e4

TOUCHED = ("scope", "asg0", "iq0", "pid0")
"""Modules that the preset uses."""

problems: list[str] = []
"""Exceptions that reached the user, on the screen or in the log; PyMoDAQ itself has some while it starts."""


class Listening(logging.Handler):
    """Keeps what came with a traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        """Of one line of the log."""
        if record.exc_info or "Traceback" in record.getMessage():
            problems.append(record.getMessage())


def listen() -> None:
    """To what PyMoDAQ logs, and to what nobody caught."""
    logging.getLogger("pymodaq").addHandler(Listening())
    stock = sys.excepthook

    def uncaught(kind: Any, error: Any, trace: Any) -> None:
        problems.append(f"{kind.__name__}: {error}")
        stock(kind, error, trace)

    sys.excepthook = uncaught


def second() -> None:
    """Another dashboard on the same board: looks, changes a setting, moves."""
    listen()
    dashboard = example.open_dashboard(PRESET)
    modules = {name: Module(module, example) for name, module in example.modules(dashboard).items()}
    problems.clear()
    assert len(modules["Scope"].snap()[0].data[0]) == 16384
    modules["Scope"].setting("board", "decimation").setValue(32)
    example.pump(seconds=0.5)
    assert modules["Scope"].snap()[0].decimation == 32
    assert abs(modules["Setpoint"].move(0.125) - 0.125) < 1e-3
    assert not problems, problems
    print("ok   the second dashboard grabbed and moved", flush=True)
    checks.leave()


def main() -> None:
    """The first dashboard."""
    checks.watchdog(280)
    listen()
    assert daemon is not None and installed is not None
    untouched = {module: beside.get(module) for module in TOUCHED} if beside else {}
    elsewhere = Board(where, owner="alice@bench")
    example.prepare(elsewhere, LOCK_IN_AT)

    with check("pitayad-presets lists and installs, and says where"):
        path = example.build.path_of(PRESET)
        assert str(path) in installed.stdout and path.exists(), installed.stdout + installed.stderr
        note(path, board)
        listed = presets("list")
        assert "Scope: DAQ1D/PitayadScope" in listed.stdout, listed.stdout + listed.stderr
        wrong = presets("install", "pitajad")
        assert wrong.returncode != 0 and "there is no preset pitajad" in wrong.stderr, wrong.stderr

    start = time.monotonic()
    dashboard = example.open_dashboard(PRESET)
    with check("the preset opens in the dashboard, and connects all its plug-ins"):
        note(f"{time.monotonic() - start:.1f} s")
        modules = {name: Module(module, example) for name, module in example.modules(dashboard).items()}
        assert set(modules) == {"Scope", "Lock-in", "Generator", "Setpoint"}, modules
        scope, lock_in, generator, setpoint = (modules[n] for n in ("Scope", "Lock-in", "Generator", "Setpoint"))
        assert scope.snap()[0].units == "V"
        note(f"clients: {elsewhere.status()['clients']}")

    with check("all at once: scope and lock-in grab while generator and setpoint move"):
        scope.grab(True)
        lock_in.grab(True)
        assert example.pump(lambda: len(scope.frames) > 3 and len(lock_in.frames) > 1, 20)
        seen = len(scope.frames), len(lock_in.frames)
        begun = time.monotonic()
        # PyMoDAQ 5.1 says nothing of a move to where it is.
        for k in range(1, 11):
            assert abs(generator.move(2e4 + 1e3 * k) - (2e4 + 1e3 * k)) < 0.2
            assert abs(setpoint.move(0.02 * k) - 0.02 * k) < 1e-3
        took = time.monotonic() - begun
        assert example.pump(lambda: len(scope.frames) > seen[0] + 3 and len(lock_in.frames) > seen[1] + 1, 20)
        note(f"20 moves in {took:.1f} s, meanwhile {len(scope.frames) - seen[0]} traces")
        assert abs(elsewhere.asg0.frequency - 3e4) < 0.2 and abs(elsewhere.pid0.setpoint - 0.2) < 1e-3

    with check("a second dashboard shares the board, while the first one grabs"):
        environment = {**os.environ, "PITAYAD_PRESET": PRESET}
        other = subprocess.Popen(
            [sys.executable, __file__, "second"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        count = len(scope.frames)
        assert example.pump(lambda: other.poll() is not None, 90), "the second dashboard never ended"
        output = (other.stdout.read() if other.stdout else b"").decode(errors="replace")
        assert other.returncode == 0 and "ok   the second dashboard" in output, output[-3000:]
        assert len(scope.frames) > count + 10
        assert example.pump(lambda: scope.setting("board", "decimation").value() == 32, 5)
        assert example.pump(lambda: abs(setpoint.setting("board", "setpoint").value() - 0.125) < 1e-3, 5)
        scope.grab(False)
        lock_in.grab(False)
        example.pump(seconds=0.5)

    with check("what somebody else owns: a sentence with the owner's name in the status, no traceback"):
        problems.clear()
        elsewhere.attach("asg0", "own")
        elsewhere.attach("scope", "own")
        before = len(generator.texts), len(scope.texts)
        generator.order(7e4)
        note(generator.says("alice@bench", before[0]))
        assert abs(elsewhere.asg0.frequency - 3e4) < 0.2
        scope.setting("board", "decimation").setValue(8)
        note(scope.says("alice@bench", before[1]))
        assert example.pump(lambda: scope.setting("board", "decimation").value() == 32, 15)
        scope.snap()
        elsewhere.detach("asg0")
        elsewhere.detach("scope")
        assert not problems, problems

    with check("a DAQ_Scan of the generator's frequency: the file has what the board played"):
        example.prepare(elsewhere, LOCK_IN_AT)
        scanned = example.open_scan(dashboard, "Generator", ["Scope", "Lock-in"], 4e4, 6e4, 5e3)
        file = example.run(scanned)
        rows = example.compared(example.read(file), LOCK_IN_AT)
        note(f"{file.name}:", *(f"({a:.0f}, {b:.0f}, {c:.4f}, {d:.4f})" for a, b, c, d in rows))
        assert np.allclose([row[0] for row in rows], [4e4, 4.5e4, 5e4, 5.5e4, 6e4])
        for frequency, of_trace, by_lock_in, by_trace in rows:
            assert abs(of_trace - frequency) < 20, rows
            played = 0.5 if frequency == LOCK_IN_AT else 0.0
            assert abs(by_lock_in - played) < 0.01 and abs(by_trace - played) < 0.01, rows

    with check("the daemon is killed and started again: every module comes back, and works"):
        since = {name: len(module.texts) for name, module in modules.items()}
        daemon.kill()
        generator.says("trying to reconnect", since["Generator"])
        daemon.start()
        for name, module in modules.items():
            module.says("connected again", since[name])
        assert wait_for(lambda: elsewhere.connected, 15)
        example.prepare(elsewhere, LOCK_IN_AT)
        assert abs(generator.move(LOCK_IN_AT) - LOCK_IN_AT) < 0.2
        assert abs(setpoint.move(-0.25) + 0.25) < 1e-3
        assert abs(float(np.abs(scope.snap()[0].data[0]).max()) - 0.5) < 0.01
        assert abs(float(lock_in.snap()[2].data[0][0]) - 0.5) < 0.01

    with check("a DAQ_Scan whose actuator somebody else owns says so, and records no point"):
        elsewhere.attach("asg0", "own")
        frames, before = len(lock_in.frames), len(generator.texts)
        hopeless = example.open_scan(dashboard, "Generator", ["Lock-in"], 4e4, 6e4, 1e4)
        hopeless.start_scan()
        note(generator.says("alice@bench", before))
        example.pump(seconds=2.0)
        assert len(lock_in.frames) == frames, "a point was recorded where the generator was not"

    if beside:
        with check("the other board in the network was left alone"):
            assert {module: beside.get(module) for module in TOUCHED} == untouched
            assert beside.stop() == 0

    example.build.path_of(PRESET).unlink()
    elsewhere.close()
    with check("the daemon ends cleanly beside the dashboard"):
        assert daemon.stop() == 0
    checks.leave()


if __name__ == "__main__":
    if sys.argv[1:] == ["second"]:
        second()
    else:
        main()
