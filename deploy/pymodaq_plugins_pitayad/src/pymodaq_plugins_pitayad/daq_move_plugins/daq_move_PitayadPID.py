"""The three PID controllers of a Red Pitaya as actuators."""

from __future__ import annotations

from pymodaq.control_modules.move_utility_classes import main

from pymodaq_plugins_pitayad.actuator import BoardActuator

PARAMETERS = {
    "setpoint": ("V", 2e-4),
    "p": ("", 3e-4),
    "i": ("Hz", 5e-3),
    "ival": ("V", 2e-4),
    "min_voltage": ("V", 2e-4),
    "max_voltage": ("V", 2e-4),
}


class DAQ_Move_PitayadPID(BoardActuator, modules=("pid0", "pid1", "pid2"), parameters=PARAMETERS):
    """Setpoint, gains, integrator or limits of a PID controller."""


if __name__ == "__main__":
    main(__file__)
