"""The two signal generators of a Red Pitaya as actuators."""

from __future__ import annotations

from typing import Any

from pymodaq.control_modules.move_utility_classes import (
    DAQ_Move_base,
    DataActuatorType,
    comon_parameters_fun,
    main,
)
from pymodaq.utils.data import DataActuator

from pymodaq_plugins_pitayad.hardware.board import Board
from pymodaq_plugins_pitayad.hardware.errors import Lost, PitayadError
from pymodaq_plugins_pitayad.parameters import board_parameters
from pymodaq_plugins_pitayad.plugin import BoardPlugin
from pymodaq_plugins_pitayad.utils import Config

config = Config()

PARAMETERS = {"frequency": ("Hz", 0.1), "amplitude": ("V", 2e-4), "offset": ("V", 2e-4), "start_phase": ("deg", 1e-3)}
"""What can be moved: its unit, and how near counts as arrived. The board's own units are taken on initialising."""

AXES = {
    f"{module} {parameter.replace('start_', '')}": (module, parameter)
    for module in ("asg0", "asg1")
    for parameter in PARAMETERS
}
"""Names of the axes, to module and parameter of the board."""


class DAQ_Move_PitayadASG(BoardPlugin, DAQ_Move_base):
    """One parameter of a generator; all its other settings under *Board settings*.

    Each move is one request, and the answer has the value that the hardware took, so nothing needs to be polled.
    """

    is_multiaxes = True
    _axis_names = list(AXES)
    _controller_units = [PARAMETERS[parameter][0] for _, parameter in AXES.values()]
    _epsilon = 1e-3
    _epsilons = [PARAMETERS[parameter][1] for _, parameter in AXES.values()]
    data_actuator_type = DataActuatorType.DataActuator

    params = [
        *board_parameters(config("board", "address"), config("board", "owner")),
        *comon_parameters_fun(is_multiaxes, axis_names=_axis_names),
    ]

    def ini_attributes(self) -> None:
        """PyMoDAQ calls this from the constructor."""
        self.controller: Board = None  # type: ignore[assignment]
        self._complaint = ""

    def ini_stage(self, controller: Board | None = None) -> tuple[str, bool]:
        """Connects and shows the board's settings; writes nothing to it."""
        try:
            info = self._open(controller, AXES[self.axis_name][0])
            self._take_over_axes()
            self.current_value = self.get_actuator_value()
        except PitayadError as error:
            self._say(str(error))
            return str(error), False
        self._say(info)
        return info, True

    def commit_settings(self, param: Any) -> None:
        """Settings of the board are handled when they come in; the others count when they are used."""

    def close(self) -> None:
        """Ends the connection, if it is this plug-in's own. Outputs stay as they are."""
        self._close()

    # ------------------------------------------------------------------------------------------- axes

    def _take_over_axes(self) -> None:
        """Units as the board has them, and the limits of the present axis."""
        units = []
        for module, parameter in AXES.values():
            known = self.controller.modules.get(module)
            units.append(str(known.parameter(parameter)["unit"]) if known else PARAMETERS[parameter][0])
        self.axis_units = units
        self.axis_unit = self.axis_unit
        module, parameter = AXES[self.axis_name]
        about = self.controller.modules[module].parameter(parameter)
        if "min" in about and "max" in about:
            if not self.settings["bounds", "is_bounds"]:
                for name, limit in (("min_bound", about["min"]), ("max_bound", about["max"])):
                    self.settings.child("bounds", name).setValue(float(limit))
            self._post("set_allowed_values", {"minimum": float(about["min"]), "maximum": float(about["max"])})

    def _own_setting_changed(self, path: list[str], change: dict[str, Any]) -> None:
        if path[-1:] != ["axis"] or self._messenger is None:
            return
        try:
            module = AXES[self.axis_name][0]
            if module != self._module_name:
                self._use_module(module)
            self._take_over_axes()
        except PitayadError as error:
            self._say(str(error))

    def _came_back(self) -> None:
        self._complaint = ""

    # ------------------------------------------------------------------------------------------- moving

    def get_actuator_value(self) -> DataActuator:
        """The value as the hardware has it; the last known one, with one complaint, while the board is lost."""
        module, parameter = AXES[self.axis_name]
        try:
            value, unit = self.controller.modules[module].position(parameter)
        except PitayadError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                self._say(self._complaint)
            return self.current_value
        return self._at(value, unit)

    def move_abs(self, value: DataActuator) -> None:
        """Orders the value; PyMoDAQ's scaling and bounds apply first."""
        value = self.check_bound(value)
        self.target_value = value
        wanted = self.set_position_with_scaling(value)
        self._move(float(wanted.value(self.axis_unit)))

    def move_rel(self, value: DataActuator) -> None:
        """From where the hardware is now. In numbers: sums of angles lose their unit in PyMoDAQ 5.1."""
        unit = self.axis_unit
        here = float(self.get_actuator_value().value(unit))
        self.move_abs(DataActuator(self._title, data=here + float(value.value(unit)), units=unit))

    def move_home(self, value: Any = None) -> None:
        """To where the board says that the parameter is at rest."""
        module, parameter = AXES[self.axis_name]
        self._order(lambda: self.controller.modules[module].move_home(parameter))
        # Nothing else ends a homing.
        self.poll_moving()

    def stop_motion(self) -> None:
        """A value is taken at once or not at all: there is nothing to stop."""
        self.move_done()

    def _move(self, value: float) -> None:
        module, parameter = AXES[self.axis_name]
        unit = self.axis_unit
        self._order(lambda: self.controller.modules[module].move_to(parameter, value, unit))

    def _order(self, move: Any) -> None:
        """Moves. Done or refused, it is over; if the board is lost, PyMoDAQ asks until it is there or too late."""
        try:
            taken, unit = move()
        except PitayadError as error:
            self._say(str(error))
            if isinstance(error, Lost):
                return
        else:
            self.target_value = self._at(taken, unit)
        # PyMoDAQ asks once for the position and says that the move is done.
        self.ispolling = False

    def _at(self, value: float, unit: str) -> DataActuator:
        """A position of the hardware as PyMoDAQ shows it."""
        position = DataActuator(self._title, data=value, units=unit or self.axis_unit)
        return self.get_position_with_scaling(position)


if __name__ == "__main__":
    main(__file__)
