"""DAQ_Viewer and DAQ_Move with our plug-ins, from finding the board to losing it, as one user's afternoon."""

from __future__ import annotations

import time
from typing import Any

import checks
import numpy as np
from checks import check, note, soon
from daemon import Daemon, wait_for
from windowless import VERSION, Mover, Viewer, pump

checks.watchdog(280)

SINE = {"waveform": "sin", "amplitude": 0.5, "frequency": 1e4, "output_direct": "out1", "trigger_source": "immediately"}
TRACE = {"input1": "in1", "decimation": 64, "trigger_source": "immediately", "average": True, "trace_average": 1}
DURATION = 16384 * 64 / 125e6


def samples(data: Any, channel: int = 0) -> np.ndarray:
    """One channel."""
    return np.asarray(data.data[channel])


def frequency(data: Any) -> float:
    """Of the strongest sine, from a windowed spectrum, between its points by a parabola."""
    values = samples(data)
    time_axis = data.get_axis_from_index(0)[0].get_data()
    spectrum = np.abs(np.fft.rfft((values - values.mean()) * np.hanning(len(values))))
    peak = int(np.argmax(spectrum))
    before, at, after = np.log(spectrum[peak - 1 : peak + 2] + 1e-30)
    offset = 0.5 * (before - after) / (before - 2 * at + after)
    return (peak + offset) / (len(values) * (time_axis[1] - time_axis[0]))


def amplitude(data: Any) -> float:
    """Half of peak to peak."""
    values = samples(data)
    return float(values.max() - values.min()) / 2


daemon = Daemon(host="0.0.0.0", discovery=True)
daemon.set("asg0", **SINE)
daemon.set("scope", **TRACE)
before = {module: daemon.get(module) for module in ("scope", "asg0", "asg1")}

changes = len(daemon.changes())

viewer = Viewer()
mover = Mover("asg0 frequency")

with check("the board is found by mDNS, shown in the list, and chosen from it"):
    found = viewer.setting("connection", "found")
    assert pump(lambda: len(found.opts["limits"]) > 1, 15), found.opts["limits"]
    label = found.opts["limits"][1]
    note(label)
    found.setValue(label)
    assert viewer.setting("connection", "address").value() == label
    assert label.startswith("pitayad on ")

with check("scope and generator initialise; the generator finds the only board by itself"):
    viewer.init()
    mover.init()

with check("initialising writes nothing"):
    after = {module: daemon.get(module) for module in before}
    assert after == before, {
        (module, name): (before[module][name], value)
        for module, values in after.items()
        for name, value in values.items()
        if before[module].get(name) != value
    }
    assert len(daemon.changes()) == changes, daemon.changes()[changes:]

with check("the settings tree is the board's"):
    tree = viewer.setting("board")
    assert tree.child("decimation").value() == 64
    assert tree.child("trigger_source").value() == "immediately"
    assert "ch1_positive_edge" in list(tree.child("trigger_source").opts["limits"])
    low, high = tree.child("threshold").opts["limits"]
    assert -1.001 < low < -0.99 and 0.99 < high < 1.001
    assert abs(mover.setting("board", "frequency").value() - 1e4) < 0.1
    assert mover.setting("bounds", "max_bound").value() == 62.5e6

with check("50 traces of the generator's sine"):
    start = time.monotonic()
    for _ in range(50):
        data = viewer.snap()
    note(f"{50 / (time.monotonic() - start):.1f} snaps/s of {DURATION * 1e3:.1f} ms")
    assert data.name == "Scope" and data.units == "V" and data.labels == ["ch1", "ch2"], data
    axis = data.get_axis_from_index(0)[0]
    assert (axis.label, axis.units, axis.size) == ("Time", "s", len(samples(data))), axis
    assert len(samples(data)) >= 16382
    assert abs(frequency(data) - 1e4) < 20, frequency(data)
    assert abs(amplitude(data) - 0.5) < 0.01, amplitude(data)
    assert data.decimation == 64 and data.module == "scope" and "settings" in data.extra_attributes

