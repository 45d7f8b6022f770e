"""The slow analog outputs of a Red Pitaya as actuators."""

from __future__ import annotations

from pymodaq.control_modules.move_utility_classes import main

from pymodaq_plugins_pitayad.actuator import BoardActuator

PARAMETERS = {"dac2": ("V", 5e-4), "dac3": ("V", 5e-4)}


class DAQ_Move_PitayadOutput(BoardActuator, modules=("ams",), parameters=PARAMETERS):
    """Level of a slow output, 0 to 1.8 V."""


if __name__ == "__main__":
    main(__file__)
