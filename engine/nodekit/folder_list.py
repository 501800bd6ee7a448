"""The names of a folder's files as a list that knows where it comes from.

Plugins put such a list into `INPUT_TYPES`. The catalog then lists the folder again on each request,
instead of showing the files that were there when the plugin loaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, SupportsIndex, overload


class FolderList(list[str]):
    """The names of files, and of what folder.

    `["None"] + names` and `names + ["x"]` are lists of the same kind that have more choices before
    and after the files. Any other change makes it a plain list of choices, see `is_as_listed`.

    Attributes:
        folder: the kind of the folder: `loras`, `input`.
        before, after: the choices around the files.
    """

    def __init__(
        self,
        folder: str,
        names: Iterable[str],
        *,
        before: Iterable[str] = (),
        after: Iterable[str] = (),
    ) -> None:
        names = tuple(names)
        self.folder = folder
        self.before, self.after = tuple(before), tuple(after)
        self._names = names
        super().__init__((*self.before, *names, *self.after))

    @property
    def is_as_listed(self) -> bool:
        """Whether it holds what it was made of, so that the folder may be listed in its place."""
        return [*self] == [*self.before, *self._names, *self.after]

    @overload
    def __add__(self, other: list[str], /) -> list[str]: ...
    @overload
    def __add__(self, other: list[Any], /) -> list[Any]: ...
    def __add__(self, other: list[Any], /) -> list[Any]:
        if not self.is_as_listed or isinstance(other, FolderList):
            return [*self, *other]
        return FolderList(self.folder, self._names, before=self.before, after=(*self.after, *other))

    def __radd__(self, other: list[Any], /) -> list[Any]:
        if not self.is_as_listed:
            return [*other, *self]
        return FolderList(self.folder, self._names, before=(*other, *self.before), after=self.after)

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> tuple[Any, ...]:
        """A copy is a plain list: it may go anywhere."""
        return (list, ([*self],))

    def copy(self) -> list[str]:
        """The same, to be changed by its caller."""
        return FolderList(self.folder, self._names, before=self.before, after=self.after)
