"""PyMoDAQ's own socket and serialiser, of the installed version, against the listening door: words and dictionaries."""

from __future__ import annotations

import json
import socket as sockets
from typing import Any

import checks
import numpy as np
from checks import check, note
from daemon import Daemon
from windowless import VERSION

checks.watchdog(100)

from pymodaq.utils.data import DataActuator  # noqa: E402

if VERSION[0] == 4:
    from pymodaq.utils.tcp_ip.mysocket import Socket
    from pymodaq.utils.tcp_ip.serializer import DeSerializer
else:
    from pymodaq_utils.serialize.mysocket import Socket
    from pymodaq_utils.serialize.serializer_legacy import DeSerializer

FORM = "v4" if VERSION[0] == 4 else "v5"

daemon = Daemon()
daemon.set("asg0", waveform="sin", amplitude=0.5, frequency=1e4, output_direct="out1", trigger_source="immediately")
daemon.set("scope", input1="in1", decimation=64, trigger_source="immediately")


class Stock:
    """A connection made of PyMoDAQ's parts. They have no time-outs of their own."""

    def __init__(self, kind: str) -> None:
        raw = sockets.create_connection(("127.0.0.1", daemon.port), 10)
        self.socket = Socket(raw)
        self.say(kind)

    def say(self, *objects: Any) -> None:
        """Objects, one after the other."""
        for thing in objects:
            self.socket.check_sended_with_serializer(thing)

    def word(self) -> str:
        """The next word."""
        return DeSerializer(self.socket).string_deserialization()

    def data(self) -> Any:
        """The next DataToExport."""
        return DeSerializer(self.socket).dte_deserialization()

    def position(self) -> Any:
        """The next DataActuator."""
        return DeSerializer(self.socket).dwa_deserialization()

    def command(self, **fields: Any) -> dict[str, Any]:
        """A command that is answered by a dictionary; PyMoDAQ 4 has none, and both ways are JSON there."""
        self.say(json.dumps(fields) if FORM == "v4" else fields)
        assert self.word() == "Reply"
        # In PyMoDAQ 5 each of its readers reads whatever comes.
        return json.loads(self.word()) if FORM == "v4" else self.word()


with check(f"a trace in the form {FORM}, read by PyMoDAQ's own reader"):
    grabber = Stock("GRABBER")
    grabber.say("Send Data 1D")
    assert grabber.word() == "Done"
    data = grabber.data()[0]
    note(repr(data))
    assert type(data).__name__ == "DataRaw" and data.name == "Scope" and data.units == "V"
    assert data.labels == ["ch1", "ch2"] and len(data.data[0]) >= 16382
    axis = data.get_axis_from_index(0)[0]
    assert (axis.label, axis.units) == ("Time", "s")
    assert abs(np.abs(data.data[0]).max() - 0.5) < 0.01
    assert data.decimation == 64 and "inputs" in data.extra_attributes

with check("positions by words, with units"):
    actuator = Stock("ACTUATOR")
    actuator.say("move_abs", DataActuator("x", data=250.0, units="mV"))
    assert actuator.word() == "move_done"
    assert abs(actuator.position().value("V") - 0.25) < 1e-3
    actuator.say("move_rel", DataActuator("x", data=-0.125, units="V"))
    assert actuator.word() == "move_done"
    actuator.position()
    for word in ("check_position", "get_actuator_value"):
        actuator.say(word)
        assert actuator.word() == "position_is"
        position = actuator.position()
        assert abs(position.value("V") - 0.125) < 1e-3 and position.units == "V", position
    actuator.say("move_abs", DataActuator("x", data=7.0, units="V"))
    assert actuator.word() == "Error"
    note(actuator.word())
    actuator.say("ping")
    assert actuator.word() == "pong"
    actuator.say("move_home")
    assert actuator.word() == "move_done" and actuator.position().value("V") == 0.0

with check("command dictionaries"):
    reply = grabber.command(command="configure", module="scope", config={"decimation": 8})
    assert reply == {"decimation": 8}, reply
    reply = grabber.command(command="get", module="asg0", parameters=["waveform"])
    assert reply == {"waveform": "sin"}, reply
    grabber.say("Send Data 1D")
    assert grabber.word() == "Done" and grabber.data()[0].decimation == 8
    grabber.say("Quit")
    actuator.say("Quit")

with check("the daemon ends cleanly"):
    assert daemon.stop() == 0

checks.leave()
