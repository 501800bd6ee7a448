"""A pack that waits forever."""

import threading

threading.Event().wait()
