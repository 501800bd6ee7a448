"""Language models that write, against transformers' `generate` on random weights."""

import pytest
import torch

from engine.text.decoder import with_pictures
from engine.text.generation import Choosing, choose, generate, probabilities
from engine.text.language_models import QWEN3_4B
from engine.text.qwen25_vision import LIMITS, normalised
from engine.text.table import recognise
from engine.text.tokens import Picture
from engine.text.vision_patches import fitted, patches_of
from engine.weights.state_dict import StateDict
from tests.wet.text.test_language_models import NUMBERS, SIZES, rope
from tests.wet.text.test_vision_towers import filled, qwen3, qwen25


def writer(kind):
    """A model of transformers that writes."""
    import transformers

    more = {
        "Qwen3": {"rope_parameters": rope(1e6), "rms_norm_eps": 1e-6},
        "Mistral": {"rope_parameters": rope(1e9), "rms_norm_eps": 1e-5, "sliding_window": None},
        "Gemma2": {"rope_parameters": rope(1e4), "rms_norm_eps": 1e-6, "head_dim": 256},
    }[kind]
    more |= {"tie_word_embeddings": kind != "Mistral", "eos_token_id": None, "pad_token_id": 0}
    torch.manual_seed(6)
    config = getattr(transformers, f"{kind}Config")(**{**SIZES, **more, "bos_token_id": None})
    model = getattr(transformers, f"{kind}ForCausalLM")(config).eval()
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.copy_(torch.randn_like(tensor) * 0.06 + (tensor.ndim == 1))
    return model


def ours(model, **more):
    state = {name: each for name, each in model.state_dict().items() if "lm_head" not in name}
    weights = StateDict.of(state | more)
    encoder, config = recognise(weights)
    module = encoder.build(config)
    tensors = encoder.tensors(weights)
    module.load_state_dict({n: tensors[n] for n in tensors if "tekken" not in n}, strict=True)
    return module


LIKELIEST = Choosing()


def written(module, chunk, choosing=LIKELIEST, head=None, ends=(), most=16):
    with torch.no_grad():
        return generate(
            module,
            [chunk],
            choosing,
            head=head,
            ends=ends,
            most=most,
            checkpoint=lambda: None,
        )


def expected(model, count=16, **more):
    with torch.no_grad():
        found = model.generate(
            torch.tensor([NUMBERS]), max_new_tokens=count, do_sample=False, **more
        )
    return found[0, len(NUMBERS) :].tolist()


CHUNK = [(number, 1.0) for number in NUMBERS]


@pytest.mark.parametrize("kind", ["Qwen3", "Mistral", "Gemma2"])
def test_the_likeliest_tokens_are_those_of_transformers(kind):
    model = writer(kind)
    more = {"tekken_model": torch.zeros(3, dtype=torch.uint8)} if kind == "Mistral" else {}
    head = model.lm_head if kind == "Mistral" else None
    module = ours(model, **more)
    assert written(module, CHUNK, head=head, most=4) == expected(model, 4)
    # without a penalty random weights repeat one token
    found = written(module, CHUNK, Choosing(repetition_penalty=9.0), head)
    assert found == expected(model, repetition_penalty=9.0)
    assert len(set(found)) > 3


