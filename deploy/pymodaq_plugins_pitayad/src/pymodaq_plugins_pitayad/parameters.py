"""Two groups of PyMoDAQ's settings trees that know how to fill themselves: the choice of a board, and its settings.

PyMoDAQ keeps a settings tree twice, in the window and beside the instrument, and tells one of value changes in the
other, but not of parameters that went away. So a board's settings are sent over as one option of their group, and
the group builds itself on either side.
"""

from __future__ import annotations

import threading
from typing import Any

from pyqtgraph.parametertree import Parameter, registerParameterType
from pyqtgraph.parametertree.parameterTypes import GroupParameter
from qtpy import QtCore, QtWidgets

from .hardware.discovery import neighbourhood
from .hardware.settings import Setting

CHOICE = "connection"
"""Name of the group in which the board is chosen."""

SETTINGS = "board"
"""Name of the group that shows the board's settings."""

CHOOSE = "choose …"
"""What the list shows: choosing from it fills in the address, which is what counts and what presets store."""

PREFIXED = frozenset({"V", "s", "Hz"})
"""Units that are shown with SI prefixes."""

REFRESH_INTERVAL = 1000
"""Milliseconds between looks at the list of found boards; the network is not asked for that."""


class BoardChoiceParameter(GroupParameter):
    """The boards found on the network, and the address of the one to use."""

    def __init__(self, **opts: Any) -> None:
        super().__init__(**opts)
        application = QtWidgets.QApplication.instance()
        # The twin beside the instrument, in another thread, takes what this one has.
        self._in_window = application is not None and QtCore.QThread.currentThread() == application.thread()
        if not self._in_window:
            return
        threading.Thread(target=neighbourhood.start, name="pitayad discovery", daemon=True).start()
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self.show_found)
        self._timer.start(REFRESH_INTERVAL)
        names = [child.name() for child in self.children()]
        if "found" in names and "refresh" in names:
            self.child("found").sigValueChanged.connect(self._chosen)
            self.child("refresh").sigValueChanged.connect(self._refresh)
            self.show_found()

    def show_found(self) -> None:
        """Takes over what is known of the network by now."""
        wanted = [CHOOSE, *(board.label for board in neighbourhood.boards())]
        try:
            found = self.child("found")
        except KeyError:
            return
        if list(found.opts["limits"]) != wanted:
            found.setLimits(wanted)

    def _chosen(self, parameter: Parameter, value: str) -> None:
        if value != CHOOSE:
            self.child("address").setValue(value)
            parameter.setValue(CHOOSE)

    def _refresh(self, parameter: Parameter, pressed: bool) -> None:
        if pressed:
            threading.Thread(target=neighbourhood.refresh, name="pitayad discovery", daemon=True).start()
            parameter.setValue(False)


class BoardSettingsParameter(GroupParameter):
    """The settings of one module of a board; the option ``tree`` builds them anew, and is not kept."""

    def setOpts(self, **opts: Any) -> None:
        """As any parameter; ``tree`` is a list of parameter declarations."""
        tree = opts.pop("tree", None)
        if tree is not None:
            self.clearChildren()
            self.addChildren(tree)
        if opts:
            super().setOpts(**opts)


# 'group' must be part of the names: PyMoDAQ tells groups by it when it writes presets.
registerParameterType("grouppitayadchoice", BoardChoiceParameter, override=True)
registerParameterType("grouppitayadsettings", BoardSettingsParameter, override=True)


def board_parameters(address: str = "", owner: str = "") -> list[dict[str, Any]]:
    """What every plug-in of a board has: the choice of the board and the place for its settings."""
    return [
        {
            "title": "Connection:",
            "name": CHOICE,
            "type": "grouppitayadchoice",
            "children": [
                {"title": "Boards found:", "name": "found", "type": "list", "value": CHOOSE, "limits": [CHOOSE]},
                {"title": "Look again:", "name": "refresh", "type": "bool_push", "value": False, "label": "Refresh"},
                {
                    "title": "Board:",
                    "name": "address",
                    "type": "str",
                    "value": address,
                    "tip": "Empty: the only board on this network. Else a name from the list, a serial number, "
                    "host or host:port. Counts at the next initialisation.",
                },
                {
                    "title": "Use:",
                    "name": "mode",
                    "type": "list",
                    "value": "share",
                    "limits": ["share", "own"],
                    "tip": "share: others may change settings too. own: nobody else may while this is initialised.",
                },
                {
                    "title": "Owner:",
                    "name": "owner",
                    "type": "str",
                    "value": owner,
                    "tip": "The name that others read. Empty: user@host.",
                },
                {
                    "title": "Apply preset to board:",
                    "name": "apply_preset",
                    "type": "bool",
                    "value": False,
                    "tip": "Off: initialising shows the board as it is and writes nothing. On: stored values that "
                    "differ from the board's are written to it.",
                },
            ],
        },
        {"title": "Board settings:", "name": SETTINGS, "type": "grouppitayadsettings", "children": []},
    ]


def declaration(setting: Setting, described: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What PyMoDAQ makes a parameter from. ``described``: what the board's list says of the parameters, by name."""
    if setting.kind == "group":
        return {
            "title": setting.title,
            "name": setting.name,
            "type": "group",
            "children": [declaration(child, described) for child in setting.children],
        }
    about = described.get(setting.name, {})
    made: dict[str, Any] = {
        "title": setting.title,
        "name": setting.name,
        "type": setting.kind,
        "value": setting.value,
        "readonly": setting.readonly,
        "visible": setting.visible,
        "tip": setting.tip or str(about.get("help", "")),
    }
    if setting.limits is not None:
        made["limits"] = setting.limits if isinstance(setting.limits, dict) else list(setting.limits)
    if setting.kind in ("float", "int"):
        unit = setting.unit or str(about.get("unit", ""))
        if unit:
            made["suffix"] = unit
        if setting.kind == "float":
            made["siPrefix"] = unit in PREFIXED
            made["decimals"] = 9
    return made
