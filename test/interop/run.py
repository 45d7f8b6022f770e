"""The real PyMoDAQ of one version, with our plug-ins, against the daemon.

    python run.py --version 5.3.8 --python VENV/bin/python --daemon dist/pitayad.cjs [--only NAME]

Needs the standard library alone. Installs the plug-in package into a folder of its own, opens a network of its own
where the machine allows it (multicast works there, and nothing reaches the real one), and runs each scenario in a
process with a home folder of its own. Prints a line for each check, and at the end ``N passed, N failed[, N skipped]``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent.parent / "deploy" / "pymodaq_plugins_pitayad"

SCENARIOS = ["client", "stock", "offering", "boards", "instruments", "actuators", "viewers", "sharing", "dashboard"]
SCENARIOS += ["dial_out", "leco", "leco_joined", "leco_dashboard"]
"""Files scenario_NAME.py, in the order in which they run."""

ON_VERILOG = ["loop"]
"""Scenarios that need the co-simulation of the FPGA design (PITAYAD_COSIM is its program): run when asked for."""

SINCE = {"leco": (5, 3), "leco_joined": (5, 3), "leco_dashboard": (5, 3)}
"""First version of PyMoDAQ that has what a scenario is about."""

NOTHING_OF_OURS = {"dial_out", "leco", "leco_joined", "leco_dashboard"}
"""Scenarios for which our plug-ins are not installed."""

LIMIT = 300
"""Seconds for one scenario."""

RESULT = re.compile(r"ok   |FAIL |skipped: |     - ")
"""Lines of a scenario that are for the reader; the rest is PyMoDAQ's, and shown when something failed."""

INSIDE = "PITAYAD_INTEROP_INSIDE"
"""Set in the copy of this program that runs in the network of its own."""


def enter_own_network() -> None:
    """Starts this program again in a network namespace, with one interface on which multicast comes back."""
    if os.environ.get(INSIDE) or sys.platform != "linux" or not shutil.which("ip") or not shutil.which("unshare"):
        return
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = ["unshare", *user, "--net"]
    if subprocess.run([*command, "true"], capture_output=True).returncode != 0:
        return
    os.environ[INSIDE] = "1"
    os.execvp(command[0], [*command, sys.executable, *sys.argv])


def bring_up_network() -> None:
    """An interface with an address, and a way for multicast."""
    if not os.environ.get(INSIDE):
        print("no network of its own here: discovery is tried on that of this machine")
        return
    for line in (
        "link set lo up",
        "link add board0 type veth peer name cable0",
        "address add 10.77.0.2/24 dev board0",
        "link set cable0 up",
        "link set board0 up",
        "route add 224.0.0.0/4 dev board0",
    ):
        subprocess.run(["ip", *line.split()], check=True)


def install(python: str, folder: Path) -> Path:
    """The package as pip installs it, for PYTHONPATH. From a copy: building leaves files behind."""
    source = folder / "source"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("*.egg-info", "__pycache__", "build"))
    site = folder / "site"
    pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, "--disable-pip-version-check", "--target", str(site), str(source)], check=True, timeout=180)
    return site


def run_scenario(name: str, python: str, site: Path, daemon: Path, folder: Path) -> tuple[int, int, int]:
    """Gives how many checks passed, failed and were skipped; a scenario that does not end well has failed once more."""
    home = folder / f"home-{name}"
    home.mkdir()
    environment = {
        **os.environ,
        "HOME": str(home),
        "USERPROFILE": str(home),
        "TMPDIR": str(home),
        "QT_QPA_PLATFORM": "offscreen",
        "PYTHONPATH": os.pathsep.join([str(HERE)] if name in NOTHING_OF_OURS else [str(site), str(HERE)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "PITAYAD_DAEMON": str(daemon),
    }
    log = folder / f"{name}.log"
    start = time.monotonic()
    with log.open("w+b") as output:
        process = subprocess.Popen(
            [python, str(HERE / f"scenario_{name}.py")],
            cwd=home,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            code = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            code = -1
        finally:
            # With the daemon, if the scenario could not end that itself.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    text = log.read_text(errors="replace")
    print(f"--- {name}: {time.monotonic() - start:.0f} s")
    for line in text.splitlines():
        if RESULT.match(line):
            print(line)
    passed, failed, skipped = (len(re.findall(f"^{word}", text, re.M)) for word in ("ok   ", "FAIL ", "skipped: "))
    if (code != 0 and failed == 0) or passed + skipped == 0:
        failed += 1
        print(f"FAIL {name} ended with {code}" + (f" after {LIMIT} s" if code == -1 else ""))
    if failed:
        print("\n".join(line for line in text.splitlines() if not RESULT.match(line))[-12000:])
    return passed, failed, skipped


def main() -> int:
    """Exit status 0 if everything passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", required=True, help="of PyMoDAQ, for the headline")
    parser.add_argument("--python", required=True, help="that has this PyMoDAQ and zeroconf")
    parser.add_argument("--daemon", required=True, type=Path)
    parser.add_argument("--only", action="append", choices=SCENARIOS + ON_VERILOG)
    arguments = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    # Told to end, it ends what it started.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    enter_own_network()
    bring_up_network()
    sums = [0, 0, 0]
    with tempfile.TemporaryDirectory(prefix="pitayad-interop-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # Not resolved: the python of a virtual environment is a link, and must be called by its own name.
        python = str(Path(arguments.python).absolute())
        site = install(python, folder)
        print(f"PyMoDAQ {arguments.version}")
        version = tuple(int(part) for part in arguments.version.split(".")[:2])
        for scenario in arguments.only or [name for name in SCENARIOS if version >= SINCE.get(name, (0, 0))]:
            counts = run_scenario(scenario, python, site, arguments.daemon.resolve(), folder)
            sums = [total + count for total, count in zip(sums, counts, strict=True)]
    passed, failed, skipped = sums
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
