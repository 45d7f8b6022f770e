"""The board dials the TCPServer plug-ins of a stock PyMoDAQ 4, with nothing of ours installed there."""

from __future__ import annotations

import time
from pathlib import Path

import checks
import numpy as np
from checks import check, note
from daemon import PROGRAM, Daemon, free_port, wait_for
from mirrored import brings_traces, nothing_of_ours, settings_go_both_ways
from servers import Mover, Viewer
from windowless import VERSION, pump

checks.watchdog(240)

if VERSION[0] != 4:
    with check("this PyMoDAQ has no TCPServer plug-in that can send"):
        assert VERSION >= (5, 0)
    checks.leave()


ports = {"1D": free_port(), "0D": free_port(), "move": free_port()}
daemon = Daemon(dial=[f"scope@127.0.0.1:{ports['1D']}", f"asg0.frequency@localhost:{ports['move']}"])
daemon.play()
nothing_of_ours()

viewer, mover = Viewer(1), Mover()

with check("the board finds a TCPServer viewer that was initialised after it, and its settings are mirrored"):
    viewer.listen(ports["1D"])
    start = time.monotonic()
    assert viewer.mirrors()
    note(f"connected {time.monotonic() - start:.1f} s after Init")
    assert viewer.child("decimation").value() == 64
    assert viewer.child("decimation").opts["type"] == "list"

brings_traces(viewer, 10)

with check("a continuous grab, and its end"):
    start, before = time.monotonic(), len(viewer.frames)
    viewer.module.grab_data(grab_state=True, snap_state=False)
    assert pump(lambda: len(viewer.frames) >= before + 10, 20), len(viewer.frames) - before
    note(f"10 frames in {time.monotonic() - start:.1f} s")
    viewer.module.stop_grab()
    pump(seconds=1)
    before = len(viewer.frames)
    pump(seconds=1)
    assert len(viewer.frames) == before

settings_go_both_ways(viewer, daemon, 64)

with check("a TCPServer move: its unit, its value, absolute and relative moves"):
    mover.listen(ports["move"])
    assert mover.mirrors()
    assert pump(lambda: mover.module.units == "Hz", 5), mover.module.units
    spent = []
    for target in (2e4, 1e3, 5e5):
        start = time.monotonic()
        assert abs(mover.move("move_abs", target) - target) < 0.2
        spent.append(time.monotonic() - start)
        assert abs(daemon.get("asg0")["frequency"] - target) < 0.2
    note(f"median {np.median(spent):.3f} s a move")
    assert abs(mover.move("move_rel", -1e5) - 4e5) < 0.2
    before = len(mover.values)
    mover.module.get_actuator_value()
    assert pump(lambda: len(mover.values) > before + 1, 5)
    assert abs(mover.values[-1].value("Hz") - 4e5) < 0.2

with check("a move that is refused ends where it was, and the reason is shown"):
    assert abs(mover.move("move_abs", 1e9) - 4e5) < 0.2
    assert pump(lambda: "62500000" in mover.reason(), 5), mover.reason()
    note(mover.reason())

with check("settings of a move both ways"):
    mover.child("amplitude").setValue(0.25)
    assert wait_for(lambda: abs(daemon.get("asg0")["amplitude"] - 0.25) < 1e-3)
    daemon.set("asg0", amplitude=0.75)
    assert pump(lambda: abs(mover.child("amplitude").value() - 0.75) < 1e-3, 5)

with check("dialled by command, a 0D viewer gets the means of the channels"):
    zero = Viewer(0)
    zero.listen(ports["0D"])
    daemon.command("dial", f"127.0.0.1:{ports['0D']}", "--device", "scope")
    assert zero.mirrors()
    daemon.set("asg0", waveform="dc", offset=0.2)
    data = zero.snap()
    note(repr(data))
    assert data.dim.name == "Data0D" and data.labels == ["ch1", "ch2"]
    assert abs(data.data[0][0] - 0.2) < 0.02
    assert [state["device"] for state in daemon.status()["dialled"]] == ["scope", "asg0.frequency", "scope"]

with check("hung up by command, the server is free for others at once"):
    daemon.command("hang-up", f"127.0.0.1:{ports['0D']}")
    assert pump(lambda: any("GRABBER disconnected" in text for text in zero.texts), 5), zero.texts[-3:]
    assert "GRABBER" not in zero.setting("conn_clients").value()

with check("the plug-in is switched off and on: the board is there again"):
    before = viewer.greetings()
    viewer.module.init_hardware(False)
    assert pump(lambda: not viewer.module.initialized_state, 10)
    pump(seconds=1)
    viewer.module.init_hardware(True)
    assert pump(lambda: viewer.module.initialized_state, 20)
    start = time.monotonic()
    assert pump(lambda: viewer.greetings() > before, 40), viewer.texts[-3:]
    note(f"again after {time.monotonic() - start:.1f} s")
    assert len(viewer.snap().data[0]) >= 16382


def answered(seconds: float = 20.0) -> bool:
    """Whether every dialled server has answered: before, the board cannot know that it has read the type word."""

    def all_connected() -> bool:
        pump(seconds=0.2)
        return all(one["state"] == "connected" for one in daemon.status()["dialled"])

    return pump(all_connected, seconds)


def idles() -> None:
    """No plug-in's thread may spin, as it does when a client ends without goodbye."""
    start, used = time.monotonic(), time.process_time()
    time.sleep(2)
    cores = (time.process_time() - used) / (time.monotonic() - start)
    note(f"{cores:.2f} cores while idle")
    assert cores < 0.2


def come_again() -> None:
    """The next daemon is served, by both plug-ins."""
    before = [(server, server.greetings()) for server in (viewer, mover)]
    daemon.start()
    assert pump(lambda: all(server.greetings() > count for server, count in before), 20), (viewer.texts, mover.texts)
    assert answered(), daemon.status()["dialled"]
    assert len(viewer.snap().data[0]) >= 16382
    assert abs(mover.move("move_abs", 3e4) - 3e4) < 0.2


with check("the daemon ends with goodbye: the servers live, idle, and take the next daemon"):
    told = [(server, len(server.texts)) for server in (viewer, mover)]
    assert daemon.stop() == 0
    for server, since in told:
        server.says(" disconnected", since)
    idles()
    come_again()

if any((Path(PROGRAM).resolve().parent / "native").glob("*/addons.cjs")):
    with check("the daemon is killed: the servers live all the same, and take the next daemon"):
        told = [(server, len(server.texts)) for server in (viewer, mover)]
        daemon.kill()
        for server, since in told:
            server.says(" disconnected", since)
        idles()
        come_again()
else:
    note("no native code here: what a killed daemon does to a server was not tried")

daemon.stop()
checks.leave()
