"""The daemon under test, its own command line, and a quick way past that."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

CLIENT = Path(__file__).resolve().parents[2] / "deploy/pymodaq_plugins_pitayad/src/pymodaq_plugins_pitayad/hardware"

PROGRAM = os.environ.get("PITAYAD_DAEMON", "")
START_TIMEOUT = 20.0

NAMESPACES = bool(os.environ.get("PITAYAD_INTEROP_INSIDE"))
"""Whether a daemon may be given a host name of its own here."""

AS_HOST = "import os, socket, sys; socket.sethostname(sys.argv[1]); os.execvp(sys.argv[2], sys.argv[2:])"
"""Makes what follows another host by its name."""


def load_client() -> Any:
    """The plug-ins' connection, which needs no PyMoDAQ, by another name: for some, nothing of ours is there."""
    spec = importlib.util.spec_from_file_location(
        "board_client", CLIENT / "__init__.py", submodule_search_locations=[str(CLIENT)]
    )
    assert spec and spec.loader, CLIENT
    package = importlib.util.module_from_spec(spec)
    sys.modules["board_client"] = package
    spec.loader.exec_module(package)
    return importlib.import_module("board_client.connection")


client = load_client()


class Daemon:
    """Serves the simulator with out1 wired to in1 until it is stopped. ``host``: where it listens.

    ``named``: runs on a host of this name, where `NAMESPACES` are. A simulated board has its serial number from that.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        discovery: bool = False,
        state: Path | None = None,
        dial: list[str] | None = None,
        more: list[str] | None = None,
        bus: str = "simulator",
        named: str = "",
    ) -> None:
        self.prefix = ["unshare", "--uts", sys.executable, "-c", AS_HOST, named] if named else []
        self.options = ["--bus", bus, "--log-format", "json", "--log-level", "debug"]
        self.options += [] if discovery else ["--no-discovery"]
        self.options += ["--state", str(state)] if state else []
        self.options += ["--dial", ",".join(dial)] if dial else []
        self.options += more or []
        self.host = host
        self.port = port
        self.lines: list[dict[str, Any]] = []
        self.start()

    def start(self) -> None:
        """Starts it, again on the port that it had."""
        command = [*self.prefix, "node", PROGRAM, "serve", *self.options, "--listen", f"{self.host}:{self.port}"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
        )
        serving: queue.Queue[int | str] = queue.Queue()
        threading.Thread(target=self._read, args=(self.process, serving), daemon=True).start()
        answer = serving.get(timeout=START_TIMEOUT)
        if isinstance(answer, str):
            raise RuntimeError(f"the daemon did not start: {answer}")
        self.port = answer

    def _read(self, process: subprocess.Popen[str], serving: queue.Queue[int | str]) -> None:
        last = ""
        for line in process.stdout or ():
            last = line.strip()
            try:
                entry = json.loads(last)
            except ValueError:
                print("     - daemon:", last)
                continue
            self.lines.append(entry)
            if entry.get("msg") == "serving":
                serving.put(int(entry["pymodaq"]["port"]))
        serving.put(f"it ended with {process.wait()}; {last}")

    def kill(self) -> None:
        """At once, as a crash or a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """As a service manager would; gives the exit status."""
        self.process.terminate()
        return self.process.wait(10)

    def command(self, *arguments: str) -> Any:
        """``pitayad get …`` and the like, as JSON. Raises RuntimeError with what it said if it failed."""
        done = subprocess.run(
            ["node", PROGRAM, *arguments, "--json", "--host", "127.0.0.1", "--port", str(self.port)],
            capture_output=True,
            text=True,
            timeout=30,
        )
        if done.returncode != 0:
            raise RuntimeError(f"pitayad {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def ask(self, command: str, **arguments: object) -> dict[str, Any]:
        """One command over a connection of its own: the window waits no longer than it must."""
        connection = client.Connection(client.Address(("127.0.0.1",), self.port), "ACTUATOR", lambda answer: None)
        try:
            return dict(connection.request(command, **arguments).payload[0])
        finally:
            connection.close()

    def set(self, module: str, **values: object) -> None:
        """What ``pitayad set`` does."""
        self.ask("configure", module=module, config=values)

    def play(self, decimation: int = 64) -> None:
        """A sine of 0.5 V at out1, which is wired to in1, where the scope looks."""
        sine = {"waveform": "sin", "amplitude": 0.5, "frequency": 1e4}
        self.set("asg0", **sine, output_direct="out1", trigger_source="immediately")
        self.set("scope", input1="in1", decimation=decimation, trigger_source="immediately")

    def get(self, module: str) -> dict[str, Any]:
        """What ``pitayad get`` does: settings, without what changes by itself."""
        return {name: value for name, value in self.ask("get", module=module).items() if name not in VOLATILE}

    def status(self) -> dict[str, Any]:
        """What ``pitayad status`` does."""
        return self.ask("status")

    def changes(self, since: int = 0) -> list[dict[str, Any]]:
        """Lines of the log that tell of a changed setting."""
        return [line for line in self.lines[since:] if line.get("msg") == "changed"]


VOLATILE = frozenset(
    "voltage_in1 voltage_in2 voltage_ch1 voltage_ch2 ch1_firstpoint ch2_firstpoint pretrig_ok current_timestamp"
    " trigger_timestamp scopetriggerphase".split()
)
"""Readings, not settings."""


def free_port() -> int:
    """One that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Any, seconds: float = 5.0) -> bool:
    """Whether it became true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())
