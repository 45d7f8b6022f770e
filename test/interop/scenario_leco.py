"""Stock LECODirector plug-ins of PyMoDAQ 5.3 and the board as its own LECO Coordinator, nothing of ours installed."""

from __future__ import annotations

import socket
import time
from typing import Any

import checks
import numpy as np
from checks import check, note
from daemon import Daemon, free_port, wait_for
from mirrored import brings_traces, nothing_of_ours, settings_go_both_ways
from windowless import pump

checks.watchdog(280)

from directors import FRAMES, Mover, Viewer, count_frames  # noqa: E402
from pyleco.directors.director import Director as Script  # noqa: E402
from pyleco.json_utils.errors import JSONRPCError  # noqa: E402

count_frames()
port = free_port()
daemon = Daemon(more=["--leco", f"127.0.0.1:{port}"])
daemon.play()
nothing_of_ours()

viewer = Viewer(1)

with check("a 1D viewer: the user types the board's address and the actor's name; its settings are mirrored"):
    viewer.fill_in("scope", port)
    viewer.init()
    assert viewer.mirrors()
    assert viewer.child("decimation").value() == 64 and viewer.child("decimation").opts["type"] == "list"

brings_traces(viewer, 20)
settings_go_both_ways(viewer, daemon, 1)

with check("a continuous grab of 2 x 512 points: signs of life are answered, no frame arrives 0.5 s after its end"):
    viewer.child("points").setValue(512)
    assert pump(lambda: len(viewer.snap().data[0]) == 512, 10)
    with Script(actor="scope", host="127.0.0.1", port=port, name="script") as script:
        viewer.module.grab_data(grab_state=True, snap_state=False)
        spent = []
        for _ in range(20):
            pump(seconds=0.05)
            start = time.monotonic()
            script.ask_rpc("pong", timeout=1)
            spent.append(time.monotonic() - start)
        viewer.module.stop_grab()
        pump(seconds=0.5)
    note(f"median {1e3 * np.median(spent):.1f} ms a pong, slowest {1e3 * max(spent):.1f} ms")
    assert np.median(spent) < 0.1
    rate, late = viewer.grab(20)
    note(f"{rate:.0f} frames/s")
    assert late == 0
    assert viewer.module.initialized_state

with check("a 0D viewer on the sampler"):
    daemon.set("asg1", waveform="dc", offset=0.25, trigger_source="immediately")
    zero = Viewer(0, "zero")
    zero.fill_in("sampler", port)
    zero.init()
    data = zero.snap()
    note(repr(data))
    assert data.dim.name == "Data0D" and data.units == "V"
    rate, late = zero.grab(5)
    note(f"{rate:.0f} frames/s")
    assert late == 0

mover = Mover()

with check("a move: its unit, moves in it and in others, relative ones, the board's value"):
    mover.fill_in(f"{socket.gethostname().split('.')[0]}.asg0_frequency", port)
    mover.init()
    assert pump(lambda: mover.module.units == "mHz", 5), mover.module.units
    spent = []
    for target in (2e7, 1e6, 5e8):
        start = time.monotonic()
        assert abs(mover.move("move_abs", target) - target) < 120
        spent.append(time.monotonic() - start)
        assert abs(daemon.get("asg0")["frequency"] - target / 1e3) < 0.12
    note(f"median {1e3 * np.median(spent):.1f} ms a move")
    assert abs(mover.move("move_rel", -1e8) - 4e8) < 240
    assert abs(mover.move("move_abs", 20, "kHz") - 2e7) < 120
    assert abs(daemon.get("asg0")["frequency"] - 2e4) < 0.12

with check("the smallest step is no less than what PyMoDAQ sends"):
    offset = Mover("offset")
    offset.fill_in("asg1", port)
    offset.init()
    assert pump(lambda: offset.module.units == "uV", 5), offset.module.units
    step = 1e6 / 8192
    first = offset.move("move_abs", 100 * step)
    assert abs(offset.move("move_abs", 101 * step) - first - step) < 1e-3
    assert abs(daemon.get("asg1")["offset"] - 101 / 8192) < 1e-9
    assert offset.move("move_home") == 0

with check("a move that is refused ends where it was, and the reason is shown"):
    assert abs(mover.move("move_abs", 1e12) - 2e7) < 120
    assert pump(lambda: "62500000" in mover.reason(), 5), mover.reason()
    note(mover.reason())

