"""A plan as the file that the installed PyMoDAQ reads: made by PyMoDAQ's own groups, written by its own writer.

PyMoDAQ 4 and 5.1 call it a preset, which has all settings of all plug-ins. An experiment of 5.3 has none: there the
board comes from the plug-ins' configuration, or is the only one on the network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..parameters import CHOICE
from .plan import Plan, Planned

try:
    from pymodaq_gui.parameter import Parameter, ioxml
except ImportError:
    from pymodaq.utils.parameter import Parameter, ioxml

try:
    from pymodaq.utils.config import get_set_experiment_path as folder

    EXPERIMENTS = True
except ImportError:
    from pymodaq.utils.config import get_set_preset_path as folder

    EXPERIMENTS = False

try:
    from pymodaq_gui.qt_utils import mkQApp
except ImportError:
    try:
        from pymodaq_gui.utils.utils import mkQApp
    except ImportError:
        from pymodaq.utils.gui_utils.utils import mkQApp

PYMODAQ_5 = Parameter.__module__.startswith("pymodaq_gui") or ioxml.__name__.startswith("pymodaq_gui")

CONTROLLER = 6341
"""Number of the first module's connection; each has one of its own.

Slaves would share the master's connection, and in PyMoDAQ 5.3 its thread as well: of two detectors in one thread that
grab continuously, one stands still.
"""


def path_of(name: str) -> Path:
    """Where PyMoDAQ looks for a preset of this name."""
    return Path(folder()) / f"{name}.xml"


def write(plan: Plan, name: str, board: str = "") -> Path:
    """Writes the file, in place of one of that name. ``board``: as typed under *Board*; empty: the only one."""
    mkQApp("pitayad-presets")
    top = _experiment(plan) if EXPERIMENTS else _preset(plan, name, board)
    path = path_of(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    ioxml.parameter_to_xml_file(top, path, overwrite=True)
    return path


def _argument(module: Planned) -> Any:
    """What PyMoDAQ's groups want to be told for a new member."""
    if module.dimension is None:
        return ("", module.plugin) if PYMODAQ_5 else module.plugin
    detector = f"DAQ{module.dimension}D"
    return (detector, "", module.plugin) if PYMODAQ_5 else f"{detector}/{module.plugin}"


def _add(group: Any, module: Planned) -> Any:
    before = len(group.children())
    group.addNew(_argument(module))
    if len(group.children()) == before:
        raise LookupError(f"PyMoDAQ does not find the plug-in of {module}")
    added = group.children()[-1]
    added.child("name").setValue(module.name)
    return added


def _preset(plan: Plan, name: str, board: str) -> Any:
    """PyMoDAQ 4 and 5.1."""
    import pymodaq.utils.managers.preset_manager_utils  # noqa: F401, knows groupmove and groupdet

    head = [{"title": "Filename:", "name": "filename", "type": "str", "value": name}]
    if not PYMODAQ_5:
        head += [
            {"title": "Use PID as actuator:", "name": "use_pid", "type": "bool", "value": False},
            {"title": "PID models:", "name": "pid_models", "type": "list", "visible": False, "limits": []},
        ]
    groups = [
        {"title": "Model Settings:", "name": "model_settings", "type": "group", "visible": False, "children": []},
        {"title": "Moves:", "name": "Moves", "type": "groupmove"},
        {"title": "Detectors:", "name": "Detectors", "type": "groupdet"},
    ]
    top = Parameter.create(title="Preset", name="Preset", type="group", children=head + groups)
    for number, module in enumerate(plan.modules):
        added = _add(top.child("Moves" if module.dimension is None else "Detectors"), module)
        params = added.child("params")
        params.child("main_settings", "module_name").setValue(module.name)
        settings = params.child("move_settings" if module.dimension is None else "detector_settings")
        _found(params, "controller_ID").setValue(CONTROLLER + number)
        if module.axis:
            _found(settings, "axis").setValue(module.axis)
        settings.child(CHOICE, "address").setValue(board)
    _give_values(top)
    return top


def _experiment(plan: Plan) -> Any:
    """PyMoDAQ 5.3."""
    from pymodaq.utils.managers.experiment.experiment_manager import ExperimentManager
    from pymodaq.utils.managers.modules.utils import ModuleType

    top = Parameter.create(title="Experiment", name="Preset", type="group", children=ExperimentManager.params)
    for number, module in enumerate(plan.modules):
        kind = ModuleType.Actuator if module.dimension is None else ModuleType.Detector
        controller = _add(top.child(kind.value), module).child("controller")
        controller.child("controller_ID").setValue(CONTROLLER + number)
        if module.axis:
            controller.child("axis").setValue(module.axis)
    return top


def _found(parent: Any, name: str) -> Any:
    """The first parameter below of that name: its place differs between versions."""
    for child in parent.children():
        if child.name() == name:
            return child
        if child.hasChildren():
            try:
                return _found(child, name)
            except LookupError:
                continue
    raise LookupError(f"there is no {name} in {parent.name()}")


def _give_values(parent: Any) -> None:
    """To buttons: PyMoDAQ 5.1 presses those that a preset has no value for, and waits in a window for ever."""
    for child in parent.children():
        if child.opts["type"] in ("bool", "bool_push", "led", "led_push") and child.opts.get("value") is None:
            child.setValue(False)
        _give_values(child)
