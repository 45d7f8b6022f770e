"""A DAQ_Scan in PyMoDAQ's dashboard, by program: the generator's frequency is scanned, scope and lock-in recorded.

    pitayad-presets install
    python scan.py [--start 2e4 --stop 1e5 --step 1e4]

The file is opened again, and what was recorded is compared with what the board says of itself. For PyMoDAQ 4.4, 5.1 and
5.3; with QT_QPA_PLATFORM=offscreen it needs no screen.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

import numpy as np
from qtpy import QtCore, QtWidgets

from pymodaq_plugins_pitayad import Board
from pymodaq_plugins_pitayad.presets import build

APP = build.mkQApp("scan")

SAVING = 200
"""Milliseconds after each point in PyMoDAQ 5.3, which saves it in a thread of its own. What is measured meanwhile may
get into the point that is being saved, and be missed by the scan: ``DataToExport.append`` is not for two threads.
"""


def pump(until: Callable[[], Any] = lambda: False, seconds: float = 10.0) -> bool:
    """Lets Qt work until it is true; whether it became true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        # Without a limit it would not come back while data come faster than they are drawn.
        APP.processEvents(QtCore.QEventLoop.AllEvents, 20)
        if until():
            return True
        time.sleep(0.002)
    return bool(until())


def open_dashboard(preset: str, seconds: float = 60.0) -> Any:
    """PyMoDAQ's dashboard with a preset (an experiment, in 5.3) that is in its folder; all modules initialised."""
    path = build.path_of(preset)
    if not path.exists():
        raise SystemExit(f"{path} is not there: run pitayad-presets install")
    if build.EXPERIMENTS:
        from pymodaq.dashboard import create_load_dashboard

        shared, dashboard = create_load_dashboard(show_dashboard=True)
        # Python would let go of the window.
        dashboard.kept_window = shared
        pump(seconds=0.5)
        dashboard.experiment_manager.update_entry()
        dashboard.experiment_manager.entry = preset
        dashboard.experiment_manager.execute_entry(path)
    else:
        from pymodaq.dashboard import DashBoard

        try:
            from pymodaq_gui.utils.dock import DockArea
        except ImportError:
            from pymodaq.utils.gui_utils.dock import DockArea
        window, area = QtWidgets.QMainWindow(), DockArea()
        window.setCentralWidget(area)
        window.resize(1400, 800)
        window.show()
        dashboard = DashBoard(area)
        dashboard.kept_window = window
        pump(seconds=0.5)
        dashboard.set_preset_mode(path)
    wanted = len(list_of_modules(path))

    def ready() -> bool:
        found = modules(dashboard)
        return len(found) == wanted and all(module.initialized_state for module in found.values())

    if not pump(ready, seconds):
        there = [name for name, module in modules(dashboard).items() if module.initialized_state]
        raise RuntimeError(f"of {wanted} modules only {there} are initialised")
    return dashboard


def list_of_modules(path: Path) -> list[Any]:
    """The modules that a preset file asks for."""
    from xml.etree import ElementTree

    root = ElementTree.parse(path).getroot()
    return [each for group in ("Moves", "Detectors", "actuator", "detector") for each in root.findall(f"{group}/*")]


def modules(dashboard: Any) -> dict[str, Any]:
    """Control modules by name."""
    return {module.title: module for module in [*dashboard.actuators_modules, *dashboard.detector_modules]}


def open_scan(
    dashboard: Any, actuator: str, detectors: Sequence[str], start: float, stop: float, step: float
) -> Any:
    """The scan extension, with a linear scan of one actuator."""
    if build.EXPERIMENTS:
        from pymodaq.extensions import ExtensionEnum

        scan = dashboard.load_extension(ExtensionEnum.SCANNER)
        scan.override_popups(False)
        scan.settings.child("time_flow", "wait_time").setValue(SAVING)
    else:
        from pymodaq.extensions import daq_scan

        # It would ask for the names of author and sample in a window.
        daq_scan.SHOW_POPUPS = False
        scan = dashboard.load_scan_module()
    pump(seconds=0.5)
    scan.modules_manager.selected_detectors_name = list(detectors)
    scan.modules_manager.selected_actuators_name = [actuator]
    pump(seconds=0.2)
    scan.scanner.set_scan_type_and_subtypes("Scan1D", "Linear")
    for name, value in (("start", start), ("stop", stop), ("step", step)):
        scan.scanner.scanner.settings.child(name).setValue(value)
    pump(seconds=0.2)
    return scan


