"""PIDs, lock-ins and slow outputs as actuators of real DAQ_Moves: found, moved, settled, stopped."""

from __future__ import annotations

import time

import checks
from checks import check, note
from daemon import Daemon
from windowless import Mover, pump

checks.watchdog(280)
daemon = Daemon(host="0.0.0.0", discovery=True)

PLUGINS = {
    "PitayadPID": (("pid1 setpoint", "pid1", "setpoint", 0.125), ("pid2 p", "pid2", "p", -0.5)),
    "PitayadIQ": (("iq0 frequency", "iq0", "frequency", 1e6), ("iq2 phase", "iq2", "phase", 90.0)),
    "PitayadOutput": (("ams dac2", "ams", "dac2", 0.9),),
}

for plugin, moves in PLUGINS.items():
    for axis, module, parameter, value in moves:
        with check(f"{plugin}: {axis} is moved, and the hardware has it"):
            mover = Mover(axis, actuator=plugin)
            mover.init()
            moved = mover.move("move_abs", value)
            taken = float(daemon.get(module)[parameter])
            note(moved, taken)
            assert abs(moved - value) < 1e-3 * max(1.0, abs(value)), moved
            assert abs(taken - value) < 1e-3 * max(1.0, abs(value)), taken
            assert abs(mover.position() - taken) < 1e-6 * max(1.0, abs(taken))
            mover.quit()

with check("a value beyond the limits is refused with the limits, and nothing is moved"):
    mover = Mover("pid0 setpoint", actuator="PitayadPID")
    mover.init()
    mover.setting("bounds", "is_bounds").setValue(False)
    note(mover.refused(3.0, "from -1 to 1 V"))
    assert float(daemon.get("pid0")["setpoint"]) == 0.0

with check("a move is done when it has settled, not before"):
    mover.setting("settle").setValue(0.6)
    start = time.monotonic()
    mover.move("move_abs", 0.25)
    took = time.monotonic() - start
    note(f"{took:.2f} s")
    assert 0.55 < took < 10, took

with check("stop ends the settling"):
    mover.setting("settle").setValue(30.0)
    done = len(mover.done)
    from pymodaq.utils.data import DataActuator

    mover.module.move_abs(DataActuator("target", data=0.5, units=mover.module.units))
    pump(seconds=0.5)
    assert len(mover.done) == done
    mover.module.stop_motion()
    assert pump(lambda: len(mover.done) > done, 15), "still settling"
    mover.quit()

checks.leave()
