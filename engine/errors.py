"""Errors that a user can act on, as one tree.

A message says what was asked, what was found and what to do.
"""

import signal


class CalotypeError(Exception):
    """The root: its text can be shown to a user unchanged."""


class SettingsError(CalotypeError):
    """A flag, a configuration file or a folder cannot be used."""


class FilesError(CalotypeError):
    """A file is missing, is outside the allowed folders, or cannot be read or written."""


class DiskError(FilesError):
    """The disk refused to write.

    Attributes:
        full: whether for lack of space; then the same may work later.
    """

    def __init__(self, message: str, *, full: bool = False) -> None:
        self.full = full
        super().__init__(message)


class MediaError(CalotypeError):
    """A picture, video or sound cannot be read or written."""


class WorkflowError(CalotypeError):
    """A document is neither a saved workflow nor a prompt, or cannot become one."""


class PromptError(WorkflowError):
    """A prompt as a whole cannot be run.

    Attributes:
        kind: the API's error type, such as `invalid_prompt`.
        details: where in the prompt, for the API's `details`.
    """

    def __init__(self, message: str, *, kind: str = "invalid_prompt", details: str = "") -> None:
        self.kind = kind
        self.details = details
        super().__init__(message)


class CircleError(CalotypeError):
    """A graph has a cycle.

    Attributes:
        path: the node ids along the cycle, the first one repeated at the end.
    """

    def __init__(self, path: list[str]) -> None:
        self.path = path
        shown = path if len(path) <= 12 else [*path[:6], f"({len(path) - 12} more)", *path[-6:]]
        super().__init__(f"the graph runs in a circle: {' -> '.join(shown)}; remove one link of it")


class NodeError(CalotypeError):
    """A node was given something it cannot work with."""


class WeightsError(CalotypeError):
    """A weights file is damaged, hostile, incomplete or of an unknown kind."""


class StoreError(CalotypeError):
    """The database cannot be opened or written, or refuses a request."""


class IdTakenError(StoreError):
    """Another prompt has the requested id."""


class WireError(CalotypeError):
    """Another of our processes is gone, or sent something that is not a message."""


class OutOfMemoryError(CalotypeError):
    """The work does not fit into the memory it may use, even after everything else was released."""


class Stopped(CalotypeError):  # noqa: N818 - not a failure: the user pressed stop
    """The user stopped the run; raised by `checkpoint()`."""

    def __init__(self) -> None:
        super().__init__("stopped by the user")


def is_from_user(error: BaseException) -> bool:
    """Whether an interrupt is Ctrl-C. Where that is ignored, as in a worker, a plugin raised it."""
    return isinstance(error, KeyboardInterrupt) and (
        signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    )


def error_text(error: BaseException) -> str:
    """An error's own text, its class where it has none, and for an exit what that means."""
    if isinstance(error, SystemExit):
        return f"its code ended the program (exit code {error.code!r})"
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a plugin's own class may fail to give one
        text = ""
    return text or type(error).__name__
