"""The log of this process."""

from engine.compat.host.small_modules import get_logs, log_startup_warning, on_flush, setup_logger
