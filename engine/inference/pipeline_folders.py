"""Opens a pipeline in diffusers' folders: `unet` or `transformer`, `text_encoder`s and `vae`.

Of the JSON files beside the weights only what the tensors do not show is used: what the network
predicts (`scheduler`), and its number of attention heads. Layout:
https://huggingface.co/docs/diffusers/using-diffusers/other-formats
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from engine.diffusion.parameterization import Discrete, Prediction, discrete
from engine.errors import WeightsError
from engine.families.autoencoders import find_autoencoder
from engine.families.detect import detect, detect_encoder
from engine.families.family import ModelFamily, TextPlan
from engine.families.sd15.family import HEADS_METADATA
from engine.inference.load import checkpoint_of, clip_of_plan, missing_clip, model_of, vae_of
from engine.inference.values import Clip, Model, Vae
from engine.text.table import ENCODERS
from engine.weights.open import open_weights
from engine.weights.state_dict import Entry, StateDict

DENOISERS = ("unet", "transformer")
TEXT_ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3")
AUTOENCODER = "vae"
_STEMS = ("diffusion_pytorch_model", "model", "pytorch_model")
_VARIANTS = ("", ".fp16", ".bf16", ".non_ema")
_SUFFIXES = (".safetensors", ".bin")
"""In the order of preference: a file of all tensors in full precision, and no pickled one."""
_MOST_BYTES = 64 << 20
_PREDICTIONS: Mapping[str, Prediction] = {
    "epsilon": Prediction.EPS,
    "v_prediction": Prediction.V,
}


def load_pipeline(folder: Path) -> tuple[Model, Clip, Vae]:
    """The three values of a pipeline's folder. Reads names and shapes, no tensor.

    Args:
        folder: holds `unet` or `transformer`, and the other parts beside it.

    Raises:
        WeightsError: there is no denoiser, no family runs it, or a file is damaged or incomplete.
            A part that is missing as a whole is an error when it is used.
    """
    kind = next((each for each in DENOISERS if weights_files(folder / each)), None)
    if kind is None:
        raise WeightsError(
            f"{folder.name}: expected the weights of a denoiser in unet/ or transformer/ "
            f"({_STEMS[0]}.safetensors, or its parts with their index), found none"
        )
    denoiser = _part(folder, kind)
    texts = [_part(folder, each) for each in TEXT_ENCODERS if weights_files(folder / each)]
    vae = _part(folder, AUTOENCODER) if weights_files(folder / AUTOENCODER) else None
    if kind == "unet":
        return _of_unet(folder, denoiser, texts, vae)
    family, config = detect(denoiser, wanted="a diffusion model")
    model = model_of(family, config, denoiser)
    return model, _clip(family, folder, texts), _vae(folder, vae)


def weights_files(folder: Path) -> tuple[Path, ...]:
    """The files with the weights of one part, and their index where there are several.

    Returns:
        none if there are no weights of a known name.
    """
    for suffix in _SUFFIXES:
        for stem in _STEMS:
            for variant in _VARIANTS:
                whole = folder / f"{stem}{variant}{suffix}"
                if whole.is_file():
                    return (whole,)
                index = folder / f"{stem}{suffix}.index{variant}.json"
                if index.is_file():
                    return (index, *_shards(index))
    return ()


def pipeline_files(folder: Path) -> Iterator[Path]:
    """Every file that `load_pipeline` reads and that exists."""
    for part in (*DENOISERS, *TEXT_ENCODERS, AUTOENCODER):
        yield from (each for each in weights_files(folder / part) if each.is_file())
    for name in ("unet/config.json", "scheduler/scheduler_config.json"):
        if (folder / name).is_file():
            yield folder / name


def _of_unet(
    folder: Path, unet: StateDict, texts: Sequence[StateDict], vae: StateDict | None
) -> tuple[Model, Clip, Vae]:
    """A pipeline of the Stable Diffusion line, whose other parts tell its families apart."""
    parts = [unet, *texts, *([vae] if vae else [])]
    heads = _json(folder / "unet" / "config.json").get("attention_head_dim")
    whole = StateDict(
        {
            f"{part.path.name}.{name}": entry
            for part in parts
            if part.path is not None
            for name, entry in part.entries.items()
        },
        folder,
        # An old error of diffusers: the number under this name is one of heads.
        {HEADS_METADATA: str(heads)} if isinstance(heads, int) else {},
        _forget_all(parts),
    )
    said = _json(folder / "scheduler" / "scheduler_config.json")
    model, clip, autoencoder = checkpoint_of(whole)
    return _predicting(model, said), clip, autoencoder


def _predicting(model: Model, scheduler: Mapping[str, Any]) -> Model:
    """The model with the prediction that the scheduler's config states."""
    prediction = _PREDICTIONS.get(str(scheduler.get("prediction_type")))
    levels = model.parameterization
    zero = scheduler.get("rescale_betas_zero_snr") is True
    if prediction is None or not isinstance(levels, Discrete):
        return model
    if levels.prediction is prediction and not zero:
        return model
    return replace(model, parameterization=discrete(prediction, zero_terminal_snr=zero))


