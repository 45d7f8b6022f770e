"""What the actuators of a board share: one parameter of one of its modules is moved, chosen by the name of the axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymodaq.control_modules.move_utility_classes import (
    DAQ_Move_base,
    DataActuatorType,
    comon_parameters_fun,
)
from pymodaq.utils.data import DataActuator
from qtpy import QtCore

from .hardware.board import Board
from .hardware.errors import Lost, PitayadError
from .parameters import board_parameters
from .plugin import BoardPlugin
from .utils import Config

config = Config()

LONGEST_SETTLE = 86400.0
"""Seconds."""


class BoardActuator(BoardPlugin, DAQ_Move_base):
    """One parameter of a module; all the module's other settings under *Board settings*.

    Each move is one request, and the answer has the value that the hardware took, so nothing needs to be polled. A
    subclass names its modules, and what can be moved in each of them: the unit, and how near counts as arrived. The
    board's own units are taken on initialising.
    """

    is_multiaxes = True
    _epsilon = 1e-3
    data_actuator_type = DataActuatorType.DataActuator
    axes: dict[str, tuple[str, str]] = {}
    """Names of the axes, to module and parameter of the board."""

    def __init_subclass__(
        cls,
        modules: Sequence[str] = (),
        parameters: Mapping[str, tuple[str, float]] | None = None,
        **kwargs: Any,
    ) -> None:
        """What PyMoDAQ reads from the class, made from the modules and their parameters."""
        super().__init_subclass__(**kwargs)
        known = parameters or {}
        cls.axes = {
            f"{module} {parameter.replace('start_', '')}": (module, parameter)
            for module in modules
            for parameter in known
        }
        cls._axis_names = list(cls.axes)
        cls._controller_units = [known[parameter][0] for _, parameter in cls.axes.values()]
        cls._epsilons = [known[parameter][1] for _, parameter in cls.axes.values()]
        cls.params = [
            *board_parameters(config("board", "address"), config("board", "owner")),
            {
                "title": "Settle (s):",
                "name": "settle",
                "type": "float",
                "value": 0.0,
                "limits": [0.0, LONGEST_SETTLE],
                "tip": "Time after a move until it counts as done: a scan then waits for the loop.",
            },
            *comon_parameters_fun(cls.is_multiaxes, axis_names=cls._axis_names),
        ]

    def ini_attributes(self) -> None:
        """PyMoDAQ calls this from the constructor."""
        self.controller: Board = None  # type: ignore[assignment]
        self._complaint = ""
        self._moves = 0
        self._settling = 0.0
        self._refused = False

    def ini_stage(self, controller: Board | None = None) -> tuple[str, bool]:
        """Connects and shows the board's settings; writes nothing to it."""
        try:
            info = self._open(controller, self.axes[self.axis_name][0])
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
        for (module, parameter), fallback in zip(self.axes.values(), self._controller_units):
            known = self.controller.modules.get(module)
            units.append(str(known.parameter(parameter)["unit"]) if known else fallback)
        self.axis_units = units
        self.axis_unit = self.axis_unit
        module, parameter = self.axes[self.axis_name]
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
            module = self.axes[self.axis_name][0]
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
        module, parameter = self.axes[self.axis_name]
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
        module, parameter = self.axes[self.axis_name]
        self._order(lambda: self.controller.modules[module].move_home(parameter))
        # Nothing else ends a homing.
        self.poll_moving()

    def stop_motion(self) -> None:
        """A value is taken at once or not at all: there is nothing to stop but the settling."""
        self._moves += 1
        self.move_done()

    def poll_moving(self) -> None:
        """PyMoDAQ calls this after each move; it is done when it has settled, and never if it was refused."""
        if self._refused:
            self._refused = False
            self._current_value = self.get_actuator_value()
            self.emit_value(self._current_value)
            return
        settle, self._settling = self._settling, 0.0
        if settle <= 0:
            super().poll_moving()
            return
        move = self._moves

        def settled() -> None:
            if move == self._moves and self._messenger is not None:
                super(BoardActuator, self).poll_moving()

        QtCore.QTimer.singleShot(round(settle * 1000), settled)

    def _move(self, value: float) -> None:
        module, parameter = self.axes[self.axis_name]
        unit = self.axis_unit
        self._order(lambda: self.controller.modules[module].move_to(parameter, value, unit))

    def _order(self, move: Any) -> None:
        """Moves. If the board is lost, PyMoDAQ asks until it is there or too late.

        A refused move is over, and not done: a scan must not record a point that is somewhere else. It waits until
        PyMoDAQ's time-out, or until the user stops it.
        """
        self._moves += 1
        self._settling = 0.0
        self._refused = False
        try:
            taken, unit = move()
        except PitayadError as error:
            self._say(str(error))
            self._refused = not isinstance(error, Lost)
            return
        self.target_value = self._at(taken, unit)
        self._settling = float(self.settings["settle"])
        # PyMoDAQ asks once for the position and says that the move is done.
        self.ispolling = False

    def _at(self, value: float, unit: str) -> DataActuator:
        """A position of the hardware as PyMoDAQ shows it."""
        position = DataActuator(self._title, data=value, units=unit or self.axis_unit)
        return self.get_position_with_scaling(position)
