"""A real dashboard of stock PyMoDAQ 5.3 with LECODirector plug-ins, and the board as its own LECO Coordinator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import checks
from checks import check, note
from daemon import Daemon, free_port
from mirrored import nothing_of_ours
from windowless import pump

checks.watchdog(280)

from pymodaq.dashboard import create_load_dashboard  # noqa: E402
from pymodaq.utils.config import get_set_experiment_path  # noqa: E402
from pymodaq.utils.managers.experiment.experiment_manager import ExperimentManager  # noqa: E402
from pymodaq.utils.managers.modules.utils import ModuleType  # noqa: E402
from pymodaq_gui.parameter import Parameter, ioxml  # noqa: E402

ACTORS = {"scope": "scope", "mean": "sampler", "frequency": "asg0_frequency", "setpoint": "pid0"}
"""Modules of the experiment, and the actor of each."""

port = free_port()
daemon = Daemon(more=["--leco", f"127.0.0.1:{port}"])
daemon.play()


def write_experiment(name: str) -> Path:
    """As PyMoDAQ's editor of experiments would; settings of plug-ins are not part of one."""
    top = Parameter.create(title="Experiment", name="Preset", type="group", children=ExperimentManager.params)

    def add(group: str, plugin: tuple[str, ...], title: str) -> None:
        top.child(group).addNew(plugin)
        entry = top.child(group).children()[-1]
        entry.child("name").setValue(title)
        entry.child("info", "init").setValue(False)

    for title in ("frequency", "setpoint"):
        add(ModuleType.Actuator.value, ("", "LECODirector"), title)
    add(ModuleType.Detector.value, ("DAQ1D", "", "LECODirector"), "scope")
    add(ModuleType.Detector.value, ("DAQ0D", "", "LECODirector"), "mean")
    path = Path(get_set_experiment_path()).joinpath(f"{name}.xml")
    ioxml.parameter_to_xml_file(top, path, overwrite=True)
    return path


nothing_of_ours()

shared, dashboard = create_load_dashboard(show_dashboard=True)
pump(seconds=0.5)
modules: dict[str, Any] = {}

with check("the experiment loads, and all its modules are initialised with an address and a name each"):
    path = write_experiment("leco_board")
    dashboard.experiment_manager.update_entry()
    dashboard.experiment_manager.entry = "leco_board"
    dashboard.experiment_manager.execute_entry(path)
    loaded = lambda: [*dashboard.actuators_modules, *dashboard.detector_modules]  # noqa: E731
    assert pump(lambda: len(loaded()) == len(ACTORS), 60), loaded()
    modules = {module.title: module for module in loaded()}
    for title, module in modules.items():
        group = "actuator_settings" if "actuator_settings" in module.settings.names else "detector_settings"
        settings = module.settings.child(group)
        settings.child("actor_name").setValue(ACTORS[title])
        settings.child("host").setValue("127.0.0.1")
        settings.child("port").setValue(port)
        # A director gives its actor a second, which is short on a machine that is busy otherwise.
        for _ in range(3):
            module.init_hardware(True)
            if pump(lambda module=module: module.initialized_state, 15):
                break
        assert module.initialized_state, f"{title} is not initialised"
    units = {title: modules[title].units for title in ("frequency", "setpoint")}
    assert pump(lambda: modules["frequency"].units == "mHz" and modules["setpoint"].units == "uV", 15), units


def snap(title: str) -> Any:
    """The data of one snap."""
    got: list[Any] = []
    slot = got.append
    modules[title].grab_done_signal.connect(slot)
    modules[title].snap()
    assert pump(lambda: got, 15), f"{title}: no data"
    modules[title].grab_done_signal.disconnect(slot)
    return got[-1][0]


def move(title: str, value: float) -> float:
    """Where it ended."""
    got: list[Any] = []
    slot = got.append
    modules[title].move_done_signal.connect(slot)
    modules[title].move_abs(value)
    assert pump(lambda: got, 15), f"{title}: no end of the move"
    modules[title].move_done_signal.disconnect(slot)
    return float(got[-1].value(modules[title].units))


with check("each detector gives its data, each actuator moves"):
    trace, mean = snap("scope"), snap("mean")
    note(repr(trace), repr(mean))
    assert len(trace.data[0]) >= 16382 and trace.units == "V" and mean.dim.name == "Data0D"
    assert abs(move("frequency", 5e6) - 5e6) < 120
    assert abs(daemon.get("asg0")["frequency"] - 5e3) < 0.12
    assert abs(move("setpoint", 250_000) - 250_000) < 62
    assert abs(daemon.get("pid0")["setpoint"] - 0.25) < 1e-4

modules["scope"].settings.child("detector_settings", "settings_client", "points").setValue(512)
pump(seconds=0.5)

# As fast as they can, two detectors bring more than a dashboard draws on a busy machine, and it gets to nothing else.
daemon.set("scope", decimation=1024)
daemon.set("sampler", duration=0.2)

with check("all at once: both detectors grab while the actuators move"):
    counts: dict[str, list[Any]] = {"scope": [], "mean": []}
    for title, frames in counts.items():
        modules[title].grab_done_signal.connect(frames.append)
        modules[title].grab_data(grab_state=True, snap_state=False)
    for step in range(3):
        assert abs(move("frequency", 1e6 * (step + 1)) - 1e6 * (step + 1)) < 120
        pump(seconds=0.2)
    assert pump(lambda: all(len(frames) > 1 for frames in counts.values()), 20), counts
    for title in counts:
        modules[title].stop_grab()
    note({title: len(frames) for title, frames in counts.items()}, "frames")
    pump(seconds=1)

daemon.stop()
checks.leave()
