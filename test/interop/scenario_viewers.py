"""The other detectors in real DAQ_Viewers: single values, lock-ins, sweeps, spectra, against what the board plays."""

from __future__ import annotations

import time
from typing import Any

import checks
import numpy as np
from checks import check, note, soon
from daemon import Daemon, wait_for
from pymodaq.control_modules.daq_viewer import DAQ_Viewer
from pymodaq_plugins_pitayad import Board
from windowless import Viewer, pump

checks.watchdog(280)

FREQUENCY = 125e6 / 128
"""On the grids of generator and lock-in, so that their phases stay."""

daemon = Daemon()
where = f"127.0.0.1:{daemon.port}"
elsewhere = Board(where, owner="elsewhere")
"""The other side: quicker than a command line each time."""


def put(module: str, **values: Any) -> None:
    """Sets parameters from elsewhere."""
    elsewhere.modules[module].set(**values)


def present(module: str, name: str) -> Any:
    """What the board has."""
    return elsewhere.modules[module].get(name)[name]


interim: list[Any] = []
"""What detectors showed before they were done."""
stock = DAQ_Viewer.show_temp_data


def noted(self: Any, data: Any) -> None:
    """As PyMoDAQ's own, and kept."""
    interim.append(data.deepcopy())
    stock(self, data)


DAQ_Viewer.show_temp_data = noted


def play() -> None:
    """A sine at out1, which is wired to in1; 0.25 V at asg1."""
    put("asg0", waveform="sin", amplitude=0.5, frequency=1e4, output_direct="out1", trigger_source="immediately")
    put("asg1", waveform="dc", offset=0.25, trigger_source="immediately")
    put("scope", input1="in1", input2="asg1", decimation=64, trigger_source="ch1_positive_edge", average=True)


def opened(detector: str, dimension: int) -> Viewer:
    """On our board."""
    viewer = Viewer(detector, detector, dimension)
    viewer.setting("connection", "address").setValue(where)
    # A simulated lock-in may be a hundred times slower than a real one.
    viewer.setting("timeout").setValue(60.0)
    viewer.init()
    return viewer


def near(value: float, wanted: float, within: float) -> None:
    """Fails if it is not."""
    assert abs(value - wanted) < within, f"{value}, not {wanted}"


def both_ways(viewer: Viewer, module: str, name: str, ours: Any, theirs: Any, *group: str) -> None:
    """A setting changed in the tree reaches the board, and one changed on the board the tree."""
    viewer.setting("board", *group, name).setValue(ours)
    assert wait_for(lambda: same(present(module, name), ours)), present(module, name)
    pump(seconds=0.2)
    put(module, **{name: theirs})
    assert pump(lambda: same(viewer.setting("board", *group, name).value(), theirs), 5), name


def same(one: Any, other: Any) -> bool:
    """Numbers as near as the hardware takes them."""
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return bool(np.isclose(one, other, rtol=1e-3))
    return bool(one == other)


def comes_back(viewer: Viewer) -> None:
    """The daemon is killed and started again."""
    since = len(viewer.texts)
    daemon.kill()
    viewer.says("trying to reconnect", since)
    daemon.start()
    viewer.says("connected again", since, 15)
    assert wait_for(lambda: elsewhere.connected, 15)
    play()
    pump(seconds=0.2)


play()

scope = opened("PitayadScope", 0)

with check("PitayadScope 0D: mean, rms and peak-to-peak, of the trace and of a window of it"):
    values = scope.values()
    assert list(values) == ["Mean", "RMS", "Peak-to-peak"], values
    near(values["Mean"]["ch1"], 0, 0.01)
    near(values["Mean"]["ch2"], 0.25, 1e-3)
    near(values["RMS"]["ch1"], 0.5 / np.sqrt(2), 0.005)
    near(values["Peak-to-peak"]["ch1"], 1.0, 0.01)
    data = scope.frames[-1]
    assert [part.units for part in data] == ["V"] * 3 and data[0].dim.name == "Data0D"
    near(float(data[0].errors[0][0]), 0.5 / np.sqrt(2), 0.005)
    scope.setting("window", "whole").setValue(False)
    scope.setting("window", "from").setValue(0.0)
    scope.setting("window", "to").setValue(0.25e-4)
    pump(seconds=0.1)
    # The first quarter of a period.
    near(scope.values()["Mean"]["ch1"], 0.5 * 2 / np.pi, 0.01)
    near(scope.values()["Peak-to-peak"]["ch1"], 0.5, 0.02)

