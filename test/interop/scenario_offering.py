"""A stock DAQ_Viewer and DAQ_Move whose user entered the board's address under "TCP/IP options".

That offers the module itself as an instrument, which is of no use to a board. It must be told off in a way that leaves
PyMoDAQ alive: after an orderly close its thread would spin for ever.
"""

from __future__ import annotations

import time
from typing import Any

import checks
from checks import check, note
from daemon import Daemon, wait_for
from windowless import VERSION, pump

checks.watchdog(150)


def cpu(seconds: float = 2.0) -> float:
    """Processor time that this process takes, in cores, while nobody does anything."""
    start, used = time.monotonic(), time.process_time()
    # Seldom enough for Qt's own work to be nothing, often enough for its signals to arrive.
    while time.monotonic() - start < seconds:
        pump(seconds=0.002)
        time.sleep(0.2)
    return (time.process_time() - used) / (time.monotonic() - start)


def viewer() -> Any:
    """With PyMoDAQ's own simulated detector."""
    from pymodaq.control_modules.daq_viewer import DAQ_Viewer

    module = DAQ_Viewer(None, title="offered", daq_type="DAQ1D")
    module.detector = "Mock"
    return module


def mover() -> Any:
    """With PyMoDAQ's own simulated actuator."""
    from pymodaq.control_modules.daq_move import DAQ_Move

    module = DAQ_Move(None, title="offered")
    module.actuator = "Mock"
    return module


def warnings(daemon: Daemon) -> list[dict[str, Any]]:
    """What the daemon said of modules that offer themselves."""
    return [line for line in daemon.lines if "TCP/IP options" in str(line.get("msg"))]


def left(daemon: Daemon) -> list[str]:
    """Clients that are gone."""
    return [line["client"] for line in daemon.lines if line.get("msg") == "disconnected"]


if VERSION >= (5, 2):
    with check("this PyMoDAQ has no TCP/IP options any more"):
        assert "tcpip" not in viewer().settings.child("main_settings").names
    checks.leave()

daemon = Daemon()
# Kept: PyMoDAQ ends the whole process when a module goes whose thread still runs.
modules = []
for what, make in (("DAQ_Viewer", viewer), ("DAQ_Move", mover)):
    module = make()
    modules.append(module)
    module.init_hardware(True)
    assert pump(lambda module=module: module.initialized_state, 20), "the mock was not initialised"
    idle = cpu()
    options = module.settings.child("main_settings", "tcpip")
    options.child("port").setValue(daemon.port)
    options.child("ip_address").setValue("127.0.0.1")
    before = len(warnings(daemon))

    with check(f"a {what} that offers itself is recognised, and the log says what to do"):
        options.child("connect_server").setValue(True)
        pump(lambda before=before: len(warnings(daemon)) > before, 10)
        [line] = warnings(daemon)[before:]
        assert "PitayadScope or PitayadASG plug-in" in line["msg"], line
        assert wait_for(lambda line=line: line["client"] in left(daemon), 10), "it is still connected"

    with check(f"its PyMoDAQ is idle afterwards ({what})"):
        after = cpu()
        note(f"{what}: {idle:.2f} cores before, {after:.2f} after")
        assert after < idle + 0.15, f"{after:.2f} cores, {idle:.2f} before"

    with check(f"the board serves others meanwhile ({what})"):
        assert daemon.get("asg0")["amplitude"] is not None

daemon.stop()
checks.leave()
