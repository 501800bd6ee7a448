"""CLIP objects of plugins against the built-in nodes, in numbers."""

import pytest
import torch
from safetensors.torch import save_file

from engine.compat.boundary import plugin_boundary
from engine.compat.install import host_module, install_facade
from engine.files import Files
from engine.inference.load import load_checkpoint
from engine.settings import Settings
from nodes.lora import load_lora as lora_loader
from nodes.text import clip_set_last_layer, clip_text_encode

install_facade()
PROMPTS = ("", "a cat", "a (red:1.4) cat, [sitting] on a ((mat)) \\(indoors\\)", "word " * 90)


@pytest.fixture(autouse=True)
def never_stopped(monkeypatch):
    management = host_module("comfy.model_management")
    monkeypatch.setattr(
        management, "throw_exception_if_processing_interrupted", lambda: None, raising=False
    )


@pytest.fixture
def files(tmp_path):
    base = tmp_path / "models"
    for name in ("embeddings", "loras"):
        (base / name).mkdir(parents=True)
    return Files(Settings(models_directories=(base,)))


class Ctx:
    def __init__(self, files):
        self.files = files
        self.checkpoint = lambda: None
        self.shown = []

    def show(self, **kwargs):
        self.shown.append(kwargs)


@pytest.fixture
def values(small_tensors, tmp_path, cpu_residency):
    path = tmp_path / "small.safetensors"
    save_file(small_tensors, path)
    return load_checkpoint(path)


@pytest.fixture
def clip(values):
    return values[1]


def given(value):
    return plugin_boundary().to_object(value)


@pytest.mark.parametrize("text", PROMPTS)
def test_tokenize_and_encode_is_clip_text_encode(clip, files, text):
    (tensor, extras), *rest = clip_text_encode(text, clip, Ctx(files))
    shown = given(clip)
    tokens = shown.tokenize(text)
    assert all(len(chunk) == 77 for chunk in tokens["l"])
    cond, pooled = shown.encode_from_tokens(tokens, return_pooled=True)
    assert not rest
    assert torch.equal(cond, tensor)
    assert torch.equal(pooled, extras["pooled_output"])
    (scheduled,) = shown.encode_from_tokens_scheduled(tokens, add_dict={"width": 7})
    assert torch.equal(scheduled[0], tensor)
    assert scheduled[1]["width"] == 7
    as_dict = shown.encode_from_tokens(tokens, return_pooled=True, return_dict=True)
    assert torch.equal(as_dict["cond"], tensor)
    assert torch.equal(shown.encode(text), tensor)


def test_own_tokens_reach_the_encoder(clip, files):
    (tensor, _), *_ = clip_text_encode("a (cat:1.5)", clip, Ctx(files))
    shown = given(clip)
    chunks = [
        [(token, weight) for token, weight, _ in chunk]
        for chunk in shown.tokenize("a cat", return_word_ids=True)["l"]
    ]
    cat = shown.tokenizer.clip_l.tokenizer("cat")["input_ids"][1]
    weighted = [[(t, 1.5 if t == cat else w) for t, w in chunk] for chunk in chunks]
    shown.load_model()
    states, _ = shown.cond_stage_model.clip_l.encode_token_weights(weighted)
    assert torch.equal(states, tensor)


def test_word_ids_count_words_and_leave_out_the_rest(clip):
    (chunk,) = given(clip).tokenize("a (red:1.2) cat", return_word_ids=True)["l"]
    ids = [word for _, _, word in chunk]
    assert ids[0] == 0
    assert ids[1:4] == [1, 2, 3]
    assert not any(ids[4:])


def test_a_vector_in_place_of_a_token_is_a_textual_inversion(clip, files):
    width = clip.parts["clip_l"].encoder.width(clip.parts["clip_l"].config)
    vectors = torch.randn(2, width)
    folder = files.folders("embeddings")[0]
    save_file({"emb_params": vectors}, folder / "mine.safetensors")
    (tensor, _), *_ = clip_text_encode("a embedding:mine b", clip, Ctx(files))
    shown = given(clip)
    shown.tokenizer.clip_l.embedding_directory = str(folder)
    tokens = shown.tokenize("a embedding:mine b")
    assert sum(isinstance(t, torch.Tensor) for t, _ in tokens["l"][0]) == 2
    assert torch.equal(shown.encode_from_tokens(tokens), tensor)
    plain = shown.tokenize("a b")["l"][0]
    by_hand = [plain[0], plain[1], (vectors[0], 1.0), (vectors[1], 1.0), *plain[2:75]]
    assert torch.equal(shown.encode_from_tokens({"l": [by_hand]}), tensor)


