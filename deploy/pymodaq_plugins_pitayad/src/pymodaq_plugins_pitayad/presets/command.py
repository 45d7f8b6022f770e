"""``pitayad-presets``: presets of a board for PyMoDAQ's dashboard, listed and installed."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.metadata import version
from pathlib import Path

from .plan import PLANS, Plan


def main(arguments: list[str] | None = None) -> None:
    """See ``pitayad-presets --help``; ends the process."""
    status = run(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    # PyMoDAQ 5.3 writes configurations at exit, as they were when it started; its threads may hang there, too.
    os._exit(status)


def run(arguments: list[str] | None = None) -> int:
    """Gives the exit status."""
    parser = argparse.ArgumentParser(prog="pitayad-presets", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="what there is to install, and where it goes")
    install = actions.add_parser("install", help="write presets into PyMoDAQ's folder")
    install.add_argument("names", nargs="*", metavar="NAME", help="as `list` shows them; all, if none is given")
    install.add_argument(
        "--board",
        default="",
        metavar="WHERE",
        help="serial number, name, host or host:port of the board; without it: the only one on the network",
    )
    install.add_argument("--as", dest="other", default="", metavar="NAME", help="name of the file, of one preset")
    options = parser.parse_args(arguments)
    if options.action == "list":
        return show()
    known = {plan.name: plan for plan in PLANS}
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"there is no preset {', '.join(unknown)}; there are {', '.join(known)}")
    plans = [known[name] for name in options.names] or list(PLANS)
    if options.other and len(plans) != 1:
        parser.error("--as is the name of one preset: say which")
    if options.other and Path(options.other).name != options.other:
        parser.error("--as is a name, no path")
    return put(plans, options.board.strip(), options.other)


def show() -> int:
    """Of `list`."""
    from . import build

    print(f"for PyMoDAQ {version('pymodaq')}, in {build.path_of('x').parent}:")
    for plan in PLANS:
        there = "installed" if build.path_of(plan.name).exists() else "not installed"
        print(f"  {plan.name:14} {plan.title} ({there})")
        for module in plan.modules:
            print(f"    {module}")
    return 0


def put(plans: list[Plan], board: str, other: str) -> int:
    """Of `install`."""
    from . import build

    for plan in plans:
        name = other or plan.name
        try:
            path = build.write(plan, name, board)
        except (LookupError, OSError) as error:
            print(f"{plan.name} was not installed: {error}", file=sys.stderr)
            return 1
        print(f"{plan.name} is in {path}")
    if build.EXPERIMENTS:
        print(f"An experiment of PyMoDAQ 5.3 does not say which board: {configure(board)}")
    print(f"Board: {board or 'the only one on the network'}")
    return 0


def configure(board: str) -> str:
    """Sets the board in the configuration that all plug-ins begin with; where that is."""
    import toml

    from ..utils import Config

    path = Path(Config().config_path)
    content = toml.load(path) if path.exists() else {}
    content.setdefault("board", {})["address"] = board
    path.write_text(toml.dumps(content))
    return f"it was written as [board] address into {path}"


if __name__ == "__main__":
    main()
