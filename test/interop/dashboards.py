"""The modules of a real dashboard, as a user works with them; the example that opens it is found here too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "deploy" / "pymodaq_plugins_pitayad" / "examples"


def presets(*words: str) -> subprocess.CompletedProcess[str]:
    """``pitayad-presets``, as typed in a shell."""
    command = [sys.executable, "-m", "pymodaq_plugins_pitayad.presets.command", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def load_example() -> Any:
    """The example of a scan. From then on the plug-ins have the configuration that they found."""
    sys.path.insert(0, str(EXAMPLES))
    import scan

    return scan


class Module:
    """A control module of the dashboard."""

    def __init__(self, module: Any, example: Any) -> None:
        self.module = module
        self.pump = example.pump
        self.texts: list[str] = []
        self.frames: list[Any] = []
        self.done: list[Any] = []
        module.status_sig.connect(self.texts.append)
        if hasattr(module, "grab_done_signal"):
            module.grab_done_signal.connect(lambda data: self.frames.append(data.deepcopy()))
        else:
            module.move_done_signal.connect(lambda value: self.done.append(value.deepcopy()))

    def setting(self, *path: str) -> Any:
        """Of the plug-in, as the window shows it."""
        names = self.module.settings.names
        group = next(name for name in ("detector_settings", "actuator_settings", "move_settings") if name in names)
        return self.module.settings.child(group, *path)

    def snap(self, seconds: float = 30.0) -> Any:
        """Data of one snap."""
        before = len(self.frames)
        self.module.snap()
        assert self.pump(lambda: len(self.frames) > before, seconds), self.texts[-3:]
        return self.frames[-1]

    def grab(self, on: bool) -> None:
        """Presses the button for a continuous grab."""
        action = self.module.ui.get_action("grab")
        assert action.isChecked() != on
        action.trigger()

    def order(self, value: float) -> None:
        """Asks for a move."""
        from pymodaq.utils.data import DataActuator

        self.module.move_abs(DataActuator("target", data=float(value), units=self.module.units))

    def move(self, value: float, seconds: float = 15.0) -> float:
        """Gives where it ended."""
        before = len(self.done)
        self.order(value)
        assert self.pump(lambda: len(self.done) > before, seconds), self.texts[-3:]
        return float(self.done[-1].value(self.module.units))

    def says(self, text: str, since: int, seconds: float = 15.0) -> str:
        """The first line of the status bar that has this."""

        def found() -> list[str]:
            return [line for line in self.texts[since:] if text in line]

        assert self.pump(found, seconds), f"never said {text!r}, only {self.texts[since:]}"
        return found()[0]
