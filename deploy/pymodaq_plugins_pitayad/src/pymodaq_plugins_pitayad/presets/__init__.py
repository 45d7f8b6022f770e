"""Ready presets for PyMoDAQ's dashboard; ``pitayad-presets`` installs them."""