def test_clip_layer_is_clip_set_last_layer(clip, files):
    (expected, _), *_ = clip_text_encode("a cat", clip_set_last_layer(clip, -2), Ctx(files))
    shown = given(clip).clone()
    shown.clip_layer(-2)
    assert torch.equal(shown.encode_from_tokens(shown.tokenize("a cat")), expected)
    value = shown.to_value()
    assert value == clip_set_last_layer(clip, -2)
    model = shown.cond_stage_model
    model.set_clip_options({"layer": -2})
    tokens = shown.tokenize("a cat")["l"]
    assert torch.equal(model.clip_l.encode_token_weights(tokens)[0], expected)
    model.reset_clip_options()
    assert not torch.equal(model.clip_l.encode_token_weights(tokens)[0], expected)


def test_an_unchanged_object_is_the_very_value(clip):
    assert given(clip).to_value() is clip
    assert given(clip).clone().to_value() is clip


def _lora(model, clip):
    tensors, generator = {}, torch.Generator().manual_seed(4)
    sources = {
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q": (
            model.net.sources["middle_block.1.transformer_blocks.0.attn1.to_q.weight"]
        ),
        "lora_te_text_model_encoder_layers_0_mlp_fc1": (
            clip.parts["clip_l"].weights.sources["encoder.layers.0.mlp.fc1.weight"]
        ),
    }
    for name, source in sources.items():
        rows, columns = source.shape
        tensors[f"{name}.lora_up.weight"] = torch.randn(rows, 4, generator=generator)
        tensors[f"{name}.lora_down.weight"] = torch.randn(4, columns, generator=generator)
        tensors[f"{name}.alpha"] = torch.tensor(2.0)
    return tensors


def test_load_lora_for_models_is_lora_loader(values, files):
    model, clip, _ = values
    tensors = _lora(model, clip)
    save_file(tensors, files.folders("loras")[0] / "mine.safetensors")
    _, expected = lora_loader(model, clip, "mine.safetensors", Ctx(files), 0.7, 0.5)
    sd = host_module("comfy.sd")
    _, patched = sd.load_lora_for_models(None, given(clip), tensors, 0.7, 0.5)
    (tensor, _), *_ = clip_text_encode("a cat", expected, Ctx(files))
    (plain, _), *_ = clip_text_encode("a cat", clip, Ctx(files))
    found = patched.encode_from_tokens(patched.tokenize("a cat"))
    assert torch.equal(found, tensor)
    assert not torch.equal(found, plain)
    (again, _), *_ = clip_text_encode("a cat", patched.to_value(), Ctx(files))
    assert torch.equal(again, tensor)


def test_a_replaced_encode_function_is_called_for_its_object_only(clip):
    shown = given(clip)
    original = shown.patcher.get_model_object("clip_l.encode_token_weights")
    other = shown.clone()
    other.patcher.add_object_patch(
        "clip_l.encode_token_weights", lambda tokens: tuple(2 * each for each in original(tokens))
    )
    tokens = shown.tokenize("a cat")
    plain = shown.encode_from_tokens(tokens)
    assert torch.equal(other.encode_from_tokens(tokens), 2 * plain)
    assert torch.equal(shown.encode_from_tokens(tokens), plain)


def test_state_dict_and_key_patches_have_the_names_of_the_key_map(clip):
    shown = given(clip)
    names = set(shown.get_sd())
    keys = host_module("comfy.lora").model_lora_keys_clip(shown.cond_stage_model, {})
    assert set(keys.values()) <= names
    assert "clip_l.transformer.text_model.encoder.layers.0.mlp.fc1.weight" in names
    assert set(shown.get_key_patches()) == names


def test_the_functions_of_text():
    text = host_module("comfy.sd1_clip")
    assert text.token_weights("a (b:1.3) ((c))", 1.0) == [
        ("a ", 1.0),
        ("b", 1.3),
        (" ", 1.0),
        ("c", pytest.approx(1.21)),
    ]
    hidden = text.escape_important(r"\(a\)")
    assert text.token_weights(hidden, 1.0) == [(hidden, 1.0)]
    assert text.unescape_important(hidden) == "(a)"
    assert text.parse_parentheses("a(b(c))d") == ["a", "(b(c))", "d"]
    assert text.gen_empty_tokens({"start": 1, "end": 2, "pad": 3}, 5) == [1, 2, 3, 3, 3]


def test_tokenizer_reads_what_it_wrote(clip):
    own = given(clip).tokenizer.clip_l
    numbers = own.tokenizer("a naïve cat, 2 dogs")["input_ids"]
    assert own.tokenizer.decode(numbers, skip_special_tokens=True) == "a naïve cat , 2 dogs"
    pairs = own.untokenize(own.tokenize_with_weights("cat")[0])
    assert pairs[1][1] == "cat</w>"
