"""One board, several modules: master and slaves on one connection, masters side by side, owners against each other."""

from __future__ import annotations

import time
from typing import Any

import checks
import numpy as np
from checks import check, note, soon
from daemon import Daemon, wait_for
from windowless import VERSION, Mover, Viewer, pump

checks.watchdog(120)

daemon = Daemon()
where = f"127.0.0.1:{daemon.port}"
daemon.set("asg0", waveform="sin", amplitude=0.5, frequency=1e5, output_direct="out1", trigger_source="immediately")
daemon.set("scope", input1="in1", decimation=8, trigger_source="immediately")


def on_board(instrument: Any) -> Any:
    """Types the address."""
    instrument.setting("connection", "address").setValue(where)
    return instrument


def enslave(slave: Any, master: Any) -> Any:
    """As the dashboard does with modules of the same controller id."""
    group = next((name for name in ("controller", "multiaxes") if name in slave.setting().names), None)
    names = [group] if group else []
    status = next(name for name in ("controller_status", "multi_status") if name in slave.setting(*names).names)
    slave.setting(*names, status).setValue("Slave")
    if VERSION >= (5, 2):
        slave.module.controller_and_thread.controller = master.module.controller_and_thread.controller
        slave.module.controller_and_thread.thread = master.module.controller_and_thread.thread
    else:
        slave.module.controller = master.module.controller
    return slave


def level(data: Any) -> float:
    """Largest value of channel 1."""
    return float(np.abs(np.asarray(data.data[0])).max())


viewer = on_board(Viewer())

with check("a viewer and two actuators share one connection"):
    viewer.init()
    amplitude = enslave(Mover("asg0 amplitude", "amplitude"), viewer)
    amplitude.init()
    other = enslave(Mover("asg1 frequency", "other"), viewer)
    other.init()
    connected = daemon.status()
    note(f"clients: {connected.get('clients')}")
    assert abs(other.move("move_abs", 4e3) - 4e3) < 0.2
    assert abs(daemon.get("asg1")["frequency"] - 4e3) < 0.2

with check("each trace is recorded after the move, 40 times, while the other actuator is asked"):
    draw = np.random.default_rng(1)
    start = time.monotonic()
    for _ in range(40):
        wanted = float(draw.uniform(0.05, 0.95))
        amplitude.move("move_abs", wanted)
        got = level(viewer.snap())
        assert abs(got - wanted) < 0.01, (wanted, got)
        other.module.get_actuator_value()
    note(f"{(time.monotonic() - start) / 40 * 1e3:.0f} ms for a move and a snap")

with check("a move in the middle of a slow continuous grab is done at once"):
    daemon.set("scope", decimation=65536)
    targets = iter((0.3, 0.31, 0.32))

    def moved_and_stopped() -> float:
        viewer.grab(True)
        assert pump(lambda: daemon.status()["acquisitions"]["scope"] is not None, 5)
        start = time.monotonic()
        amplitude.move("move_abs", next(targets))
        took = time.monotonic() - start
        note(f"{took * 1e3:.0f} ms")
        assert took < 4, "it waited for the trace, which takes 8.6 s"
        return viewer.stop()

    soon(moved_and_stopped, 0.2)
    daemon.set("scope", decimation=8)

with check("a crash of the daemon: all three come back"):
    texts = [len(each.texts) for each in (viewer, amplitude, other)]
    daemon.kill()
    pump(seconds=0.3)
    daemon.start()
    for each, since in zip((viewer, amplitude, other), texts, strict=True):
        each.says("connected again", since, 15)
    daemon.set("asg0", waveform="sin", amplitude=0.5, frequency=1e5, output_direct="out1", trigger_source="immediately")
    amplitude.move("move_abs", 0.4)
    assert abs(level(viewer.snap()) - 0.4) < 0.01


def tries() -> bool:
    """Whether the first may write again."""
    viewer.setting("board", "decimation").setValue(1024)
    pump(seconds=0.3)
    return daemon.get("scope")["decimation"] == 1024


second = on_board(Viewer("second"))

with check("a second viewer sees the same traces; stopping one does not stop the other"):
    second.init()
    second.grab(True)

    def stopped() -> float:
        count = len(viewer.frames)
        viewer.grab(True)
        assert pump(lambda: second.frames and len(viewer.frames) > count, 10)
        return viewer.stop()

    soon(stopped, 0.2)
    count = len(second.frames)
    assert pump(lambda: len(second.frames) > count + 5, 10)
    second.stop()

with check("a module that is owned: the other is told by whom, and reads on"):
    second.quit()
    second = on_board(Viewer("owner"))
    second.setting("connection", "owner").setValue("alice@bench")
    second.setting("connection", "mode").setValue("own")
    second.init()
    texts = len(viewer.texts)
    viewer.setting("board", "decimation").setValue(64)
    line = viewer.says("alice@bench", texts)
    note(line)
    assert pump(lambda: viewer.setting("board", "decimation").value() == 8, 15)
    viewer.snap()
    second.setting("board", "decimation").setValue(64)
    assert pump(lambda: viewer.setting("board", "decimation").value() == 64, 15)
    third = on_board(Viewer("third"))
    third.setting("connection", "owner").setValue("bob@desk")
    third.setting("connection", "mode").setValue("own")
    line = third.init_fails()
    note(line)
    assert "alice@bench" in line, line
    second.quit()
    assert wait_for(tries, 10)


with check("the master leaves: what it shared ends with a word, not with a fault"):
    viewer.quit()
    pump(seconds=0.3)
    amplitude.quit()
    other.quit()
    status = daemon.status()
    note(f"clients: {status.get('clients')}")

with check("the daemon ends cleanly"):
    assert daemon.stop() == 0

checks.leave()
