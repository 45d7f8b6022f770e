"""Makes docs/images/scope.png: a real DAQ_Viewer of PyMoDAQ 5.3 with PitayadScope, on a running (simulated) board.

    QT_QPA_PLATFORM=offscreen python docs/screenshot.py HOST:PORT docs/images/scope.png
"""

import os
import sys
import time

from pymodaq.control_modules.daq_viewer import DAQ_Viewer
from pymodaq_gui.qt_utils import mkQApp
from pymodaq_gui.utils.dock import DockArea
from pymodaq_plugins_pitayad import Board
from pymodaq_plugins_pitayad.hardware.discovery import neighbourhood
from qtpy import QtWidgets


def main(address: str, picture: str) -> None:
    with Board(address) as board:
        board.asg0.set(
            waveform="sin", frequency=2e4, amplitude=0.8, output_direct="out1", trigger_source="immediately"
        )
        board.asg1.set(
            waveform="square", frequency=1e4, amplitude=0.4, output_direct="out2", trigger_source="immediately"
        )
        board.scope.set(decimation=1, trigger_source="ch1_positive_edge", threshold=0, input1="in1", input2="in2")
    # The address is given: nothing is asked of the network.
    neighbourhood.start = lambda: None
    app = mkQApp("screenshot")
    window, area = QtWidgets.QMainWindow(), DockArea()
    window.setCentralWidget(area)
    window.setWindowTitle("PyMoDAQ")
    window.resize(1100, 560)
    window.show()
    viewer = DAQ_Viewer(window, title="Red Pitaya", daq_type="DAQ1D", area=area)
    viewer.detector = "PitayadScope"

    def pump(until, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            app.processEvents()
            time.sleep(0.005)
        return until()

    pump(lambda: False, 0.5)
    viewer.settings.child("detector_settings", "connection", "address").setValue(address)
    viewer.init_hardware(True)
    if not pump(lambda: viewer.initialized_state, 15):
        raise SystemExit("not initialised")
    frames = []
    viewer.grab_done_signal.connect(frames.append)
    for _ in range(3):
        wanted = len(frames) + 1
        viewer.snap()
        if not pump(lambda: len(frames) >= wanted, 10):
            raise SystemExit("no data")
    pump(lambda: False, 1.0)
    window.grab().save(picture)
    print(picture)
    sys.stdout.flush()
    os._exit(0)


main(*sys.argv[1:3])
