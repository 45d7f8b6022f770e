"""The two signal generators of a Red Pitaya as actuators."""

from __future__ import annotations

from pymodaq.control_modules.move_utility_classes import main

from pymodaq_plugins_pitayad.actuator import BoardActuator

PARAMETERS = {"frequency": ("Hz", 0.1), "amplitude": ("V", 2e-4), "offset": ("V", 2e-4), "start_phase": ("deg", 1e-3)}


class DAQ_Move_PitayadASG(BoardActuator, modules=("asg0", "asg1"), parameters=PARAMETERS):
    """Frequency, amplitude, offset or phase of a generator."""


if __name__ == "__main__":
    main(__file__)
