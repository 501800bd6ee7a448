"""The V3 types that have a field in the editor: numbers, texts, booleans, combos, colours."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, StrEnum
from typing import Any, ClassVar, cast

from engine.compat.v3.sockets import Output, SocketType, WidgetInput, comfytype, plain, pruned
from engine.nodekit.folder_list import FolderList


class FolderType(StrEnum):
    """The folders that files are read from and saved to."""

    input = "input"
    output = "output"
    temp = "temp"


class UploadType(StrEnum):
    """What a combo of files lets the user upload: the name of the option."""

    image = "image_upload"
    audio = "audio_upload"
    video = "video_upload"
    model = "file_upload"


class NumberDisplay(StrEnum):
    """How a number's field looks."""

    number = "number"
    slider = "slider"
    color = "color"
    gradient_slider = "gradient_slider"


class ControlAfterGenerate(StrEnum):
    """What becomes of a number after each run."""

    fixed = "fixed"
    increment = "increment"
    decrement = "decrement"
    randomize = "randomize"


class RemoteOptions:
    """A combo whose choices the editor requests from a route of the server."""

    def __init__(
        self,
        route: str,
        refresh_button: bool,
        control_after_refresh: str = "first",
        timeout: int | None = None,
        max_retries: int | None = None,
        refresh: int | None = None,
        **unknown: Any,
    ) -> None:
        self._options = {
            "route": route,
            "refresh_button": refresh_button,
            "control_after_refresh": control_after_refresh,
            "timeout": timeout,
            "max_retries": max_retries,
            "refresh": refresh,
        } | unknown

    def as_dict(self) -> dict[str, Any]:
        """The options that are set."""
        return pruned(self._options)


class _NumberInput(WidgetInput):
    """What whole numbers and fractions have in common.

    Attributes:
        own: the option that only one of the two has.
    """

    own: ClassVar[str] = ""

    def __init__(
        self,
        id: str,
        display_name: str | None = None,
        optional: bool = False,
        tooltip: str | None = None,
        lazy: bool | None = None,
        default: float | None = None,
        min: float | None = None,
        max: float | None = None,
        step: float | None = None,
        *more: Any,
        **others: Any,
    ) -> None:
        names = (self.own, "display_mode", "socketless", "widget_type", "force_input")
        others |= dict(zip(names, more, strict=False))
        self.min, self.max, self.step = min, max, step
        setattr(self, self.own, others.pop(self.own, None))
        self.display_mode = others.pop("display_mode", None)
        super().__init__(id, display_name, optional, tooltip, lazy, default, **others)

    def _options(self) -> dict[str, Any]:
        return super()._options() | {
            "min": self.min,
            "max": self.max,
            "step": self.step,
            "display": plain(self.display_mode),
            self.own: plain(getattr(self, self.own)),
        }


@comfytype("INT")
class Int(SocketType):
    """Whole numbers."""

    Type = int

    class Input(_NumberInput):
        """A whole number between `min` and `max`."""

        own = "control_after_generate"


@comfytype("FLOAT")
class Float(SocketType):
    """Fractions."""

    Type = float

    class Input(_NumberInput):
        """A number between `min` and `max`, rounded to `round`."""

        own = "round"


@comfytype("STRING")
class String(SocketType):
    """Texts."""

    Type = str

    class Input(WidgetInput):
        """A text, of one line or several."""

        def __init__(
            self,
            id: str,
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            multiline: bool = False,
            placeholder: str | None = None,
            default: str | None = None,
            dynamic_prompts: bool | None = None,
            **others: Any,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip, lazy, default, **others)
            self.multiline = multiline
            self.placeholder = placeholder
            self.dynamic_prompts = dynamic_prompts

        def _options(self) -> dict[str, Any]:
            return super()._options() | {
                "multiline": self.multiline,
                "placeholder": self.placeholder,
                "dynamicPrompts": self.dynamic_prompts,
            }


@comfytype("BOOLEAN")
class Boolean(SocketType):
    """True or false."""

    Type = bool

    class Input(WidgetInput):
        """A switch, with a label for each state."""

        def __init__(
            self,
            id: str,
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            default: bool | None = None,
            label_on: str | None = None,
            label_off: str | None = None,
            **others: Any,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip, lazy, default, **others)
            self.label_on, self.label_off = label_on, label_off

        def _options(self) -> dict[str, Any]:
            return super()._options() | {"label_on": self.label_on, "label_off": self.label_off}


