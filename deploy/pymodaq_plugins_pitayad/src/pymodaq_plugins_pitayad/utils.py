"""What has another place in PyMoDAQ 4 than in 5, and the configuration of this package."""

from __future__ import annotations

from pathlib import Path

try:
    from pymodaq_utils.config import BaseConfig
    from pymodaq_utils.utils import ThreadCommand
except ImportError:
    from pymodaq.utils.config import BaseConfig
    from pymodaq.utils.daq_utils import ThreadCommand

__all__ = ["Config", "ThreadCommand"]


class Config(BaseConfig):
    """Defaults of the plug-ins. The template is copied to the user's configuration folder at the first use."""

    config_template_path = Path(__file__).parent / "resources" / "config_template.toml"
    config_name = "config_pitayad"
