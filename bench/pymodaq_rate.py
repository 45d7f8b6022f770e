"""Frames per second that reach a user in a real DAQ_Viewer (continuous grab, no window).

    python pymodaq_rate.py stock SECONDS
        the stock TCPServer plug-in of PyMoDAQ 4.4, fed by a client in this process
    python pymodaq_rate.py pitayad SECONDS HOST PORT
        our PitayadScope plug-in, fed by a running daemon

Both get the same data, 2 x 16384 float64 and an axis. Prints one JSON line. Run by bench/service.ts.
"""

import json
import os
import socket
import sys
import tempfile
import threading
import time

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["HOME"] = tempfile.mkdtemp(prefix="pitayad-bench-")

import numpy as np
from pymodaq.utils.data import Axis, DataRaw, DataToExport
from qtpy import QtWidgets

POINTS = 16384


def pump(app: QtWidgets.QApplication, until, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        app.processEvents()
        if until():
            return True
        time.sleep(0.0005)
    return until()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def feed_stock_server(port: int) -> None:
    """A client of the stock server, as its protocol wants it: type word, settings, then `Done` for every request."""
    from pymodaq.utils.tcp_ip.serializer import Serializer

    time_axis = Axis("Time", "s", data=np.arange(POINTS) * 8e-9)
    sine = 0.8 * np.sin(np.arange(POINTS) / 100)
    data = DataToExport(
        "Scope", data=[DataRaw("Scope", units="V", data=[sine, -sine], labels=["ch1", "ch2"], axes=[time_axis])]
    )
    done = Serializer("Done").to_bytes() + Serializer(data).to_bytes()
    infos = b'<Settings title="Settings" type="group" visible="1" removable="0" readonly="0"></Settings>'
    link = socket.create_connection(("127.0.0.1", port))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.sendall(Serializer("GRABBER").to_bytes() + Serializer("Infos").to_bytes() + Serializer(infos).to_bytes())
    word = Serializer("Send Data 1D").to_bytes()
    heard = b""
    while chunk := link.recv(65536):
        heard += chunk
        while word in heard:
            heard = heard.split(word, 1)[1]
            link.sendall(done)


def main() -> None:
    kind, seconds = sys.argv[1], float(sys.argv[2])
    app = QtWidgets.QApplication.instance() or QtWidgets.QApplication(sys.argv[:1])
    from pymodaq.control_modules.daq_viewer import DAQ_Viewer

    if kind != "stock":
        from pymodaq_plugins_pitayad.hardware.discovery import neighbourhood

        # The address is given: nothing is asked of the network.
        neighbourhood.start = lambda: None
    viewer = DAQ_Viewer(None, title="bench", daq_type="DAQ1D")
    viewer.detector = "TCPServer" if kind == "stock" else "PitayadScope"
    pump(app, lambda: False, 0.2)
    if kind == "stock":
        port = free_port()
        viewer.settings.child("detector_settings", "socket_ip").setValue("127.0.0.1")
        viewer.settings.child("detector_settings", "port_id").setValue(port)
    else:
        viewer.settings.child("detector_settings", "connection", "address").setValue(f"{sys.argv[3]}:{sys.argv[4]}")
    frames: list[int] = []
    viewer.grab_done_signal.connect(lambda dte: frames.append(dte[0].data[0].size))
    viewer.init_hardware(True)
    if not pump(app, lambda: viewer.initialized_state, 20):
        raise SystemExit("the plug-in did not initialise")
    if kind == "stock":
        threading.Thread(target=feed_stock_server, args=(port,), daemon=True).start()
        pump(app, lambda: False, 1.0)
    viewer.grab_data(grab_state=True)
    if not pump(app, lambda: len(frames) > 2, 20):
        raise SystemExit("no data came")
    first, start = len(frames), time.monotonic()
    pump(app, lambda: False, seconds)
    count, took = len(frames) - first, time.monotonic() - start
    print(json.dumps({"kind": kind, "frames_per_second": count / took, "points": frames[-1]}), flush=True)
    os._exit(0)


main()
