"""Two boards on one network, in a laboratory that has both: found, told apart by serial number, never mistaken."""

from __future__ import annotations

from typing import Any

import checks
from checks import check, note
from daemon import NAMESPACES, Daemon, wait_for
from pymodaq_plugins_pitayad import Board, NotFound
from windowless import Mover, Viewer, pump

checks.watchdog(120)

if not NAMESPACES:
    checks.skip("two boards on one network", "namespaces, for two hosts")
    checks.leave()

FREQUENCIES = {"rp-f0a1b2": 1e4, "rp-f0c3d4": 3e4}
"""What each board plays, by its host name."""

daemons = {name: Daemon(host="0.0.0.0", discovery=True, named=name) for name in FREQUENCIES}
for name, frequency in FREQUENCIES.items():
    daemons[name].set("asg0", frequency=frequency)

first, second = FREQUENCIES
serials = {name: f"sim-{name}" for name in FREQUENCIES}


def played(name: str) -> float:
    """The frequency that this board has."""
    return float(daemons[name].get("asg0")["frequency"])


def both_named(sentence: str) -> bool:
    """Whether it says how many boards there are, and which."""
    return "there are 2 boards" in sentence and all(f"[{serial}]" in sentence for serial in serials.values())


with check("Board.discover() finds both, each with its serial number"):
    found: list[Any] = []

    def discovered() -> bool:
        found[:] = Board.discover()
        return len(found) > 1

    assert wait_for(discovered, 15), found
    note(*(board.label for board in found))
    assert {board.serial: board.address.port for board in found} == {
        serials[name]: daemon.port for name, daemon in daemons.items()
    }

with check("by serial number, by name, by its line in the list or as it was found: it is that board"):
    for board in found:
        name = next(name for name, serial in serials.items() if serial == board.serial)
        for where in (board.serial, board.serial.upper(), name, board.label, board):
            with Board(where) as opened:
                assert opened.identity["serial"] == board.serial, (where, opened.identity)
                assert abs(opened.asg0.frequency - FREQUENCIES[name]) < 0.1

with check("without a word which, it is neither: the sentence says that there are two, and which"):
    try:
        Board().close()
        raise AssertionError("it chose one")
    except NotFound as error:
        note(error)
        assert both_named(str(error)), error

lost, viewer, mover = Viewer("lost"), Viewer(), Mover()

with check("the plug-in without a board says the same in its status"):
    line = lost.init_fails()
    assert both_named(line), line

with check("the plug-in's list has both; the one that is chosen is opened"):
    choice = viewer.setting("connection", "found")
    assert pump(lambda: len(choice.opts["limits"]) == 3, 15), choice.opts["limits"]
    label = next(text for text in choice.opts["limits"] if serials[second] in text)
    choice.setValue(label)
    viewer.init()
    assert any(serials[second] in text for text in viewer.texts), viewer.texts
    assert second in viewer.snap().board, viewer.frames[-1][0].board

with check("a move by serial number moves that board, and no other"):
    mover.setting("connection", "address").setValue(serials[first])
    mover.init()
    assert abs(mover.position() - FREQUENCIES[first]) < 0.1
    assert abs(mover.move("move_abs", 2e4) - 2e4) < 0.2
    assert abs(played(first) - 2e4) < 0.2 and abs(played(second) - FREQUENCIES[second]) < 0.2

with check("a board that comes back elsewhere is found again by its serial number"):
    since = len(mover.texts)
    daemons[first].kill()
    mover.says("trying to reconnect", since)
    before, daemons[first].port = daemons[first].port, 0
    daemons[first].start()
    assert daemons[first].port != before
    mover.says("connected again", since, 20)
    assert abs(mover.move("move_abs", 2.5e4) - 2.5e4) < 0.2
    assert abs(played(first) - 2.5e4) < 0.2

mover.quit()
viewer.quit()

with check("both end cleanly"):
    assert [daemon.stop() for daemon in daemons.values()] == [0, 0]

checks.leave()
