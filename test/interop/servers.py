"""TCPServer plug-ins of a stock PyMoDAQ 4, as a user works with them."""

from __future__ import annotations

from mirrored import Mirror
from windowless import Actuator, Detector


class Server(Mirror):
    """To be inherited beside Detector or Actuator."""

    def listen(self, port: int) -> None:
        """Presses Init."""
        self.setting("port_id").setValue(port)
        self.setting("socket_ip").setValue("127.0.0.1")
        self.init()

    def greetings(self) -> int:
        """How often the board has come to this plug-in, as its status line says."""
        return sum(" connected with" in text for text in self.texts)

    def reason(self) -> str:
        """Told as an information."""
        infos = self.setting("infos")
        return str(infos["last_refusal"]) if "last_refusal" in infos.names else ""


class Viewer(Server, Detector):
    """A DAQ_Viewer with the stock plug-in TCPServer."""

    def __init__(self, dimension: int) -> None:
        super().__init__(f"scope{dimension}D", dimension, "TCPServer")


class Mover(Server, Actuator):
    """A DAQ_Move with the stock plug-in TCPServer."""

    def __init__(self) -> None:
        super().__init__("frequency", "TCPServer")
