"""Files that name further folders."""

from engine.compat.host.small_modules import load_extra_path_config