with check("the generator is where the board says, and moves: the trace shows the frequency"):
    assert abs(mover.position() - 1e4) < 0.1
    for order, value, target in (("move_abs", 25e3, 25e3), ("move_rel", -5e3, 20e3), ("move_abs", 31e3, 31e3)):
        start = time.monotonic()
        reached = mover.move(order, value)
        took = time.monotonic() - start
        assert abs(reached - target) < 0.2, reached
        assert abs(frequency(viewer.snap()) - target) < 20
    note(f"a move takes {took * 1e3:.0f} ms")

with check("amplitude, offset and phase move, each in its unit"):
    for axis_name, unit, value in (
        ("asg0 amplitude", "V", 0.25),
        ("asg0 offset", "V", 0.125),
        ("asg0 phase", "deg", 90.0),
    ):
        mover.setting(mover.axes, "axis").setValue(axis_name)
        assert pump(lambda unit=unit: mover.module.units == unit, 5), (axis_name, mover.module.units)
        assert abs(mover.move("move_abs", value) - value) < 1e-3
        assert abs(mover.move("move_rel", value / 4) - value * 1.25) < 1e-3, axis_name
        assert abs(mover.position() - value * 1.25) < 1e-3
    data = viewer.snap()
    assert abs(amplitude(data) - 0.3125) < 0.01, amplitude(data)
    assert abs(samples(data).mean() - 0.15625) < 0.01, samples(data).mean()
    assert mover.move("move_home") == 0.0
    mover.setting(mover.axes, "axis").setValue("asg1 frequency")
    assert pump(lambda: mover.module.units == "Hz", 5)
    assert abs(mover.move("move_abs", 777.0) - 777.0) < 0.2
    assert abs(daemon.get("asg1")["frequency"] - 777.0) < 0.2
    mover.setting(mover.axes, "axis").setValue("asg0 amplitude")
    assert pump(lambda: mover.module.units == "V", 5)

with check("a setting changed in the tree goes to the board"):
    viewer.setting("board", "decimation").setValue(8)
    assert wait_for(lambda: daemon.get("scope")["decimation"] == 8), daemon.get("scope")["decimation"]
    data = viewer.snap()
    assert data.decimation == 8
    # What hangs on it follows.
    assert pump(lambda: abs(viewer.setting("board", "sampling_time").value() - 64e-9) < 1e-12, 15)
    mover.setting("board", "waveform").setValue("square")
    assert pump(lambda: daemon.get("asg0")["waveform"] == "square", 5)
    daemon.set("asg0", waveform="sin")
    assert pump(lambda: mover.setting("board", "waveform").value() == "sin", 5)

with check("a value between two steps of the hardware is shown as it was taken"):
    viewer.setting("board", "threshold").setValue(0.10001)
    assert pump(lambda: viewer.setting("board", "threshold").value() != 0.10001, 15), "as it was typed"
    taken, told = viewer.setting("board", "threshold").value(), daemon.get("scope")["threshold"]
    assert taken == told and abs(taken - 0.1) < 1e-3, (taken, told)
    viewer.setting("board", "threshold").setValue(0.0)
    assert pump(lambda: daemon.get("scope")["threshold"] == 0.0, 5)

with check("a setting changed elsewhere comes into the tree, and is not written back"):
    lines = len(daemon.lines)
    daemon.set("scope", decimation=64, threshold=0.25)
    assert pump(lambda: viewer.setting("board", "threshold").value() == 0.25, 5)
    assert pump(lambda: viewer.setting("board", "decimation").value() == 64, 5)
    daemon.set("asg0", offset=0.0)
    assert pump(lambda: mover.setting("board", "offset").value() == 0.0, 5)
    pump(seconds=0.5)
    written = [line for line in daemon.changes(lines) if line.get("parameter") == "threshold"]
    assert len(written) <= 1, written
    daemon.set("scope", threshold=0.0)

