"""A closed loop on the live Verilog, through PyMoDAQ: the setpoint scanned, the settled loop recorded, and its step.

Plant and gains are those of the recording pid_closed_loop of the same Verilog, which the step is compared with.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import checks
import numpy as np
from checks import check, note
from daemon import Daemon
from dashboards import Module, load_example, presets
from pymodaq_plugins_pitayad import Board

checks.watchdog(280)

COUNTS = 8192
CLOCK = 125e6
DECIMATION = 8
PLANT = {"gain": 0.5, "corner": 50e3, "delay": 8}
KI = -3_000_000
"""Register of the recording; the error's share, over 2^32, that goes into the integrator each clock."""
STEP = 2000 / COUNTS

golden = Path(__file__).resolve().parent.parent / "fpga" / "bus" / "golden" / "pid_closed_loop.json"
recording = json.loads(golden.read_text())
traces = [np.asarray(step[3]) for step in recording["ops"] if step[0] == "trace"]

plant = f"plant:{PLANT['gain']},{PLANT['corner']},{PLANT['delay']},0,1"
cosim = subprocess.Popen(
    [os.environ["PITAYAD_COSIM"], "--adc1", plant, "--max-clients", "4", "0"], stdout=subprocess.PIPE, text=True
)
port = next(int(found[1]) for line in cosim.stdout or () if (found := re.search(r"listening on .*:(\d+)", line)))
daemon = Daemon(bus=f"monitor:127.0.0.1:{port}")
where = f"127.0.0.1:{daemon.port}"
PRESET = f"interop-{os.getpid()}"
installed = presets("install", "pitayad-loop", "--as", PRESET, "--board", where)
assert installed.returncode == 0, installed.stdout + installed.stderr
example = load_example()

elsewhere = Board(where)
elsewhere.pid0.set(input="in1", setpoint=0, p=0, i=KI * CLOCK / 2**32 / (2 * math.pi), ival=0, inputfilter=[0])
elsewhere.pid0.set(min_voltage=-1, max_voltage=1, output_direct="out1")
elsewhere.scope.set(input1="in1", input2="pid0", decimation=DECIMATION, average=False, trigger_source="immediately")
elsewhere.sampler.set(signals="in1,pid0,out1", duration=0.05)

dashboard = example.open_dashboard(PRESET)
modules = {name: Module(module, example) for name, module in example.modules(dashboard).items()}
for name in ("Scope", "Level", "Signals"):
    modules[name].setting("timeout").setValue(60.0)


def by_label(data: Any) -> dict[str, np.ndarray]:
    """Channels of recorded data."""
    return {label: np.asarray(array) for label, array in zip(data.labels, data.data, strict=True)}


with check("a DAQ_Scan of the setpoint: at each point the loop has settled, and the file says so"):
    modules["Setpoint"].setting("settle").setValue(0.5)
    scan = example.open_scan(dashboard, "Setpoint", ["Level", "Signals"], -0.2, 0.2, 0.1)
    file = example.run(scan)
    recorded = example.read(file)
    loaded = recorded["Signals/Mean"]
    values = by_label(loaded)
    setpoints = loaded.get_axis_from_index(0)[0].get_data()
    note(f"{file.name}: setpoints {setpoints}, in1 {values['in1'].round(5)}, out1 {values['out1'].round(5)}")
    assert np.allclose(setpoints, [-0.2, -0.1, 0, 0.1, 0.2])
    assert np.allclose(values["in1"], setpoints, atol=3 / COUNTS), values["in1"]
    assert np.allclose(values["out1"], setpoints / PLANT["gain"], atol=8 / COUNTS), values["out1"]
    assert np.allclose(values["pid0"], values["out1"], atol=3 / COUNTS)
    level = by_label(recorded["Level/Mean"])
    assert np.allclose(level["ch1"], setpoints, atol=3 / COUNTS), level
    assert np.allclose(level["ch2"], setpoints / PLANT["gain"], atol=8 / COUNTS), level
    spread = by_label(recorded["Level/Peak-to-peak"])["ch1"]
    assert np.all(spread <= 4 / COUNTS), spread

with check("a step of the setpoint, moved while the scope waits for it: the curve of the recording, count by count"):
    setpoint, scope = modules["Setpoint"], modules["Scope"]
    setpoint.move(0.0)
    setpoint.setting("settle").setValue(0.0)
    elsewhere.scope.set(trigger_source="ch1_positive_edge", threshold=20 / COUNTS, hysteresis=10 / COUNTS)
    example.pump(seconds=0.5)
    count = len(scope.frames)
    scope.module.snap()
    assert example.pump(lambda: elsewhere.status()["acquisitions"]["scope"] is not None, 20)
    example.pump(seconds=1.5)
    assert len(scope.frames) == count, "it triggered by itself"
    assert abs(setpoint.move(STEP) - STEP) < 1e-6
    assert example.pump(lambda: len(scope.frames) > count, 60), scope.texts[-3:]
    curve = np.round(np.asarray(scope.frames[-1][0].data[0]) * COUNTS)
    begin, known = (int(np.argmax(line >= 20)) for line in (curve, traces[0]))
    length = min(len(curve) - begin, len(traces[0]) - known, 1000)
    difference = curve[begin : begin + length] - traces[0][known : known + length]
    # Between two samples of 8 clocks the curve rises by this much.
    slope = np.abs(np.diff(traces[0][known : known + length])).max()
    note(f"{length} points; largest difference {np.abs(difference).max():.0f} counts, steepest step {slope:.0f}")
    assert length > 500 and np.abs(difference).max() <= slope + 2
    assert np.all(np.abs(curve[begin + 4000 :][:200] - 2000) <= 2), curve[begin + 4000 :][:20]

with check("its time constant is that of an integrator around a low-pass"):
    # y'' / (c K) + y' / K + y = r with K = gain · |ki| / 2^32 · clock and the corner c, which the delay brings down.
    gain = PLANT["gain"] * abs(KI) / 2**32 * CLOCK
    delays = (PLANT["delay"] + 12) / CLOCK
    corner = 1 / (1 / (2 * math.pi * PLANT["corner"]) + delays)
    expected = 1 / (corner / 2 * (1 - math.sqrt(1 - 4 * gain / corner)))
    left = 1 - curve[begin : begin + 2000] / 2000
    fitted = np.flatnonzero((left < 0.7) & (left > 0.05))
    times = fitted * DECIMATION / CLOCK
    found = -1 / np.polyfit(times, np.log(left[fitted]), 1)[0]
    note(f"{found * 1e6:.2f} µs, theory {expected * 1e6:.2f} µs")
    assert abs(found / expected - 1) < 0.05, (found, expected)

example.build.path_of(PRESET).unlink()
elsewhere.close()

with check("the daemon ends, and leaves the loop as it is"):
    assert daemon.stop() == 0
    again = Daemon(bus=f"monitor:127.0.0.1:{port}")
    assert abs(float(again.get("pid0")["setpoint"]) - STEP) < 1e-6
    assert again.stop() == 0
    cosim.terminate()
    cosim.wait(10)

checks.leave()
