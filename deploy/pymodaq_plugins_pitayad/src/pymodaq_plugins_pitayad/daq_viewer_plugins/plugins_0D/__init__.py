"""PyMoDAQ reads the attribute ``path`` of this package and lists the modules beside it; the loop leaves it behind."""

import importlib
import logging
from pathlib import Path

for path in sorted(Path(__file__).parent.iterdir()):
    if path.suffix == ".py" and path.stem != "__init__":
        try:
            importlib.import_module(f".{path.stem}", __package__)
        except Exception as error:
            # One instrument that cannot be loaded must not hide the others.
            logging.getLogger(__name__).warning("%s could not be imported: %s", path.stem, error)