with check("PitayadScope 0D: a window beside the trace is refused with the trace's times"):
    since = len(scope.texts)
    scope.setting("window", "to").setValue(2.0)
    scope.setting("window", "from").setValue(1.0)
    pump(seconds=0.1)
    scope.module.snap()
    note(scope.says("No point of the trace", since))
    scope.setting("window", "whole").setValue(True)
    pump(seconds=0.1)

with check("PitayadScope 0D: settings from both sides; the daemon comes back"):
    both_ways(scope, "scope", "decimation", 8, 64)
    comes_back(scope)
    near(scope.values()["Mean"]["ch2"], 0.25, 1e-3)
scope.quit()

sampler = opened("PitayadSampler", 0)


def sampled(least: int) -> dict[str, dict[str, float]]:
    """The values of so many samples; a machine that stalls makes few in a given time, and is given more then."""
    counts: list[int] = []
    for duration in (0.1, 0.2, 0.5, 1, 2, 5):
        put("sampler", duration=duration)
        values = sampler.values()
        counts.append(int(sampler.frames[-1][0].samples))
        if counts[-1] >= least:
            note(counts[-1], "samples")
            return values
    raise AssertionError(f"{counts} samples, never {least}")


with check("PitayadSampler: any signals, with their standard deviation as error"):
    sampler.setting("board", "signals").setValue("in1, asg1")
    assert wait_for(lambda: present("sampler", "signals") == "in1, asg1")
    # They are a microsecond apart or more, and the period is 100 of them.
    values = sampled(300)
    assert list(values) == ["Mean", "Standard deviation", "Minimum", "Maximum"], values
    near(values["Mean"]["asg1"], 0.25, 1e-3)
    assert values["Maximum"]["in1"] > 0.3 and values["Minimum"]["in1"] < -0.3, values
    mean = sampler.frames[-1][0]
    near(float(mean.errors[mean.labels.index("in1")][0]), values["Standard deviation"]["in1"], 1e-9)
    near(float(mean.errors[mean.labels.index("asg1")][0]), 0, 1e-3)

with check("PitayadSampler: an unknown signal is refused with the nearest, the old ones come back"):
    since = len(sampler.texts)
    sampler.setting("board", "signals").setValue("in7")
    note(sampler.says("did you mean", since))
    assert pump(lambda: sampler.setting("board", "signals").value() == "in1, asg1", 15)

with check("PitayadSampler: settings from both sides; a continuous grab goes on when the daemon comes back"):
    both_ways(sampler, "sampler", "duration", 0.02, 0.005)
    sampler.grab(True)
    assert pump(lambda: len(sampler.frames) > 5, 10)
    comes_back(sampler)
    count = len(sampler.frames)
    assert pump(lambda: len(sampler.frames) > count + 3, 10)
    sampler.grab(False)
    pump(seconds=0.3)

with check("PitayadSampler: data do not pile up while the window is busy with something else"):

    def measurements() -> int:
        return int(elsewhere.status()["counters"]["measurements"])

    sampler.grab(True)
    assert pump(lambda: len(sampler.frames) > count + 6, 10)
    # In this thread, which is the window's.
    time.sleep(0.3)
    before = measurements()
    time.sleep(1.0)
    assert measurements() == before, f"{measurements() - before} that nobody looked at"
    count = len(sampler.frames)
    assert pump(lambda: len(sampler.frames) > count + 10, 10)
    sampler.grab(False)
    pump(seconds=0.3)
sampler.quit()

lock_in = opened("PitayadIQ", 0)


def tune() -> None:
    """The generator at the frequency of the lock-ins."""
    put("asg0", frequency=FREQUENCY)
    for name in ("iq0", "iq1"):
        put(name, input="in1", frequency=FREQUENCY)
    put("iqs", modules="iq0,iq1", duration=2e-4)


with check("PitayadIQ: I, Q, amplitude and phase of several lock-ins"):
    tune()
    assert pump(lambda: lock_in.setting("board", "modules").value() == "iq0, iq1", 5)
    values = lock_in.values(30)
    assert list(values) == ["I", "Q", "Amplitude", "Phase"] and list(values["I"]) == ["iq0", "iq1"], values
    for name in ("iq0", "iq1"):
        near(values["Amplitude"][name], 0.5, 0.01)
        near(np.hypot(values["I"][name], values["Q"][name]), values["Amplitude"][name], 1e-9)
    assert [part.units for part in lock_in.frames[-1]] == ["V", "V", "V", "deg"]