with check("a refusal of the board is a sentence in the status line, the old value comes back"):
    # PyMoDAQ reads a changed value when it hands it on: what comes from the board meanwhile must be in.
    assert pump(lambda: viewer.setting("board", "threshold").value() == 0.0, 5)
    viewer.setting("board", "hysteresis").setValue(0.99)
    assert pump(lambda: abs(daemon.get("scope")["hysteresis"] - 0.99) < 1e-3, 5)
    pump(seconds=0.3)
    texts = len(viewer.texts)
    viewer.setting("board", "threshold").setValue(0.9)
    line = viewer.says("threshold", texts)
    note(line)
    assert "Traceback" not in line
    assert pump(lambda: viewer.setting("board", "threshold").value() == daemon.get("scope")["threshold"], 15)
    assert daemon.get("scope")["threshold"] != 0.9
    here = mover.position()
    note(mover.refused(7.5, "amplitude"))
    assert here == mover.position(), here
    daemon.set("scope", hysteresis=0.0025, threshold=0.0)

with check("continuous grab"):
    start, count = time.monotonic(), len(viewer.frames)
    viewer.grab(True)
    assert pump(lambda: len(viewer.frames) >= count + 20, 20), len(viewer.frames) - count
    note(f"{20 / (time.monotonic() - start):.0f} frames/s")
    viewer.grab(False)
    assert pump(lambda: not viewer.grabbing[-1], 5)
    pump(seconds=0.3)
    count = len(viewer.frames)
    pump(seconds=0.3)
    assert len(viewer.frames) == count

BUSY = 5.0
"""Seconds. A snap that takes longer waited for what was stopped: 8.6 s, or a trigger that never comes."""


def acquiring() -> bool:
    """Whether the scope is at work, as the board says."""
    return daemon.status()["acquisitions"]["scope"] is not None


for what, settings in (
    ("an acquisition of 8.6 s", {"decimation": 65536, "trigger_source": "immediately"}),
    (
        "a wait for a trigger that never comes",
        {"decimation": 64, "trigger_source": "ch1_positive_edge", "threshold": 0.99},
    ),
):
    for live in (False, True):
        with check(f"stop during {what} ({'grab' if live else 'snap'}) returns within 0.2 s"):
            daemon.set("scope", **{"hysteresis": 0.0, **settings})
            count = len(viewer.frames)

            def stopped(live: bool = live) -> float:
                if live:
                    viewer.grab(True)
                else:
                    viewer.module.snap()
                assert pump(acquiring, 5)
                return viewer.stop()

            note(f"{soon(stopped, 0.2) * 1e3:.0f} ms")
            assert len(viewer.frames) == count
            daemon.set("scope", threshold=0.0, **TRACE)
            start = time.monotonic()
            viewer.snap()
            assert time.monotonic() - start < BUSY, "the board was still busy"

with check("a continuous grab that is switched off, not stopped, ends on the board too"):
    daemon.set("scope", decimation=65536, trigger_source="immediately")
    viewer.grab(True)
    assert pump(acquiring, 5)
    count = len(viewer.frames)
    viewer.grab(False)
    assert pump(lambda: not acquiring(), 5)
    daemon.set("scope", **TRACE)
    pump(seconds=0.5)
    assert len(viewer.frames) == count
    start = time.monotonic()
    viewer.snap()
    assert time.monotonic() - start < BUSY, "the board was still busy"

with check("without a trigger the board's reason is shown after the time-out, and a snap ends"):
    daemon.set("scope", trigger_source="ch1_positive_edge", threshold=0.99, hysteresis=0.0)
    viewer.setting("timeout").setValue(0.5)
    pump(seconds=0.1)
    texts, states = len(viewer.texts), len(viewer.grabbing)
    viewer.module.snap()
    line = viewer.says("brought no trace", texts)
    note(line)
    assert pump(lambda: False in viewer.grabbing[states:], 15)
    viewer.setting("timeout").setValue(0.0)
    daemon.set("scope", threshold=0.0, **TRACE)
    pump(seconds=0.1)
    viewer.snap()

