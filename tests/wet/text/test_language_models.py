"""Language models as text encoders, against transformers on random weights; tokens; templates."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import NodeError, WeightsError
from engine.inference.encode import encode_part
from engine.inference.load import module_weights
from engine.inference.values import TextPart
from engine.residency.carriers import Wants
from engine.residency.manager import DeviceResidency, installed
from engine.text.decoder import template_end
from engine.text.decoder_network import Rotary
from engine.text.encoder import PLAIN, TextStyle
from engine.text.language_models import MISTRAL3_24B, QWEN3_4B, QWEN25_7B
from engine.text.table import recognise
from engine.text.tokenizer_files import of_gguf, qwen2, qwen3, tekken
from engine.text.tokens import Picture, byte_letters
from engine.weights.open import open_weights
from engine.weights.state_dict import StateDict

SIZES = {
    "vocab_size": 300,
    "hidden_size": 256,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 128,
}
DRESSED = "<|im_start|>user\n{}<|im_end|>\n"


def rope(theta):
    return {"rope_type": "default", "rope_theta": theta}


def oracle(kind):
    import transformers

    torch.manual_seed(5)
    more = {
        "Qwen3": {"rope_parameters": rope(1e6), "rms_norm_eps": 1e-6},
        "Qwen2": {"rope_parameters": rope(1e6), "rms_norm_eps": 1e-6},
        "Mistral": {"rope_parameters": rope(1e9), "rms_norm_eps": 1e-5, "sliding_window": None},
        "Ministral3": {"hidden_size": 3072, "num_hidden_layers": 2},
        "Gemma2": {"rope_parameters": rope(1e4), "rms_norm_eps": 1e-6, "head_dim": 256},
        "Llama": {"rope_parameters": rope(5e5), "rms_norm_eps": 1e-5, "vocab_size": 128_300},
        "Llama 3.1": {
            "rope_parameters": {
                **rope(5e5),
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 8192,
            },
            "rms_norm_eps": 1e-5,
            "vocab_size": 128_256,
        },
    }[kind]
    kind = kind.partition(" ")[0]
    config = getattr(transformers, f"{kind}Config")(**{**SIZES, **more})
    model = getattr(transformers, f"{kind}Model")(config).eval()
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.copy_(torch.randn_like(tensor) * 0.06 + (tensor.ndim == 1))
    return model


def in_file(model, **more):
    named = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    return StateDict.of(named | more)


def built(weights):
    found = recognise(weights)
    assert found is not None
    encoder, config = found
    module = encoder.build(config)
    tensors = {name: weights[name] for name in encoder.tensors(weights) if "tekken" not in name}
    module.load_state_dict(tensors, strict=True)
    return encoder, config, module


def encode(encoder, module, numbers, style=PLAIN, layer=None):
    chunk = [(number, 1.0) for number in numbers]
    with torch.no_grad():
        return encoder.encode(module, [chunk], style=style, layer=layer, checkpoint=lambda: None)


def difference(a, b):
    return ((a - b).norm() / b.norm()).item()


NUMBERS = [torch.randint(20, 299, (1,), generator=torch.manual_seed(i)).item() for i in range(40)]


@pytest.mark.parametrize(
    ("kind", "name", "more"),
    [
        ("Qwen3", "qwen3_4b", {}),
        ("Qwen2", "qwen25_7b", {}),
        ("Mistral", "mistral3_24b", {"tekken_model": torch.zeros(3, dtype=torch.uint8)}),
        ("Gemma2", "gemma2_2b", {}),
        ("Llama", "llama3_8b", {}),
        ("Llama 3.1", "llama31_8b", {}),
    ],
)
def test_it_equals_transformers(kind, name, more):
    model = oracle(kind)
    encoder, _, module = built(in_file(model, **more))
    assert encoder.name == name
    with torch.no_grad():
        expected = model(torch.tensor([NUMBERS]), output_hidden_states=True)
    found = encode(encoder, module, NUMBERS)
    assert difference(found.states, expected.last_hidden_state) < 5e-6
    # the layer before the last as it is, and several side by side
    found = encode(encoder, module, NUMBERS, TextStyle(layer=-2, normalised=False))
    assert difference(found.states, expected.hidden_states[3]) < 5e-6
    found = encode(encoder, module, NUMBERS, TextStyle(layers=(1, 3), normalised=False))
    both = torch.cat((expected.hidden_states[1], expected.hidden_states[3]), -1)
    assert difference(found.states, both) < 5e-6
    assert found.mask is not None
    assert found.mask.tolist() == [[1] * 40]
    # all as transformers has them, the last one normalised
    last = TextStyle(layers=(1, 4), normalised=False, last_normalised=True)
    found = encode(encoder, module, NUMBERS, last)
    both = torch.cat((expected.hidden_states[1], expected.hidden_states[4]), -1)
    assert difference(found.states, both) < 5e-6


def test_ministral_has_stretched_positions():
    model = oracle("Ministral3")
    encoder, _, module = built(in_file(model))
    assert encoder.name == "ministral3_3b"
    with torch.no_grad():
        expected = model(torch.tensor([NUMBERS]), output_hidden_states=True)
    found = encode(encoder, module, NUMBERS, TextStyle(layer=-2, normalised=False))
    assert difference(found.states, expected.hidden_states[-2]) < 5e-6
    plain = replace(module.model.config, rotary=Rotary())
    for layer in module.model.layers:
        layer.self_attn.config = plain
    module.model.config = plain
    other = encode(encoder, module, NUMBERS, TextStyle(layer=-2, normalised=False))
    assert difference(other.states, expected.hidden_states[-2]) > 1e-4


def test_padding_to_a_multiple_stands_at_one_place():
    """As FLUX.3 was trained: padding is not attended to, has one position, and stays."""
    model = oracle("Qwen3")
    encoder, config, module = built(in_file(model))
    encoder = replace(encoder, pad=7)
    style = TextStyle(layers=(1, 3), normalised=False, multiple=5, padding_place=1)
    numbers = [*NUMBERS[:6], 7, 7, 7, 7]
    counted = torch.tensor([[1] * 6 + [0] * 4])
    places = torch.tensor([[*range(6), 1, 1, 1, 1]])
    with torch.no_grad():
        found = model(
            torch.tensor([numbers]),
            attention_mask=counted,
            position_ids=places,
            output_hidden_states=True,
        ).hidden_states
    expected = torch.cat((found[1], found[3]), -1)
    encoded = encode(encoder, module, numbers, style)
    assert difference(encoded.states, expected) < 5e-6
    assert encoded.mask.tolist() == counted.tolist()
    text = replace(config, tokenizer=Letters())
    tokens = [len(encoder.tokenize(text, "a" * n, None, style=style)[0]) for n in (0, 1, 5, 6)]
    assert tokens == [5, 5, 5, 10]


class Letters:
    """A tokenizer with a token for each letter."""

    def get(self):
        return self

    def numbers(self, text):
        return [ord(letter) for letter in text]


def test_it_is_streamed_layer_by_layer(tmp_path):
    path = tmp_path / "qwen.safetensors"
    save_file(dict(in_file(oracle("Qwen3"))), path)
    weights = open_weights(path)
    found = recognise(weights)
    assert found is not None
    encoder, config = found
    handle = module_weights("qwen", on_meta(encoder, config), encoder.tensors(weights), Wants())
    part = TextPart(encoder, config, handle)
    chunk = [[(number, 1.0) for number in NUMBERS]]
    cpu = torch.device("cpu")
    with installed(DeviceResidency(cpu, torch.float32)):
        whole = encode_part(part, PLAIN, chunk).states
    calls = []
    with installed(DeviceResidency(cpu, torch.bfloat16, resident=1, block_limit=2**20)) as tight:
        streamed = encode_part(part, PLAIN, chunk, checkpoint=lambda: calls.append(tight.held))
    assert 0 < max(calls) < encoder.tensors(weights).nbytes / 3
    assert 1e-5 < difference(streamed.states, whole) < 0.05


def on_meta(encoder, config):
    def build():
        with torch.device("meta"):
            return encoder.build(config)

    return build


def test_what_follows_padding_is_not_attended_to():
    model = oracle("Qwen3")
    encoder, _, module = built(in_file(model))
    encoder = replace(encoder, pad=299)
    numbers = [*NUMBERS[:10], 299, *NUMBERS[10:14]]
    found = encode(encoder, module, numbers)
    assert found.mask is not None
    assert found.mask.tolist() == [[1] * 10 + [0] * 5]
    with torch.no_grad():
        expected = model(torch.tensor([numbers]), attention_mask=found.mask).last_hidden_state
    assert difference(found.states[:, :10], expected[:, :10]) < 2e-6
    assert difference(found.states[:, 10:], expected[:, 10:]) < 2e-6
    # padding alone has no row without a sum
    assert encode(encoder, module, [299, 299]).states.isfinite().all()


def test_half_precision_does_not_overflow():
    encoder, _, module = built(in_file(oracle("Qwen3")))
    with torch.no_grad():
        for layer in module.model.layers:
            layer.mlp.up_proj.weight.mul_(20)
            layer.mlp.down_proj.weight.mul_(10_000)
    raw = encode(encoder, module, NUMBERS, TextStyle(normalised=False)).states
    assert raw.abs().max() > torch.finfo(torch.float16).max
    wide = encode(encoder, module, NUMBERS).states
    half = encode(encoder, module.half(), NUMBERS).states
    assert half.isfinite().all()
    assert difference(half, wide) < 0.02


def test_a_file_with_too_few_layers_is_refused():
    encoder, _, module = built(in_file(oracle("Qwen3")))
    with pytest.raises(WeightsError, match=r"has 4 layers.*layer 30"):
        encode(encoder, module, NUMBERS, TextStyle(layers=(10, 20, 30)))


def test_names_of_gguf_files_and_neighbouring_pairs():
    model = oracle("Mistral")
    back = {
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }
    theirs = {"rope_freqs.weight": torch.ones(64)}
    for name, tensor in model.state_dict().items():
        if not name.startswith("layers."):
            outer = {
                "embed_tokens.weight": "token_embd.weight",
                "norm.weight": "output_norm.weight",
            }
            theirs[outer[name]] = tensor
            continue
        number, module = name.removeprefix("layers.").split(".", 1)
        module = module.removesuffix(".weight")
        if module in ("self_attn.q_proj", "self_attn.k_proj"):
            # halves of each head become neighbours
            kept = tensor.unflatten(0, (-1, 2, 64)).transpose(1, 2).flatten(0, 2)
        else:
            kept = tensor
        theirs[f"blk.{number}.{back[module]}.weight"] = kept
    weights = StateDict.of(theirs, metadata={"general.architecture": "llama"})
    tensors = MISTRAL3_24B.tensors(weights)
    config = MISTRAL3_24B.config(tensors)
    module = MISTRAL3_24B.build(config)
    module.load_state_dict({name: tensors[name] for name in tensors}, strict=True)
    with torch.no_grad():
        expected = model(torch.tensor([NUMBERS])).last_hidden_state
    assert difference(encode(MISTRAL3_24B, module, NUMBERS).states, expected) < 2e-6


def test_published_ids_of_qwen():
    text = "<|im_start|>user\na photo of a cat<|im_end|>\n"
    expected = [151644, 872, 198, 64, 6548, 315, 264, 8251, 151645, 198]
    assert qwen2().numbers(text) == expected
    assert qwen3().numbers(text) == expected
    assert qwen3().numbers("<think>") == [151667]
    assert len(qwen2().numbers("<think>")) > 1
    # composed before it is split
    assert qwen2().numbers("e\u0301") == qwen2().numbers("\u00e9")


def test_a_long_word_takes_no_quadratic_time():
    assert len(qwen2().numbers("ab" * 40_000)) > 1000


def chunk_of(style, text, pictures=()):
    _, config, _ = built(in_file(oracle("Qwen2")))
    return QWEN25_7B.tokenize(config, text, None, style=style, pictures=pictures)[0]


def test_templates():
    style = TextStyle(template=DRESSED, only_after_template=True, weighted=False)
    numbers = [token for token, _ in chunk_of(style, "a (cat:1.2)")]
    assert numbers == qwen2().numbers("<|im_start|>user\na (cat:1.2)<|im_end|>\n")
    assert template_end(chunk_of(style, "a cat")) == 3
    own = "<|im_start|>system\nsee<|im_end|>\n<|im_start|>user\na cat"
    chunk = chunk_of(style, own)
    assert [token for token, _ in chunk] == qwen2().numbers(own)
    assert template_end(chunk) == len(qwen2().numbers(own.removesuffix("a cat")))
    assert template_end(chunk_of(TextStyle(), "a cat")) == 0


def test_pictures_stand_in_their_places():
    style = TextStyle(template="{}", picture_template="<|image_pad|>{}<|image_pad|>")
    first, second = (Picture(torch.zeros(1, 8, 8, 3)) for _ in range(2))
    chunk = chunk_of(style, "cat", (first, second))
    assert chunk[0][0] is first
    assert chunk[-1][0] is second
    assert len(chunk) == 2 + len(qwen2().numbers("cat"))
    encoder, _, module = built(in_file(oracle("Qwen2")))
    with pytest.raises(NodeError, match="no vision tower"):
        encoder.encode(module, [chunk[:1]], style=PLAIN, layer=None, checkpoint=lambda: None)


def test_a_tokenizer_that_is_missing_is_named():
    _, config, _ = built(in_file(oracle("Mistral"), tekken_model=torch.zeros(3, dtype=torch.uint8)))
    with pytest.raises(WeightsError, match="no Tekken tokenizer"):
        config.tokenizer.get()
    alone = MISTRAL3_24B.config(in_file(oracle("Mistral")))
    with pytest.raises(
        WeightsError, match=r"models/tokenizers/mistral3_24b/.*fetch --tokenizer mistral3_24b"
    ):
        alone.tokenizer.get()


def test_tekken():
    import base64
    import json

    words = [*(bytes([i]) for i in range(256)), b"ca", b"cat"]
    whole = {
        "config": {
            "pattern": r"\w+|\W",
            "default_vocab_size": 2257,
            "default_num_special_tokens": 2000,
        },
        "vocab": [
            {"rank": i, "token_bytes": base64.b64encode(word).decode()}
            for i, word in enumerate(words)
        ],
        "special_tokens": [{"rank": 3, "token_str": "[INST]"}],
    }
    found = tekken(json.dumps(whole).encode())
    # the last word is beyond the vocabulary's size
    assert found.numbers("[INST]cat") == [3, 2256, 2000 + ord("t")]
    with pytest.raises(WeightsError, match="no Tekken tokenizer"):
        tekken(b"{}")


def test_the_tokenizer_of_a_gguf_file():
    import json

    letters = {byte: letter for letter, byte in byte_letters().items()}
    tokens = ["<|im_end|>", *(letters[i] for i in range(256)), "ca"]
    metadata = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": json.dumps(tokens),
        "tokenizer.ggml.token_type": json.dumps([3] + [1] * 257),
    }
    assert of_gguf(metadata).numbers("cat<|im_end|>") == [257, 1 + ord("t"), 0]
    with pytest.raises(WeightsError, match="kind 'other'"):
        of_gguf({"tokenizer.ggml.model": "other"})


def test_the_table_names_each_model():
    assert QWEN3_4B.takes_pictures is False
    assert [QWEN3_4B.pad, MISTRAL3_24B.pad, MISTRAL3_24B.start] == [151643, 11, 1]


def test_states_of_a_template_of_known_length_are_left_out():
    encoder, _, module = built(in_file(oracle("Qwen3")))
    style = TextStyle(layer=-3, normalised=False)
    whole = encode(encoder, module, NUMBERS, style)
    found = encode(encoder, module, NUMBERS, replace(style, left_out=15))
    assert torch.equal(found.states, whole.states[:, 15:])
    assert found.mask.tolist() == [[1] * 25]