with check("two directors on one actor: data to the one that asked, the end of a move to both"):
    twin = Viewer(1, "twin")
    twin.fill_in("scope", port)
    twin.init()
    before = len(viewer.frames)
    assert len(twin.snap().data[0]) >= 16382
    assert len(viewer.snap().data[0]) == 512
    assert len(viewer.frames) == before + 1
    second = Mover("second")
    second.fill_in("asg0_frequency", port)
    second.init()
    told = len(second.done)
    mover.move("move_abs", 3e7)
    assert pump(lambda: len(second.done) > told, 5)
    assert abs(second.done[-1].value("mHz") - 3e7) < 120

with check("both grab on and on, and both get on"):
    for one in (viewer, twin):
        one.module.grab_data(grab_state=True, snap_state=False)
    before = [(one, len(one.frames)) for one in (viewer, twin)]
    start = time.monotonic()
    assert pump(lambda: all(len(one.frames) > count + 5 for one, count in before), 20)
    note([len(one.frames) - count for one, count in before], f"frames in {time.monotonic() - start:.1f} s")
    for one in (viewer, twin):
        one.module.stop_grab()
    pump(seconds=1)

with check("a script in pyleco: what there is, what it can do, and what it cannot"):
    with Script(actor="COORDINATOR", host="127.0.0.1", port=port, name="script") as script:
        names = script.ask_rpc("send_local_components")
        assert {"scope", "asg0", "pid0_p", "iq0_frequency"} <= set(names), names
        note(len(names), "components")
        assert any(method["name"] == "move_abs" for method in script.ask_rpc("rpc.discover", actor="pid0")["methods"])
        for actor, code in (("nobody", -32093), ("mars.scope", -32092)):
            try:
                script.ask_rpc("pong", actor=actor)
                raise AssertionError(f"{actor} answered")
            except JSONRPCError as error:
                assert error.rpc_error.code == code
        script.ask_rpc("move_abs", actor="asg1", position=125_000)
        assert wait_for(lambda: abs(daemon.get("asg1")["offset"] - 0.125) < 1e-3)

with check("bytes that are not the protocol: the connection ends, the log says why, the others go on"):
    since = len(daemon.lines)
    for junk in (b"GET / HTTP/1.1\r\n\r\n", bytes(64), b"\xff" + bytes(8) + b"\x7f\x03\x01CURVE" + bytes(47)):
        with socket.create_connection(("127.0.0.1", port), 5) as stranger:
            stranger.sendall(junk)
            stranger.settimeout(5)
            try:
                while stranger.recv(1000):
                    pass
            except ConnectionResetError:
                pass
    assert wait_for(lambda: sum(line.get("msg") == "dropped" for line in daemon.lines[since:]) == 3)
    note(*(line["reason"] for line in daemon.lines[since:] if line.get("msg") == "dropped"))
    assert len(viewer.snap().data[0]) == 512


def goes_on(what: str) -> None:
    """Viewer and move, initialised long ago, are served by the daemon of now."""
    assert pump(lambda: wait_for(lambda: viewer.child("decimation").value() == 8, 0), 15), what
    assert len(viewer.snap(20).data[0]) >= 512
    assert abs(mover.move("move_abs", 7e6, seconds=20) - 7e6) < 120
    assert abs(daemon.get("asg0")["frequency"] - 7e3) < 0.12


for how in ("ends", "is killed"):
    with check(f"the daemon {how} and comes back: without a hand, data flow, moves move and settings are those of now"):
        if how == "ends":
            assert daemon.stop() == 0
        else:
            daemon.kill()
        pump(seconds=3)
        daemon.start()
        daemon.play(decimation=8)
        start = time.monotonic()
        goes_on(how)
        note(f"again {time.monotonic() - start:.1f} s after its start")
        daemon.set("scope", decimation=64)
        # Seen, lest the next round takes the value of now for that of the daemon that comes back.
        assert pump(lambda: viewer.child("decimation").value() == 64, 15)

with check("a port in use shuts that door alone, with a line that says so"):
    other = Daemon(more=["--leco", f"127.0.0.1:{port}"])
    lines: list[dict[str, Any]] = [line for line in other.lines if line.get("level") == 50]
    assert len(lines) == 1 and f"Port {port} is in use" in lines[0]["msg"], lines
    note(lines[0]["msg"])
    assert other.get("scope")["decimation"]
    assert other.stop() == 0

assert FRAMES
daemon.stop()
checks.leave()