with check("the daemon is killed and started again: both say so and go on, and nothing is written"):
    viewer.grab(True)
    assert pump(lambda: len(viewer.frames) > 0, 5)
    texts, mover_texts = len(viewer.texts), len(mover.texts)
    daemon.kill()
    line = viewer.says("trying to reconnect", texts)
    note(line)
    mover.says("trying to reconnect", mover_texts)
    # Positions can be asked for meanwhile; the last known one is given.
    mover.position()
    lines = len(daemon.lines)
    daemon.start()
    fresh = {module: daemon.get(module) for module in before}
    viewer.says("connected again", texts, 15)
    mover.says("connected again", mover_texts, 15)
    count = len(viewer.frames)
    assert pump(lambda: len(viewer.frames) > count + 3, 10), "the grab did not go on"
    viewer.grab(False)
    pump(seconds=0.5)
    assert {module: daemon.get(module) for module in before} == fresh
    assert not daemon.changes(lines), daemon.changes(lines)
    # The board's values win: the tree shows the fresh ones.
    assert pump(lambda: viewer.setting("board", "decimation").value() == fresh["scope"]["decimation"], 5)
    daemon.set("asg0", **SINE)
    daemon.set("scope", **TRACE)
    mover.setting(mover.axes, "axis").setValue("asg0 frequency")
    assert pump(lambda: mover.module.units == "Hz", 5)
    assert abs(mover.move("move_abs", 12e3) - 12e3) < 0.2
    assert abs(frequency(viewer.snap()) - 12e3) < 20

with check("a snap that the crash interrupted is made good"):
    daemon.set("scope", decimation=65536)
    count = len(viewer.frames)
    since = len(viewer.texts)
    viewer.module.snap()
    assert pump(acquiring, 5)
    daemon.kill()
    viewer.says("trying to reconnect", since)
    assert len(viewer.frames) == count
    daemon.start()
    assert pump(lambda: len(viewer.frames) > count, 15), viewer.texts[-3:]
    daemon.set("asg0", **SINE)
    daemon.set("scope", **TRACE)
    assert pump(lambda: viewer.setting("board", "decimation").value() == TRACE["decimation"], 5)

with check("stored settings: not written, unless asked for; then those that differ"):
    viewer.setting("board", "trigger_delay").setValue(1e-3)
    assert pump(lambda: abs(daemon.get("scope")["trigger_delay"] - 1e-3) < 1e-6, 5)
    pump(seconds=0.3)
    stored = viewer.setting().saveState()
    viewer.quit()
    daemon.set("scope", decimation=1024, trigger_delay=0.0)
    present = daemon.get("scope")
    for wanted in (False, True):
        lines = len(daemon.lines)
        viewer = Viewer(f"stored {wanted}")
        viewer.setting().restoreState(stored)
        viewer.setting("connection", "apply_preset").setValue(wanted)
        viewer.init()
        if wanted:
            names = {line.get("parameter") for line in daemon.changes(lines)}
            assert daemon.get("scope")["decimation"] == 64
            assert abs(daemon.get("scope")["trigger_delay"] - 1e-3) < 1e-9
            assert "input1" not in names and "average" not in names, names
            viewer.says("preset applied", 0)
        else:
            assert daemon.get("scope") == present
            assert viewer.setting("board", "decimation").value() == 1024
            viewer.quit()

with check("as a preset file, the settings come back as they were"):
    if VERSION[0] == 4:
        from pymodaq.utils.parameter import Parameter, ioxml
    else:
        from pymodaq_gui.parameter import Parameter, ioxml
    text = ioxml.parameter_to_xml_string(viewer.setting())
    again = Parameter.create(name="again", type="group", children=ioxml.XML_string_to_parameter(text))
    assert again["board", "decimation"] == 64, again.child("board").children()
    assert again["board", "trigger_source"] == "immediately"
    assert again["connection", "address"] == label

with check("a board that is not there is said, not a traceback"):
    lost = Viewer("lost")
    lost.setting("connection", "address").setValue("127.0.0.1:1")
    line = lost.init_fails()
    note(line)
    assert "no connection to 127.0.0.1:1" in line, line

with check("the daemon ends cleanly beside its clients"):
    assert daemon.stop() == 0

checks.leave()
