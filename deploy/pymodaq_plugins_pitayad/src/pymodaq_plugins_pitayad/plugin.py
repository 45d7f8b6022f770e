"""What the plug-ins of a board share: its connection, its settings in the tree, its messages in the status line."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from qtpy import QtCore

from .hardware.board import Board, Event
from .hardware.errors import PitayadError
from .hardware.module import Module
from .hardware.settings import read_literal, same
from .parameters import CHOICE, SETTINGS, declaration
from .utils import ThreadCommand

logger = logging.getLogger(__name__)


class Messenger(QtCore.QObject):
    """Carries what a board's reading thread has to say into the thread of the plug-in that made it."""

    happened = QtCore.Signal(object)

    def tell(self, what: object) -> None:
        """To be called on any thread; harmless when the plug-in is gone."""
        try:
            self.happened.emit(what)
        except RuntimeError:
            logger.debug("nobody is left to hear of %r", what)


class BoardPlugin:
    """To be inherited beside PyMoDAQ's base class for detectors or actuators.

    The board's values win: on initialising and on reconnecting the tree is built from them, and nothing is written,
    unless the user asked for ``Apply preset to board``.
    """

    controller: Board
    settings: Any
    parent: Any
    is_master: bool

    _messenger: Messenger | None = None
    _module_name = ""
    _beside: Sequence[str] = ()
    _forget: Any = None

    # ------------------------------------------------------------------------------------------- opening, closing

    def _open(self, controller: Board | None, module: str, beside: Sequence[str] = ()) -> str:
        """Connects, or shares the master's board; shows the settings of a module, and of those ``beside`` it.

        Gives a line about the board. Raises PitayadError.
        """
        self._close()
        initialise = getattr(self, "ini_controller_init", None) or getattr(
            self, "ini_detector_init", getattr(self, "ini_stage_init", None)
        )
        board = None
        if self.is_master:
            chosen = self.settings.child(CHOICE)
            board = Board(chosen["address"], owner=chosen["owner"], mode=chosen["mode"])
        try:
            initialise(slave_controller=controller, new_controller=board)
            self._messenger = Messenger()
            self._messenger.happened.connect(self._happened)
            self._forget = self.controller.listen(self._messenger.tell)
            stored = {path: leaf.value() for path, leaf in self._shown().items()}
            self._use_module(module, beside)
            if self.settings[CHOICE, "apply_preset"]:
                self._apply(stored)
        except Exception:
            self._close()
            if board is not None:
                board.close()
            raise
        about = " ".join(str(self.controller.identity.get(key, "")) for key in ("model", "serial"))
        return f"connected to {self.controller} {about}".rstrip()

    def _close(self) -> None:
        """Lets go of the board; the master's connection ends."""
        if self._forget is not None:
            self._forget()
            self._forget = None
        if self._messenger is not None:
            self._messenger.happened.disconnect(self._happened)
            self._messenger = None
            if self.is_master and self.controller is not None:
                self.controller.close()

    def _use_module(self, module: str, beside: Sequence[str] = ()) -> None:
        """Attaches to a module of the board and shows its settings."""
        if module not in self.controller.modules:
            raise PitayadError(f"{self.controller} has no {module}, only {', '.join(self.controller.modules)}")
        self.controller.attach(module, self.settings[CHOICE, "mode"])
        self._module_name = module
        self._beside = [name for name in beside if name in self.controller.modules]
        self._build()

    @property
    def module(self) -> Module:
        """The module of the board that this plug-in drives."""
        return self.controller.modules[self._module_name]

    # ------------------------------------------------------------------------------------------- board to tree

    def _shown(self) -> dict[tuple[str, ...], Any]:
        """Every setting in the tree by its place: (name,), or (module, name) of the modules beside."""
        group = self.settings.child(SETTINGS)
        return {tuple(group.childPath(leaf)): leaf for leaf in leaves(group)}

    def _module_at(self, path: Sequence[str]) -> Module:
        return self.controller.modules[path[0]] if len(path) > 1 else self.module

    def _build(self) -> None:
        """The board's settings in place of those in the tree, here and in the window."""
        tree = declarations(self.module)
        for name in self._beside:
            module = self.controller.modules[name]
            title = str(module.description.get("title", name))
            children = declarations(module)
            tree.append({"title": title, "name": name, "type": "group", "expanded": False, "children": children})
        blocked = self.settings.blockSignals(True)
        try:
            self.settings.child(SETTINGS).setOpts(tree=tree)
        finally:
            self.settings.blockSignals(blocked)
        self._post("update_settings", [[SETTINGS], {"tree": tree}, "options"])

    def _show(self, path: Sequence[str], value: Any) -> None:
        """A value as the board has it, here and in the window."""
        leaf = self._shown().get(tuple(path))
        if leaf is None:
            return
        if isinstance(value, (list, tuple)):
            value = str(list(value))
        blocked = self.settings.blockSignals(True)
        try:
            leaf.setValue(value)
        finally:
            self.settings.blockSignals(blocked)
        self._post("update_settings", [self.settings.childPath(leaf), value, "value"])

    # ------------------------------------------------------------------------------------------- tree to board

    def update_settings(self, change: dict[str, Any]) -> None:
        """The user, or a program, changed something in the window. PyMoDAQ calls this."""
        path = list(change["path"])[1:]
        if path[:1] != [SETTINGS]:
            super().update_settings(change)  # type: ignore[misc]
            self._own_setting_changed(path, change)
        elif change["change"] == "value" and len(path) > 1 and self._messenger is not None:
            self._write({tuple(path[1:]): change["param"].value()})

    def _own_setting_changed(self, path: list[str], change: dict[str, Any]) -> None:
        """For plug-ins that have settings of their own."""

    def _write(self, values: dict[tuple[str, ...], Any]) -> None:
        """Sets values on the board, and shows what it took; a refusal goes to the status line, the old value back."""
        for before in dict.fromkeys(path[:-1] for path in values):
            group = {path[-1]: value for path, value in values.items() if path[:-1] == before}
            module = self._module_at((*before, ""))
            try:
                taken = module.set(**{name: for_board(module, name, value) for name, value in group.items()})
            except PitayadError as error:
                self._say(str(error))
                try:
                    taken = module.get(*group)
                except PitayadError:
                    shown = self._shown()
                    taken = {name: shown[(*before, name)].value() for name in group if (*before, name) in shown}
            for name, value in taken.items():
                self._show((*before, name), value)

    def _apply(self, stored: dict[tuple[str, ...], Any]) -> None:
        """Writes the stored values that differ from the board's."""
        differing = {
            path: stored[path]
            for path, leaf in self._shown().items()
            if path in stored and not leaf.opts["readonly"] and not same(stored[path], leaf.value())
        }
        if not differing:
            self._say("the preset is what the board has already")
            return
        self._write(differing)
        self._build()
        self._say(f"preset applied to the board: {', '.join('.'.join(path) for path in differing)}")

    # ------------------------------------------------------------------------------------------- events

    def _happened(self, event: object) -> None:
        """In the plug-in's own thread."""
        if self._messenger is None or not isinstance(event, Event):
            return
        if event.kind == "changed" and event.setting is not None:
            if event.module in ("", self._module_name):
                self._show((event.parameter,), event.setting.value)
            elif event.module in self._beside:
                self._show((event.module, event.parameter), event.setting.value)
        elif event.kind == "progress":
            if event.module in ("", self._module_name):
                self._post("Update_Status", [event.text, ""])
                self._progressed(event)
        elif event.kind == "lost":
            self._say(f"{event.text}; trying to reconnect")
        elif event.kind == "back":
            self._say(f"{event.text}; nothing was written")
            try:
                self._build()
            except PitayadError as error:
                self._say(str(error))
                return
            self._came_back()

    def _progressed(self, event: Event) -> None:
        """For plug-ins that show what has come so far."""

    def _came_back(self) -> None:
        """For plug-ins that were waiting for the board."""

    def _say(self, text: str) -> None:
        """A line for the status bar and the log."""
        self._post("Update_Status", [text, "log"])

    def _post(self, command: str, attribute: Any) -> None:
        """As emit_status, which lets other events happen before it returns: not wanted in the middle of things."""
        if self.parent is not None:
            self.parent.status_sig.emit(ThreadCommand(command, attribute))


def leaves(group: Any) -> list[Any]:
    """The parameters below a group, groups excepted."""
    found: list[Any] = []
    for child in group.children():
        found += leaves(child) if child.hasChildren() or child.type().startswith("group") else [child]
    return found


def declarations(module: Module) -> list[dict[str, Any]]:
    """What PyMoDAQ makes the settings of a module from."""
    described = {parameter["name"]: parameter for parameter in module.description["parameters"]}
    # What else is in it is for PyMoDAQ's own network modules.
    return [declaration(leaf, described) for leaf in module.settings().leaves() if leaf.name in described]


def for_board(module: Module, name: str, value: Any) -> Any:
    """Lists of numbers are shown as text."""
    if isinstance(value, str) and module.parameter(name)["kind"] == "numbers":
        return read_literal(value)
    return value


__all__ = ["BoardPlugin"]
