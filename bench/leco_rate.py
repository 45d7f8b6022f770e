"""Frames per second that a stock LECODirector of PyMoDAQ 5.3 acknowledges in a continuous grab of 2 x 512 points.

    python leco_rate.py actor PORT
        a stock DAQ_Viewer with the stock mock, connected to the Coordinator at PORT as the actor `mock`
    python leco_rate.py director PORT ACTOR SECONDS
        a stock DAQ_Viewer with LECODirector; prints one JSON line

Nothing of ours is needed in the environment. Run by bench/leco.ts.
"""

import json
import os
import sys
import tempfile
import time

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["HOME"] = tempfile.mkdtemp(prefix="pitayad-bench-")

from pymodaq.control_modules.daq_viewer_ui.viewer_selector import SelectedModule
from pymodaq.utils.gui_utils.loader_utils import create_load_daq_viewer
from pymodaq.utils.leco import daq_xDviewer_LECODirector
from pymodaq_gui.qt_utils import mkQApp
from qtpy import QtCore

POINTS = 512
app = mkQApp("bench")


def pump(until, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        app.processEvents(QtCore.QEventLoop.AllEvents, 5)
        if until():
            return True
        time.sleep(0.0002)
    return until()


def viewer_with(plugin: str):
    shared, viewer = create_load_daq_viewer(title="bench")
    viewer.detector = SelectedModule("DAQ1D", plugin)
    # Drawing would be measured, on both sides.
    viewer.settings.child("main_settings", "show_data").setValue(False)
    return shared, viewer


def actor(port: int) -> None:
    _shared, viewer = viewer_with("Mock")
    viewer.init_hardware_ui(True)
    if not pump(lambda: viewer.initialized_state, 30):
        raise SystemExit("the mock did not initialise")
    options = viewer.settings.child("main_settings", "leco")
    options.child("leco_name").setValue("mock")
    options.child("host").setValue("127.0.0.1")
    options.child("port").setValue(port)
    viewer.connect_leco(True)
    print("ready", flush=True)
    while True:
        pump(lambda: False, 60)


def director(port: int, name: str, seconds: float) -> None:
    frames: list[tuple[float, int]] = []
    stock = daq_xDviewer_LECODirector.DAQ_xDViewer_LECODirector.set_data

    def set_data(self, data, additional_payload=None) -> None:
        frames.append((time.monotonic(), len(additional_payload[0])))
        stock(self, data, additional_payload)

    daq_xDviewer_LECODirector.DAQ_xDViewer_LECODirector.set_data = set_data
    _shared, viewer = viewer_with("LECODirector")
    settings = viewer.settings.child("detector_settings")
    settings.child("actor_name").setValue(name)
    settings.child("host").setValue("127.0.0.1")
    settings.child("port").setValue(port)
    viewer.init_hardware_ui(True)
    mirrored = settings.child("settings_client")
    if not pump(lambda: viewer.initialized_state and bool(mirrored.children()), 30):
        raise SystemExit("the director did not initialise")
    pump(lambda: False, 0.5)
    if "points" in mirrored.names:
        mirrored.child("points").setValue(POINTS)
        pump(lambda: False, 0.5)
    shape: list[tuple[int, ...]] = []
    viewer.grab_done_signal.connect(lambda dte: shape.append((len(dte[0].data), dte[0].data[0].size)))
    viewer.snap()
    if not pump(lambda: shape, 20):
        raise SystemExit("no data came")
    pump(lambda: False, 0.5)
    viewer.grab()
    if not pump(lambda: len(frames) > 5, 20):
        raise SystemExit("no data came while grabbing")
    first, start = len(frames), time.monotonic()
    pump(lambda: False, seconds)
    count, took = len(frames) - first, time.monotonic() - start
    viewer.stop_grab()
    end = time.monotonic()
    pump(lambda: False, 2)
    late = sum(moment > end + 0.5 for moment, _ in frames)
    result = {"frames_per_second": count / took, "late": late, "shape": shape[-1], "bytes": frames[-1][1]}
    print(json.dumps(result), flush=True)
    os._exit(0)


if sys.argv[1] == "actor":
    actor(int(sys.argv[2]))
else:
    director(int(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