with check("PitayadIQ: the settings of the lock-ins are there too, from both sides; the phase turns with them"):
    both_ways(lock_in, "iq0", "phase", 30.0, 0.0, "iq0")
    lock_in.setting("board", "iq0", "phase").setValue(90.0)
    assert wait_for(lambda: abs(present("iq0", "phase") - 90) < 0.01)
    turned = lock_in.values(30)
    by = (turned["Phase"]["iq0"] - values["Phase"]["iq0"]) % 360
    near(by, 90, 1)
    near((turned["Phase"]["iq1"] - values["Phase"]["iq1"] + 180) % 360 - 180, 0, 1)
    both_ways(lock_in, "iqs", "duration", 4e-4, 2e-4)

with check("PitayadIQ: the daemon comes back"):
    comes_back(lock_in)
    tune()
    near(lock_in.values(30)["Amplitude"]["iq1"], 0.5, 0.01)
lock_in.quit()

analyzer = opened("PitayadNetworkAnalyzer", 1)
SWEEP = {"input": "iq2", "start_freq": 1e4, "stop_freq": 1e6, "points": 100, "rbw": 1e4, "amplitude": 0.2}

with check("PitayadNetworkAnalyzer: magnitude and phase, which fill while it sweeps"):
    put("networkanalyzer", **SWEEP)
    assert pump(lambda: analyzer.setting("board", "points").value() == 100, 5)
    interim.clear()
    curve = analyzer.measure(60)
    by_name = {part.name: part for part in curve}
    magnitude, phase = by_name["Magnitude"], by_name["Phase"]
    assert (magnitude.units, phase.units, magnitude.size) == ("", "deg", 100), magnitude
    axis = magnitude.get_axis_from_index(0)[0]
    assert (axis.label, axis.units) == ("Frequency", "Hz")
    near(axis.get_data()[0], 1e4, 1)
    near(axis.get_data()[-1], 1e6, 1)
    # The lock-in looks at its own sine.
    assert np.allclose(np.asarray(magnitude.data[0]), 1, atol=0.05), magnitude.data[0]
    shown = [part.name for part in curve if part.extra_attributes and getattr(part, "do_plot", True)]
    assert shown == ["Magnitude", "Phase"], shown
    lengths = [data[0].size for data in interim]
    note(f"{len(lengths)} interim curves of {lengths} points")
    assert len(lengths) >= 2 and lengths == sorted(lengths) and lengths[-1] <= 100, lengths
    last = interim[-1]
    assert [part.name for part in last] == ["Magnitude", "Phase"]
    assert np.allclose(last[0].data[0], np.asarray(magnitude.data[0])[: last[0].size], rtol=1e-6)

with check("PitayadNetworkAnalyzer: stopped in the middle of a sweep; settings from both sides; the daemon comes back"):
    put("networkanalyzer", rbw=20)

    def sweeping() -> bool:
        return elsewhere.status()["acquisitions"]["networkanalyzer"] is not None

    def stopped() -> float:
        analyzer.module.snap()
        assert pump(sweeping, 10)
        took = analyzer.stop()
        assert wait_for(lambda: not sweeping())
        return took

    note(f"stopped in {soon(stopped, 0.5) * 1e3:.0f} ms")
    assert present("iq2", "amplitude") == 0
    put("networkanalyzer", **{**SWEEP, "points": 5})
    both_ways(analyzer, "networkanalyzer", "points", 7, 5)
    comes_back(analyzer)
    put("networkanalyzer", **{**SWEEP, "points": 5})
    assert analyzer.measure(30)[0].size == 5
analyzer.quit()

spectrum = opened("PitayadSpectrum", 1)

with check("PitayadSpectrum: a line where the generator plays, of its height"):
    put("spectrumanalyzer", span=125e6 / 64, window="flattop", display_unit="Vpk", zero_padding=1)
    put("spectrumanalyzer", input1_baseband="in1", display_input1_baseband=True)
    put("asg0", frequency=2e5)
    assert pump(lambda: spectrum.setting("board", "window").value() == "flattop", 5)
    data = spectrum.measure(20)[0]
    line = np.asarray(data.data[0])
    frequencies = data.get_axis_from_index(0)[0].get_data()
    assert data.units == "V" and data.labels == ["in1"], data
    near(frequencies[int(np.argmax(line))], 2e5, 200)
    near(float(line.max()), 0.5, 0.01)

with check("PitayadSpectrum: settings from both sides; the daemon comes back"):
    both_ways(spectrum, "spectrumanalyzer", "trace_average", 2, 1)
    comes_back(spectrum)
    assert spectrum.measure(20)[0].size > 1000
spectrum.quit()

elsewhere.close()

with check("the daemon ends cleanly"):
    assert daemon.stop() == 0

checks.leave()
