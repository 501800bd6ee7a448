"""`PromptServer.instance.user_manager`: there is one user, and its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.paths import BadNameError, inside
from engine.settings import Settings

ONLY_USER = "default"


class UserManager:
    """What plugins ask about users."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.user_directory / "userdata"
        self._workflows = settings.user_directory
        self.users = {ONLY_USER: ONLY_USER}

    def get_users_file(self) -> str:
        """Where a list of users would be."""
        return str(self._workflows / "users.json")

    def get_request_user_id(self, request: Any) -> str:  # noqa: ARG002 - every request is of one
        """The user that sends a request."""
        return ONLY_USER

    def get_request_user_filepath(
        self,
        request: Any,  # noqa: ARG002
        file: str | None,
        type: str = "userdata",  # noqa: A002 - plugins name it
        create_dir: bool = True,
    ) -> str | None:
        """The path of a file of the user's; None where the name leads out of the folder.

        Raises:
            KeyError: there is no such type of data.
        """
        if type != "userdata":
            raise KeyError(f"Unknown filepath type:{type}")
        try:
            is_workflow = (file or "").split("/")[0] == "workflows"
            folder = self._workflows if is_workflow else self._folder
            path = folder if file is None else inside(folder, file)
        except BadNameError:
            return None
        if create_dir:
            made: Path = path if file is None else path.parent
            made.mkdir(parents=True, exist_ok=True)
        return str(path)