@pytest.mark.parametrize("make", [qwen25, qwen3])
def test_pictures_are_seen_while_writing(make):
    import transformers

    base = make()
    kind = type(base).__name__.replace("Model", "ForConditionalGeneration")
    model = filled(getattr(transformers, kind)(base.config))
    model.model = base
    side, rows, columns = (14, 10, 14) if make is qwen25 else (16, 18, 16)
    pixels = torch.rand(1, side * rows, side * columns, 3)
    if make is qwen25:
        patches = patches_of(normalised(fitted(pixels, 28, LIMITS)), 14, 2)
    else:
        patches = patches_of(pixels[0].movedim(-1, 0) * 2 - 1, 16, 2)
    count = rows * columns // 4
    chunk = [*CHUNK[:3], (291, 1.0), (Picture(pixels), 1.0), (292, 1.0), *CHUNK[3:6]]
    numbers = [*NUMBERS[:3], 291, *[290] * count, 292, *NUMBERS[3:6]]
    state = {}
    for name, tensor in base.state_dict().items():
        state[name.replace("language_model.", "model.", 1)] = tensor
    weights = StateDict.of(state)
    encoder, config = recognise(weights)
    module = encoder.build(config)
    tensors = encoder.tensors(weights)
    module.load_state_dict({name: tensors[name] for name in tensors}, strict=True)
    asked = torch.tensor([numbers])
    with torch.no_grad():
        answer = model.generate(
            asked,
            pixel_values=patches,
            image_grid_thw=torch.tensor([[1, rows, columns]]),
            mm_token_type_ids=(asked == 290).int(),
            max_new_tokens=8,
            do_sample=False,
            eos_token_id=None,
        )
    assert written(module, chunk, head=model.lm_head, most=8) == answer[0, len(numbers) :].tolist()
    # the order of the vectors matters, too, not the likeliest words alone
    vectors, places, *_ = with_pictures(module, chunk, lambda: None, row_by_row=True)
    seen = model.model.visual(patches, grid_thw=torch.tensor([[1, rows, columns]])).pooler_output
    torch.testing.assert_close(vectors[0, 4 : 4 + count], seen, rtol=1e-4, atol=1e-5)
    assert int(places.max()) == 4 + max(rows, columns) // 2 + 3


def test_it_ends_where_an_end_is_written():
    model = writer("Qwen3")
    module, choosing = ours(model), Choosing(repetition_penalty=9.0)
    whole = written(module, CHUNK, choosing)
    end = whole[5]
    assert written(module, CHUNK, choosing, ends={end}) == whole[: whole.index(end)]
    assert written(module, CHUNK, choosing, most=3) == whole[:3]


@pytest.mark.parametrize(
    ("choosing", "more"),
    [
        (Choosing(0.7), {}),
        (Choosing(1.3, top_k=7), {"top_k": 7}),
        (Choosing(0.5, top_p=0.6), {"top_p": 0.6}),
        (Choosing(1.0, min_p=0.2), {"min_p": 0.2}),
        (
            Choosing(0.8, top_k=20, top_p=0.9, min_p=0.05),
            {"top_k": 20, "top_p": 0.9, "min_p": 0.05},
        ),
        (Choosing(1.0, top_p=0.0), {"top_p": 0.0}),
    ],
)
def test_the_cuts_are_those_of_transformers(choosing, more):
    from transformers import (
        MinPLogitsWarper,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    kinds = {"top_k": TopKLogitsWarper, "top_p": TopPLogitsWarper, "min_p": MinPLogitsWarper}
    scores = torch.randn(500, generator=torch.Generator().manual_seed(3)) * 3
    told = TemperatureLogitsWarper(choosing.temperature)(None, scores[None])
    for name, value in more.items():
        told = kinds[name](value)(None, told)
    torch.testing.assert_close(probabilities(scores, choosing), told[0].softmax(-1))


def test_a_seed_decides_and_large_ones_are_taken():
    scores = torch.zeros(1000)

    def drawn(seed):
        random = torch.Generator().manual_seed(seed)
        return [choose(scores, Choosing(1.0), (), (), random) for _ in range(5)]

    assert drawn(2**64 - 1) == drawn(2**64 - 1) != drawn(1)


def test_presence_penalises_what_was_written_only():
    scores = torch.tensor([3.0, 2.0, 1.0])
    random = torch.Generator()
    choosing = Choosing(presence_penalty=1.5)
    assert choose(scores, choosing, [0], [], random) == 0
    assert choose(scores, choosing, [], [0, 0], random) == 1


def test_qwen_s_turns_and_texts():
    chat = QWEN3_4B.chat
    assert chat.written("Hi {}", system="Be kind {}", thinks=False) == (
        "<|im_start|>system\nBe kind {}<|im_end|>\n<|im_start|>user\nHi {}<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )
    assert chat.written("Hi", thinks=True) == (
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