def _clip(family: ModelFamily, folder: Path, texts: Sequence[StateDict]) -> Clip:
    """The text encoders, as one of the family's plans uses them."""
    found = [(weights, *detect_encoder(weights)) for weights in texts]
    names = [encoder.name for _, encoder, _ in found]
    plans: tuple[TextPlan, ...] = (family.text, *family.text.others)
    once = len(set(names)) == len(names)
    plan = next((each for each in plans if once and each.fits(names)), None)
    if plan is not None:
        return clip_of_plan(plan, found)
    if not found:
        return missing_clip(family.text, folder.name)
    titles = ", ".join(encoder.title for _, encoder, _ in found)
    wanted = " or ".join(
        " and ".join(ENCODERS[name].title for name in each.styles) for each in plans if each.styles
    )
    raise WeightsError(
        f"{folder.name}: {family.name} takes {wanted or 'no text encoder'}; found {titles}. Load "
        "the text encoders from separate files with Load CLIP."
    )


def _vae(folder: Path, weights: StateDict | None) -> Vae:
    if weights is None:
        return vae_of(StateDict({}, folder), None, None)
    try:
        found = find_autoencoder(weights)
    except WeightsError as error:
        raise WeightsError(f"{folder.name}/{AUTOENCODER}: {error}") from error
    if found is None:
        raise WeightsError(f"{folder.name}/{AUTOENCODER}: of no known kind of autoencoder")
    return vae_of(weights, found, None)


def _part(folder: Path, name: str) -> StateDict:
    """The tensors of one part, from one file or several; its path is the part's folder."""
    files = weights_files(folder / name)
    shards = [open_weights(each) for each in files if each.suffix != ".json"]
    entries: dict[str, Entry] = {}
    for shard in shards:
        entries |= shard.entries
    return StateDict(entries, folder / name, {}, _forget_all(shards))


def _forget_all(parts: Sequence[StateDict]) -> Callable[[], None]:
    def forget() -> None:
        for part in parts:
            part.forget()

    return forget


def _shards(index: Path) -> list[Path]:
    """The files that an index names, which lie beside it.

    Raises:
        WeightsError: it is damaged, or names something elsewhere.
    """
    named = _json(index).get("weight_map")
    if not isinstance(named, dict) or not named:
        raise WeightsError(f"{index.parent.name}/{index.name}: has no weight_map of files")
    names = {str(each) for each in cast("dict[str, object]", named).values()}
    for each in names:
        if Path(each).name != each or "\\" in each or each.startswith("."):
            raise WeightsError(
                f"{index.parent.name}/{index.name}: names the file {ascii(each)[:100]}, expected "
                "one beside it"
            )
    return [index.parent / each for each in sorted(names)]


def _json(path: Path) -> Mapping[str, Any]:
    """The object in a JSON file; an empty one where there is no such file.

    Raises:
        WeightsError: it is damaged.
    """
    if not path.is_file():
        return {}
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it has {path.stat().st_size:,} bytes")
        found: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(
            f"{path.parent.name}/{path.name}: cannot be read: {str(error)[:200]}"
        ) from error
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}