def run(scan: Any, seconds: float = 120.0) -> Path:
    """Runs it; gives the path of the file."""
    done: list[bool] = []
    if build.EXPERIMENTS:
        # Not the end of the scan: then some points may still have to be saved.
        scan.scan_acquisition.workers_terminated.connect(lambda: done.append(True))
    scan.start_scan()
    path = Path(str(scan.h5saver.settings["current_h5_file"]))
    if not pump(lambda: done or (not build.EXPERIMENTS and scan.ui.is_action_enabled("start")), seconds):
        raise RuntimeError(f"the scan was not done within {seconds} s")
    pump(seconds=0.5)
    scan.h5saver.close_file()
    return path.resolve()


def read(path: Path) -> dict[str, Any]:
    """Data of the last scan in the file, as ``Detector/Quantity``: PyMoDAQ's objects, with the scanned axis first."""
    try:
        from pymodaq_data.data import DataToExport
        from pymodaq_data.h5modules.data_saving import DataLoader
        from pymodaq_data.h5modules.saving import H5SaverLowLevel
    except ImportError:
        from pymodaq.utils.data import DataToExport
        from pymodaq.utils.h5modules.data_saving import DataLoader
        from pymodaq.utils.h5modules.saving import H5SaverLowLevel
    file = H5SaverLowLevel()
    file.init_file(Path(path), new_file=False)
    try:
        last = sorted(name for name in file.get_node("/RawData").children() if name.startswith("Scan"))[-1]
        loaded = DataToExport("scan")
        DataLoader(file).load_all(f"/RawData/{last}", loaded)
        return {f"{data.origin}/{data.name}": data for data in loaded}
    finally:
        file.close_file()


def prepare(board: Board, lock_in_at: float) -> None:
    """A sine at out1; scope and lock-in look at in1, to which out1 is wired. 0.2 ms are whole periods of 5 kHz."""
    board.asg0.set(waveform="sin", amplitude=0.5, offset=0, output_direct="out1", trigger_source="immediately")
    board.scope.set(input1="in1", ch1_active=True, decimation=64, trigger_source="immediately", average=True)
    board.scope.set(trace_average=1, rolling_mode=False)
    board.iq0.set(input="in1", frequency=lock_in_at, bandwidth=[0], acbandwidth=0, amplitude=0, gain=0)
    board.iqs.set(modules="iq0", duration=2e-4)


def compared(recorded: dict[str, Any], lock_in_at: float) -> list[tuple[float, float, float, float]]:
    """Rows: scanned frequency, that of the trace; amplitude at the lock-in's frequency by lock-in, by trace."""
    scope, amplitude = recorded["Scope/Scope"], recorded["Lock-in/Amplitude"]
    axes = {axis.label: axis.get_data() for axis in scope.axes}
    times = axes.pop("Time")
    (scanned,) = axes.values()
    traces = np.asarray(scope.data[scope.labels.index("ch1")])
    locked = np.asarray(amplitude.data[amplitude.labels.index("iq0")])
    rows = []
    for frequency, trace, by_lock_in in zip(scanned, traces, locked):
        spectrum = np.abs(np.fft.rfft(trace * np.hanning(len(trace))))
        peak = int(np.argmax(spectrum[1:])) + 1
        before, at, after = np.log(spectrum[peak - 1 : peak + 2] + 1e-30)
        place = peak + 0.5 * (before - after) / (before - 2 * at + after)
        of_trace = place / (len(trace) * (times[1] - times[0]))
        window = 2 * np.hanning(len(trace)) / np.hanning(len(trace)).sum()
        by_trace = abs(np.sum(trace * window * np.exp(-2j * np.pi * lock_in_at * times)))
        rows.append((float(frequency), float(of_trace), float(by_lock_in), float(by_trace)))
    return rows


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="pitayad")
    parser.add_argument("--board", default="", help="that of the preset; without it: the only one on the network")
    parser.add_argument("--start", type=float, default=2e4, help="Hz")
    parser.add_argument("--stop", type=float, default=8e4, help="Hz")
    parser.add_argument("--step", type=float, default=1e4, help="Hz")
    parser.add_argument("--lock-in-at", type=float, default=5e4, help="Hz")
    options = parser.parse_args()
    with Board(options.board) as board:
        prepare(board, options.lock_in_at)
    dashboard = open_dashboard(options.preset)
    scan = open_scan(dashboard, "Generator", ["Scope", "Lock-in"], options.start, options.stop, options.step)
    path = run(scan)
    print(path)
    print("scanned (Hz)  of the trace (Hz)  by lock-in (V)  by trace (V)")
    for frequency, of_trace, by_lock_in, by_trace in compared(read(path), options.lock_in_at):
        print(f"{frequency:12.1f}  {of_trace:17.1f}  {by_lock_in:14.4f}  {by_trace:12.4f}")
    sys.stdout.flush()
    # PyMoDAQ's threads may hang while Python ends.
    os._exit(0)


if __name__ == "__main__":
    main()
