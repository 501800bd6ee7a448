"""Vision towers of language models against transformers, on random weights."""

import pytest
import torch

from engine.text.encoder import PLAIN
from engine.text.qwen25_vision import LIMITS, normalised
from engine.text.table import recognise
from engine.text.tokens import Picture
from engine.text.vision_patches import fitted, patches_of
from engine.weights.state_dict import StateDict

ROWS, COLUMNS = 10, 14  # patches; 5 x 7 vectors, so windows of four sizes


def filled(model):
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.copy_(torch.randn_like(tensor) * 0.04 + (tensor.ndim == 1) * 0.8)
    return model.eval()


def qwen25():
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLModel

    torch.manual_seed(4)
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": 300,
            "hidden_size": 256,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "rms_norm_eps": 1e-6,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e6,
                "mrope_section": [16, 24, 24],
            },
        },
        vision_config={
            "depth": 9,
            "hidden_size": 160,
            "intermediate_size": 96,
            "num_heads": 2,
            "out_hidden_size": 256,
            "fullatt_block_indexes": [7],
        },
        image_token_id=290,
        vision_start_token_id=291,
        vision_end_token_id=292,
    )
    return filled(Qwen2_5_VLModel(config))


def qwen3():
    from transformers import Qwen3VLConfig, Qwen3VLModel

    torch.manual_seed(4)
    config = Qwen3VLConfig(
        text_config={
            "vocab_size": 300,
            "hidden_size": 96,
            "intermediate_size": 64,
            "num_hidden_layers": 4,
            "rms_norm_eps": 1e-6,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 128,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 5e6,
                "mrope_section": [24, 20, 20],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": 8,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_heads": 16,
            "out_hidden_size": 96,
            "num_position_embeddings": 36,
            "deepstack_visual_indexes": [1, 3, 5],
        },
        image_token_id=290,
        vision_start_token_id=291,
        vision_end_token_id=292,
    )
    return filled(Qwen3VLModel(config))


def in_file(model):
    named: dict[str, torch.Tensor] = {}
    for name, tensor in model.state_dict().items():
        named[name.replace("language_model.", "model.", 1)] = tensor
    return StateDict.of(named)


def built(weights):
    found = recognise(weights)
    assert found is not None
    encoder, config = found
    module = encoder.build(config)
    tensors = encoder.tensors(weights)
    module.load_state_dict({name: tensors[name] for name in tensors}, strict=True)
    return encoder, module


def difference(a, b):
    return ((a - b).norm() / b.norm()).item()


def test_qwen25_sees_a_picture_as_transformers_does():
    model = qwen25()
    encoder, module = built(in_file(model))
    assert (encoder.name, encoder.takes_pictures) == ("qwen25_7b", True)
    pixels = torch.rand(1, 14 * ROWS, 14 * COLUMNS, 3)
    patches = patches_of(normalised(fitted(pixels, 28, LIMITS)), 14, 2)
    grid = torch.tensor([[1, ROWS, COLUMNS]])
    with torch.no_grad():
        ordered = module.visual.look(pixels, lambda: None).vectors
        module.visual.in_window_order = False
        found = module.visual.look(pixels, lambda: None)
        expected = model.visual(patches, grid_thw=grid).pooler_output
    # the first window has 4 x 4 of the 5 x 7 vectors
    first = [7 * row + column for row in range(4) for column in range(4)]
    assert torch.equal(ordered[:16], found.vectors[first])
    assert len(ordered) == len(found.vectors)
    assert (found.rows, found.columns) == (ROWS // 2, COLUMNS // 2)
    assert difference(found.vectors, expected) < 5e-6

    # two pictures within a text: places of rows and columns, and what follows them
    count = len(found.vectors)
    picture = (Picture(pixels), 1.0)
    words = [(number, 1.0) for number in (5, 6, 7, 8, 9)]
    chunk = [*words[:2], picture, *words[2:4], picture, *words[4:]]
    numbers = [5, 6, *[290] * count, 7, 8, *[290] * count, 9]
    with torch.no_grad():
        ours = encoder.encode(module, [chunk], style=PLAIN, layer=None, checkpoint=lambda: None)
        given = torch.tensor([numbers])
        theirs = model(
            input_ids=given,
            pixel_values=torch.cat((patches, patches)),
            image_grid_thw=torch.cat((grid, grid)),
            mm_token_type_ids=(given == 290).long(),
        )
    assert ours.states.shape == theirs.last_hidden_state.shape
    assert difference(ours.states, theirs.last_hidden_state) < 5e-6


def test_qwen3_sees_a_picture_as_transformers_does():
    model = qwen3()
    encoder, module = built(in_file(model))
    assert (encoder.name, encoder.takes_pictures) == ("qwen3vl_4b", True)
    pixels = torch.rand(1, 16 * 18, 16 * 16, 3)
    patches = patches_of(pixels[0].movedim(-1, 0) * 2 - 1, 16, 2)
    grid = torch.tensor([[1, 18, 16]])
    with torch.no_grad():
        found = module.visual.look(pixels, lambda: None)
        expected = model.visual(patches, grid_thw=grid)
    assert (found.rows, found.columns) == (9, 8)
    assert difference(found.vectors, expected.pooler_output) < 5e-6
    for ours, theirs in zip(found.added, expected.deepstack_features, strict=True):
        assert difference(ours, theirs) < 5e-6
    words = [(number, 1.0) for number in (5, 6, 7)]
    chunk = [*words[:2], (Picture(pixels), 1.0), *words[2:]]
    given = torch.tensor([[5, 6, *[290] * 72, 7]])
    with torch.no_grad():
        ours = encoder.encode(module, [chunk], style=PLAIN, layer=None, checkpoint=lambda: None)
        theirs = model(
            input_ids=given,
            pixel_values=patches,
            image_grid_thw=grid,
            mm_token_type_ids=(given == 290).long(),
        )
    assert difference(ours.states, theirs.last_hidden_state) < 5e-6


def test_a_stop_is_noticed_within_the_tower():
    _, module = built(in_file(qwen25()))
    calls: list[int] = []
    with torch.no_grad():
        module.visual.look(torch.rand(1, 56, 56, 3), lambda: calls.append(1))
    assert len(calls) == 9


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((836, 1254), (840, 1260)),
        ((14, 14), (56, 56)),
        ((28, 3000), (28, 2996)),
        ((9, 9), (56, 56)),
    ],
)
def test_sizes_that_the_tower_takes(size, expected):
    assert fitted(torch.rand(1, *size, 3), 28, LIMITS).shape[1:] == expected
