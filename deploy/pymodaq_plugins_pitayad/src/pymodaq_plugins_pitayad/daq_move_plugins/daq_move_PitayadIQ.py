"""The three lock-ins of a Red Pitaya as actuators."""

from __future__ import annotations

from pymodaq.control_modules.move_utility_classes import main

from pymodaq_plugins_pitayad.actuator import BoardActuator

PARAMETERS = {
    "frequency": ("Hz", 0.1),
    "phase": ("deg", 1e-3),
    "amplitude": ("V", 2e-4),
    "gain": ("", 1e-3),
    "quadrature_factor": ("", 0.5),
    "acbandwidth": ("Hz", 0.5),
}


class DAQ_Move_PitayadIQ(BoardActuator, modules=("iq0", "iq1", "iq2"), parameters=PARAMETERS):
    """Frequency, phase, amplitude or gains of a lock-in."""


if __name__ == "__main__":
    main(__file__)
