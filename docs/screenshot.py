"""Makes the pictures of docs/images with a real PyMoDAQ and a running (simulated) board: run it with each version.

    QT_QPA_PLATFORM=offscreen python docs/screenshot.py HOST:PORT docs/images

scope.png (of 5.3 alone): a DAQ_Viewer. dashboard-V.png: the preset. scan-V.png: a scan of the generator's frequency.
"""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent / "deploy" / "pymodaq_plugins_pitayad" / "examples"
PRESET = "pitayad"
LOCK_IN_AT = 5e4
EVEN = 125e6 / 4096
"""On the grids of generator and lock-in, so that the phase stays."""


def main(address: str, folder: str) -> None:
    pictures = Path(folder).resolve()
    short = ".".join(version("pymodaq").split(".")[:2])
    # Before PyMoDAQ is imported: plug-ins read their configuration once.
    command = [sys.executable, "-m", "pymodaq_plugins_pitayad.presets.command", "install", PRESET, "--board", address]
    subprocess.run(command, check=True)
    sys.path.insert(0, str(EXAMPLES))
    import scan as example
    from pymodaq_plugins_pitayad import Board
    from pymodaq_plugins_pitayad.hardware.discovery import neighbourhood
    from qtpy import QtWidgets

    # The address is given: nothing is asked of the network.
    neighbourhood.start = lambda: None
    with Board(address) as board:
        example.prepare(board, LOCK_IN_AT)
        board.asg0.frequency = board.iq0.frequency = EVEN
        board.asg1.set(
            waveform="square", frequency=1e4, amplitude=0.4, output_direct="out2", trigger_source="immediately"
        )
        board.scope.set(decimation=1, trigger_source="ch1_positive_edge", threshold=0, input1="in1", input2="in2")

    def keep(window: QtWidgets.QWidget, name: str) -> None:
        example.pump(seconds=1.0)
        path = pictures / name
        window.grab().save(str(path))
        print(path, path.stat().st_size)

    if example.build.EXPERIMENTS:
        keep(scope(example, address), "scope.png")
    dashboard = example.open_dashboard(PRESET)
    if example.build.EXPERIMENTS:
        dashboard.mainwindow.resize(1400, 800)
    modules = example.modules(dashboard)
    for name in ("Scope", "Lock-in"):
        modules[name].ui.get_action("grab").trigger()
    example.pump(seconds=6.0)
    for name in ("Scope", "Lock-in"):
        modules[name].ui.get_action("grab").trigger()
    example.pump(seconds=1.0)
    keep(dashboard.mainwindow, f"dashboard-{short}.png")

    with Board(address) as board:
        example.prepare(board, LOCK_IN_AT)
    scan = example.open_scan(dashboard, "Generator", ["Lock-in"], 3e4, 7e4, 2.5e3)
    window = scan.mainwindow
    if example.build.EXPERIMENTS:
        scan.modules_manager.probe_detectors()
    scan.plot_from()
    shown = scan.settings["plot_options", "plot_0d"]
    chosen = [name for name in shown["all_items"] if "Amplitude" in name]
    scan.settings.child("plot_options", "plot_0d").setValue({"all_items": shown["all_items"], "selected": chosen})
    example.pump(seconds=1.0)
    window.resize(1400, 800)
    print("file:", example.run(scan))
    keep(window, f"scan-{short}.png")
    sys.stdout.flush()
    os._exit(0)


def scope(example, address: str):
    """The window of a DAQ_Viewer that has grabbed."""
    from pymodaq.control_modules.daq_viewer import DAQ_Viewer
    from pymodaq_gui.utils.dock import DockArea
    from qtpy import QtWidgets

    window, area = QtWidgets.QMainWindow(), DockArea()
    window.setCentralWidget(area)
    window.setWindowTitle("PyMoDAQ")
    window.resize(1100, 560)
    window.show()
    viewer = DAQ_Viewer(window, title="Red Pitaya", daq_type="DAQ1D", area=area)
    window.kept_viewer = viewer
    viewer.detector = "PitayadScope"
    example.pump(seconds=0.5)
    viewer.settings.child("detector_settings", "connection", "address").setValue(address)
    viewer.init_hardware(True)
    if not example.pump(lambda: viewer.initialized_state, 15):
        raise SystemExit("not initialised")
    frames = []
    viewer.grab_done_signal.connect(frames.append)
    for _ in range(3):
        wanted = len(frames) + 1
        viewer.snap()
        if not example.pump(lambda wanted=wanted: len(frames) >= wanted, 10):
            raise SystemExit("no data")
    return window


main(*sys.argv[1:3])
