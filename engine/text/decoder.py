"""Language models as text encoders: prompts, and pictures in them, to states of some layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from engine.errors import NodeError, WeightsError
from engine.text import decoder_keys
from engine.text.chat import QWEN3, Chat
from engine.text.decoder_keys import Traits
from engine.text.decoder_network import (
    HEAD_CHANNELS,
    Decoder,
    DecoderConfig,
    Rotary,
    decoder_config,
)
from engine.text.encoder import PLAIN, Checkpoint, Encoded, TextStyle, Tokens
from engine.text.token_vectors import fitting, moved, vectors, weights_of
from engine.text.tokenizer_files import TokenizerSource, tokenizer_of
from engine.text.tokens import Embeddings, Picture, WeightedToken, grouped
from engine.weights.state_dict import StateDict

QWEN_PAD, IM_START, USER, NEW_LINE, IMAGE_PAD = 151643, 151644, 872, 198, 151655
TURN = "<|im_start|>"
"""Begins a turn in Qwen's templates."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A picture as a vision tower sees it.

    Attributes:
        vectors: [N, D], in the place of tokens.
        rows, columns: of them; N = rows * columns.
        added: [N, D] each, added to the states after the first layers.
        in_rows: the places of the vectors, row by row; None if they are in that order.
    """

    vectors: Tensor
    rows: int
    columns: int
    added: Sequence[Tensor] = ()
    in_rows: Tensor | None = None


class VisionTower(Protocol):
    """A network that turns a picture into vectors in the place of tokens."""

    def look(self, pixels: Tensor, checkpoint: Checkpoint) -> Seen:
        """A picture [1, h, w, 3], 0 to 1, of any size."""
        ...


class VisionKind(Protocol):
    """How to build the vision tower of one model."""

    def config(self, tensors: StateDict) -> Any:
        """The sizes, from tensors below `visual.`; None without any."""
        ...

    def build(self, config: Any) -> nn.Module:
        """The tower, on the current default device."""
        ...


@dataclass(frozen=True, slots=True)
class LanguageSetup:
    """The configuration of one file: sizes of the parts, and where its tokenizer is."""

    sizes: DecoderConfig
    vision: Any
    tokenizer: TokenizerSource = field(compare=False)

    @property
    def layers(self) -> int:
        """The number of layers."""
        return self.sizes.layers


class LanguageModel(nn.Module):
    """The decoder and, if the file has one, its vision tower."""

    def __init__(self, setup: LanguageSetup, vision: VisionKind | None) -> None:
        super().__init__()
        self.model = Decoder(setup.sizes)
        if vision is not None and setup.vision is not None:
            self.visual = vision.build(setup.vision)


@dataclass(frozen=True, slots=True)
class LanguageEncoder:
    """One language model, see `engine.text.encoder.TextEncoder`.

    Attributes:
        name, title: see the protocol.
        is_this: whether tensors with these traits are this model's.
        rotary, epsilon: see `DecoderConfig`.
        shipped: the name of the tokenizer that is part of this program; None if it is not.
        tokenizer_file: which file to get if there is no tokenizer, for messages.
        pad: the token that fills; what follows it is not attended to.
        pads_with_a_word: whether prompts have that token, too: only those at the end fill.
        start: the token in front of every prompt; None: none.
        head_channels: see `decoder_config`.
        vision: of models that take pictures.
        chat: how it is addressed when it is to write.
        tied_width: models up to this width score words with the table of their tokens' vectors.
    """

    name: str
    title: str
    is_this: Callable[[Traits], bool]
    rotary: Rotary
    epsilon: float
    shipped: str | None
    tokenizer_file: str
    pad: int = QWEN_PAD
    pads_with_a_word: bool = False
    start: int | None = None
    head_channels: int = HEAD_CHANNELS
    vision: VisionKind | None = None
    chat: Chat = QWEN3
    tied_width: int = 2560
    file_prefix: str = ""

    @property
    def takes_pictures(self) -> bool:
        """See the protocol."""
        return self.vision is not None

    def detect(self, weights: StateDict) -> LanguageSetup | None:
        """The configuration of a file with this model's traits."""
        found = decoder_keys.find_tensors(weights)
        if found is None or not self.is_this(decoder_keys.traits(weights, found)):
            return None
        return self.config(found)

    def config(self, tensors: StateDict) -> LanguageSetup:
        """The sizes. Raises `WeightsError` if a tensor is missing."""
        neighbours = decoder_keys.pairs_are_neighbours(tensors)
        rotary = replace(self.rotary, neighbours=neighbours)
        return LanguageSetup(
            decoder_config(
                tensors.shapes,
                epsilon=self.epsilon,
                rotary=rotary,
                head_channels=self.head_channels,
            ),
            self.vision.config(tensors.part("visual.")) if self.vision else None,
            tokenizer_of(tensors, self.name, shipped=self.shipped, wanted=self.tokenizer_file),
        )

    def tensors(self, weights: StateDict) -> StateDict:
        """The tensors under the module's names."""
        found = decoder_keys.find_tensors(weights)
        if found is None:
            raise ValueError("these are no tensors of a language model")
        if self.vision is None:
            return found.rename(lambda name: None if name.startswith("visual.") else name)
        return found

    def build(self, config: LanguageSetup) -> nn.Module:
        """The module, on the current default device."""
        return LanguageModel(config, self.vision).eval()

    def width(self, config: LanguageSetup) -> int:
        """The width of the layers."""
        return config.sizes.channels

    def tokenize(
        self,
        config: LanguageSetup,
        text: str,
        embeddings: Embeddings | None,
        *,
        style: TextStyle = PLAIN,
        pictures: Sequence[Picture] = (),
    ) -> Tokens:
        """One chunk of any length: the prompt within its template, pictures in their places."""
        template = (style.picture_template if pictures else None) or style.template
        has_own = style.only_after_template or style.only_after_system
        if has_own and text.startswith(TURN):
            template = "{}"
        before, _, after = template.partition("{}")
        found = fitting(embeddings, config.sizes.channels) if embeddings else None
        groups = grouped(
            config.tokenizer.get(),
            before + (text or style.if_empty) + after,
            embeddings=found,
            weighted=style.weighted,
        )
        first: list[WeightedToken] = [] if self.start is None else [(self.start, 1.0)]
        chunk = [*first, *((each, weight) for group, weight in groups for each in group)]
        left = list(pictures)
        for i, (token, weight) in enumerate(chunk):
            if left and isinstance(token, int) and token == IMAGE_PAD:
                chunk[i] = left.pop(0), weight
        return [self._padded(chunk, style)]

    def _padded(self, chunk: list[WeightedToken], style: TextStyle) -> list[WeightedToken]:
        """At least one token, at least as many as the style wants, and a multiple of its number."""
        least = -(-max(style.shortest, len(chunk), 1) // style.multiple) * style.multiple
        return [*chunk, *[(self.pad, 1.0)] * (least - len(chunk))]

    def empty(self, config: LanguageSetup, style: TextStyle = PLAIN) -> Sequence[WeightedToken]:
        """The chunk of an empty prompt."""
        return self.tokenize(config, "", None, style=style)[0]

    def encode(
        self,
        module: nn.Module,
        tokens: Tokens,
        *,
        style: TextStyle,
        layer: int | None,
        checkpoint: Checkpoint,
    ) -> Encoded:
        """States [1, T, D] of one chunk; with several layers D is their sum, layer by layer.

        The mask [1, T] is 0 from the first padding on. There is no pooled output.

        Raises:
            WeightsError: the file has too few layers.
            NodeError: the prompt has a picture, and the file no vision tower.
        """
        chunk = tokens[0]
        weights = weights_of([chunk])
        states, mask, pictures = self._states(module, chunk, style, layer, checkpoint)
        if weights is not None and len(weights[0]) == states.shape[1]:
            padding: Tokens = [[(self.pad, 1.0)] * len(chunk)]
            empty, *_ = self._states(module, padding[0], style, layer, checkpoint)
            states = moved(states, empty, weights)
        first = template_end(chunk) if style.only_after_template else 0
        if style.only_after_system:
            first = system_end(chunk)
        first = max(first, style.left_out)
        places = tuple((start - first, stop - first) for start, stop in pictures)
        return Encoded(states[:, first:], mask=mask[:, first:], pictures=places)

    def _states(
        self,
        module: nn.Module,
        chunk: Sequence[WeightedToken],
        style: TextStyle,
        layer: int | None,
        checkpoint: Checkpoint,
    ) -> tuple[Tensor, Tensor, list[tuple[int, int]]]:
        """States and mask of all tokens, on the CPU; where those of pictures begin and end."""
        decoder = cast("LanguageModel", module).model
        wanted = _wanted(decoder.config.layers, style, layer)
        given, positions, added, pictures = with_pictures(module, chunk, checkpoint)
        mask = self._mask(chunk, given.shape[1])
        if style.padding_place is not None:
            positions = positions.masked_fill(mask.to(positions.device) == 0, style.padding_place)
        here = mask.to(given.device)
        states = decoder.states(
            given, wanted, checkpoint, positions=positions, mask=here, added=added
        )
        states = [
            decoder.norm(each) if style.normalises(passed, decoder.config.layers) else each
            for passed, each in zip(wanted, states, strict=True)
        ]
        return torch.cat([each.float().cpu() for each in states], dim=-1), mask, pictures

    def _mask(self, chunk: Sequence[WeightedToken], length: int) -> Tensor:
        """[1, T]: 0 from the first token of padding on, and all ones if that is the first."""
        mask = torch.ones(1, length, dtype=torch.long, device="cpu")
        numbers = [token if isinstance(token, int) else -1 for token, _ in chunk]
        first = numbers.index(self.pad) if self.pad in numbers else 0
        if self.pads_with_a_word:
            filled = next((n for n, each in enumerate(reversed(numbers)) if each != self.pad), 0)
            first = (len(numbers) - filled) % len(numbers)
        mask[:, length - len(chunk) + first :] = 0 if first else 1
        return mask

    def activation_bytes(self, config: LanguageSetup, tokens: Tokens, dtype_bytes: int) -> int:
        """Bytes of a few tensors of the feed-forward width, of scores, and of pictures."""
        sizes = config.sizes
        pictures = sum(isinstance(token, Picture) for token, _ in tokens[0])
        length = len(tokens[0]) + pictures * MOST_PICTURE_TOKENS
        wide = 3 * sizes.feed_forward + 10 * sizes.channels + sizes.heads * length
        looking = pictures * MOST_PICTURE_TOKENS * 4 * 20_000
        return (length * wide + looking) * max(dtype_bytes, 4)


MOST_PICTURE_TOKENS = 1600
"""Vectors of a picture of about a megapixel."""


def _wanted(count: int, style: TextStyle, layer: int | None) -> Sequence[int]:
    """How many layers the states have passed that make the conditioning."""
    if style.layers:
        if max(style.layers) > count:
            raise WeightsError(
                f"this text encoder has {count} layers, and the model takes the output of layer "
                f"{max(style.layers)}; use the text encoder that belongs to the model"
            )
        return style.layers
    chosen = style.layer if layer is None else layer
    return (min(max(count + chosen if chosen < 0 else chosen, 0), count - 1) + 1,)


def template_end(chunk: Sequence[WeightedToken]) -> int:
    """The index of the first token of the prompt in Qwen's template, behind `user` and a new line.

    That is in the second turn, or in the first if there is one only.
    """
    numbers = [token if isinstance(token, int) else -1 for token, _ in chunk]
    turns = [i for i, number in enumerate(numbers) if number == IM_START][:2]
    if not turns:
        return 0
    end = turns[-1]
    begins_user = numbers[end + 1 : end + 3] == [USER, NEW_LINE]
    return end + 3 if begins_user and len(numbers) > end + 3 else end


def system_end(chunk: Sequence[WeightedToken]) -> int:
    """The index of the first token of the second turn in Qwen's template; 0 with fewer turns."""
    turns = [
        i for i, (token, _) in enumerate(chunk) if isinstance(token, int) and token == IM_START
    ]
    return turns[1] if len(turns) > 1 else 0


def with_pictures(
    module: nn.Module,
    chunk: Sequence[WeightedToken],
    checkpoint: Checkpoint,
    *,
    row_by_row: bool = False,
) -> tuple[Tensor, Tensor, dict[int, Tensor], list[tuple[int, int]]]:
    """Vectors [1, T, D], positions [3, T], and what is added to states after the first layers.

    The last result is where the vectors of each picture begin and end. With `row_by_row` they are
    in the order that the model was trained with.

    The rows and columns of a picture count from the place where it stands; text goes on behind the
    larger of the two (Wang et al. 2024, "Qwen2-VL", section 2.1).
    """
    decoder = cast("LanguageModel", module).model
    plain = [[(0 if isinstance(t, Picture) else t, weight) for t, weight in chunk]]
    text = vectors(decoder.embed_tokens, plain, 0)
    parts: list[Tensor] = []
    places: list[Tensor] = []
    added: dict[int, list[tuple[int, Tensor]]] = {}
    pictures: list[tuple[int, int]] = []
    start = at = done = 0
    for i, (token, _) in enumerate(chunk):
        if not isinstance(token, Picture):
            continue
        seen = _look(module, token, checkpoint)
        order = slice(None) if not row_by_row or seen.in_rows is None else seen.in_rows
        parts += [text[:, done:i], seen.vectors[order][None].to(text)]
        places += [_line(at, i - done), _grid(at + i - done, seen, text.device)]
        start += i - done
        for number, each in enumerate(seen.added):
            added.setdefault(number, []).append((start, each))
        pictures.append((start, start + len(seen.vectors)))
        start += len(seen.vectors)
        at += i - done + max(seen.rows, seen.columns)
        done = i + 1
    parts.append(text[:, done:])
    places.append(_line(at, text.shape[1] - done))
    whole = torch.cat(parts, dim=1)
    return whole, torch.cat(places, dim=1), _spread(added, whole), pictures


def _line(first: int, count: int) -> Tensor:
    return torch.arange(first, first + count).expand(3, -1)


def _grid(first: int, seen: Seen, device: torch.device) -> Tensor:
    rows = torch.arange(seen.rows, device=device).repeat_interleave(seen.columns)
    columns = torch.arange(seen.columns, device=device).repeat(seen.rows)
    return first + torch.stack((torch.zeros_like(rows), rows, columns))


def _spread(added: dict[int, list[tuple[int, Tensor]]], whole: Tensor) -> dict[int, Tensor]:
    """What is added at each layer, as large as the states."""
    found: dict[int, Tensor] = {}
    for number, each in added.items():
        found[number] = torch.zeros_like(whole)
        for start, values in each:
            found[number][0, start : start + len(values)] = values.to(whole)
    return found


def _look(module: nn.Module, picture: Picture, checkpoint: Checkpoint) -> Seen:
    tower = getattr(module, "visual", None)
    if tower is None:
        raise NodeError(
            "the file of this text encoder has no vision tower, so prompts cannot contain "
            "pictures; use a file that has one (its tensors begin with visual.)"
        )
    return cast("VisionTower", tower).look(picture.pixels, checkpoint)