def read_choices(options: Any) -> list[Any] | None:
    """The choices of a combo: a list, or the values of an enumeration."""
    if options is None:
        return None
    if isinstance(options, FolderList):
        return options  # it knows its folder, so that the catalog lists that on request
    if isinstance(options, type) and issubclass(options, Enum):
        return [each.value for each in options]
    return [plain(each) for each in cast("Sequence[Any]", options)]


@comfytype("COMBO")
class Combo(SocketType):
    """One of several choices."""

    Type = str

    class Input(WidgetInput):
        """A field with choices: a list, an enumeration, files to upload, or a remote list."""

        def __init__(
            self,
            id: str,
            options: Any = None,
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            default: Any = None,
            control_after_generate: Any = None,
            upload: Any = None,
            image_folder: Any = None,
            remote: RemoteOptions | None = None,
            **others: Any,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip, lazy, default, **others)
            self.options = read_choices(options)
            self.multiselect = False
            self.control_after_generate = control_after_generate
            self.upload = upload
            self.image_folder = image_folder
            self.remote = remote

        def _options(self) -> dict[str, Any]:
            options = super()._options() | {
                "multiselect": self.multiselect,
                "options": self.options if self.options is not None or self.remote else [],
                "control_after_generate": plain(self.control_after_generate),
                "image_folder": plain(self.image_folder),
                "remote": self.remote.as_dict() if self.remote else None,
            }
            if self.upload is not None:
                options[plain(self.upload)] = True
            return options

    class Output(Output):
        """A choice; `options` may say which there are."""

        def __init__(
            self,
            id: str | None = None,
            display_name: str | None = None,
            options: Any = None,
            tooltip: str | None = None,
            is_output_list: bool = False,
            **unknown: Any,
        ) -> None:
            super().__init__(id, display_name, tooltip, is_output_list, **unknown)
            self.options = read_choices(options) or []


@comfytype("COMBO")
class MultiCombo(SocketType):
    """Several of the choices at once, as a list."""

    Type = list[str]

    class Input(Combo.Input):
        """A field in which several choices can be made."""

        def __init__(
            self,
            id: str,
            options: Any = None,
            *args: Any,
            placeholder: str | None = None,
            chip: bool | None = None,
            **others: Any,
        ) -> None:
            super().__init__(id, options, *args, **others)
            self.multiselect = True
            self.placeholder, self.chip = placeholder, chip

        def _options(self) -> dict[str, Any]:
            shown = pruned({"placeholder": self.placeholder, "chip": self.chip})
            return super()._options() | shown | {"multi_select": shown}


@comfytype("COLOR")
class Color(SocketType):
    """A colour as `#rrggbb`."""

    Type = str

    class Input(WidgetInput):
        """A field for a colour."""

        def __init__(self, id: str, *args: Any, **others: Any) -> None:
            others.setdefault("default", "#ffffff")
            super().__init__(id, *args, **others)


@comfytype("BOUNDING_BOX")
class BoundingBox(SocketType):
    """A rectangle in pixels: `{"x", "y", "width", "height"}`."""

    Type = dict[str, int]

    class Input(WidgetInput):
        """A field for a rectangle."""

        def __init__(
            self,
            id: str,
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            socketless: bool = True,
            default: Any = None,
            component: str | None = None,
            **others: Any,
        ) -> None:
            start = default or {"x": 0, "y": 0, "width": 512, "height": 512}
            super().__init__(
                id,
                display_name,
                optional,
                tooltip,
                default=start,
                socketless=socketless,
                **others,
            )
            self.component = component

        def _options(self) -> dict[str, Any]:
            return super()._options() | {"component": self.component}


@comfytype("CURVE")
class Curve(SocketType):
    """A curve: points `[[x, y], ...]` with x rising from 0 to 1."""

    Type = list[Any]

    class Input(WidgetInput):
        """A field for a curve."""

        def __init__(self, id: str, *args: Any, **others: Any) -> None:
            others.setdefault("default", [[0.0, 0.0], [1.0, 1.0]])
            super().__init__(id, *args, **others)
