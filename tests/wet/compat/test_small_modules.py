"""The host's small modules: flags, types, helpers, the executor's names."""

import asyncio
import importlib
import io
import json

import pytest
import torch
from PIL import Image

from engine.compat.install import install_facade
from engine.machine import Amount


@pytest.fixture(autouse=True)
def _facade():
    install_facade()


def module(name):
    return importlib.import_module(name)


def test_flags_are_what_the_settings_mean(make_host):
    made = make_host(
        "comfy.cli_args",
        device="cpu",
        preview_method="taesd",
        embed_metadata=False,
        resident=Amount(),
        plugins=("one",),
    )
    args, methods = made.cli_args.args, made.cli_args.LatentPreviewMethod
    assert args.cpu
    assert args.disable_metadata
    assert args.novram
    assert not args.lowvram
    assert args.preview_method is methods.TAESD
    assert args.whitelist_custom_nodes == ["one"]
    assert args.output_directory == str(made.host.settings.output_directory)
    args.preview_method = methods.Latent2RGB
    assert args.preview_method.value == "latent2rgb"
    assert getattr(args, "no_such_flag", 3) == 3
    assert not args.use_split_cross_attention


def test_names_of_sockets_are_texts_that_match_loosely():
    names = module("comfy.comfy_types.node_typing").IO
    assert names.PRIMITIVE.split(",")[0] == "STRING"
    assert json.dumps({"a": names.ANY}) == '{"a": "*"}'
    assert f"{names.MODEL}" == str(names.MODEL) == "MODEL"
    assert not names.ANY != "IMAGE"  # noqa: SIM202 - it is the comparison that is tested
    assert not names.NUMBER != "INT"  # noqa: SIM202
    assert names.IMAGE != "MASK"
    assert module("comfy.comfy_types").IO is names


def test_a_conditioning_is_changed_in_a_copy():
    helpers = module("node_helpers")
    before = [[torch.ones(1), {"a": 1, "refs": [1]}]]
    after = helpers.conditioning_set_values(before, {"a": 2, "refs": [2]}, append=False)
    assert (after[0][1], before[0][1]) == ({"a": 2, "refs": [2]}, {"a": 1, "refs": [1]})
    joined = helpers.conditioning_set_values(before, {"refs": [2], "new": 3}, append=True)
    assert joined[0][1] == {"a": 1, "refs": [1, 2], "new": 3}
    assert joined[0][0] is before[0][0]


def test_a_conditioning_may_have_values_for_some_steps_only():
    split = module("node_helpers").conditioning_set_values_with_timestep_range
    found = split([["t", {}]], {"x": 1}, 0.25, 0.5)
    assert [(e["start_percent"], e["end_percent"], e.get("x")) for _, e in found] == [
        (0.0, 0.25, None),
        (0.25, 0.5, 1),
        (0.5, 1.0, None),
    ]
    assert split([["t", {"end_percent": 0.2}]], {"x": 1}, 0.5, 1.0) == [["t", {"end_percent": 0.2}]]


def test_a_damaged_picture_is_read_as_far_as_possible():
    stream = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(stream, "PNG")
    cut = io.BytesIO(stream.getvalue()[:-2000])
    loaded = module("node_helpers").pillow(lambda file: Image.open(file).convert("L"), cut)
    assert loaded.size == (64, 64)
    assert module("node_helpers").hasher()(b"x").name == "sha256"


def test_a_missing_alpha_is_opaque():
    fix = module("node_helpers").image_alpha_fix
    wide, narrow = torch.zeros(1, 2, 2, 4), torch.zeros(1, 2, 2, 3)
    assert fix(wide, narrow)[1][..., 3].min() == 1
    assert fix(narrow, wide)[1].shape == narrow.shape


def test_rounding_is_right_on_average_and_repeats_with_a_seed():
    rounding = module("comfy.float").stochastic_rounding
    values = torch.full((20000,), 1.0 + 1 / 32)
    found = rounding(values, torch.float8_e4m3fn, seed=3).float()
    assert set(found.tolist()) == {1.0, 1.125}
    assert abs(found.mean().item() - 1.03125) < 0.002
    assert torch.equal(found, rounding(values, torch.float8_e4m3fn, seed=3).float())
    exact = torch.tensor([-448.0, 1000.0, 0.0, 2.0**-9, -0.5])
    assert rounding(exact, torch.float8_e4m3fn).float().tolist() == [-448, 448, 0, 2.0**-9, -0.5]
    assert rounding(values, torch.float16).dtype == torch.float16


def test_nested_tensors_are_changed_part_by_part():
    nested = module("comfy.nested_tensor")
    value = nested.NestedTensor([torch.ones(2, 3), torch.ones(2, 5, 1)])
    assert value.is_nested
    assert value.shape == (2, 3)
    assert value.ndim == 3
    doubled = value * 2 + value
    assert [each.unique().tolist() for each in doubled.unbind()] == [[3], [3]]
    assert value.clone().tensors[0] is not value.tensors[0]
    assert value.to(torch.float16).dtype == torch.float16
    assert nested.cat_nested([value, value], dim=0).tensors[1].shape == (4, 5, 1)
    assert value[:1].shape == (1, 3)


def test_normalization_is_that_of_its_definition():
    norm = module("comfy.rmsnorm")
    x = torch.randn(3, 8)
    weight = torch.rand(8)
    expected = x * (x.pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt()
    assert torch.allclose(norm.rms_norm(x), expected, atol=1e-6)
    assert torch.allclose(norm.rms_norm(x, weight, 1e-6), expected * weight, atol=1e-6)
    assert norm.RMSNorm(8)(x.half()).dtype == torch.float16


def test_a_node_is_called_once_for_each_item_of_the_longest_list():
    execution = module("execution")

    class Add:
        OUTPUT_IS_LIST = (False, True)

        def run(self, a, b):
            return (a + b, [a, b])

    results = execution.map_node_over_list(Add(), {"a": [1, 2, 3], "b": [10]}, "run")
    assert execution.merge_result_data(results, Add) == [[11, 12, 13], [1, 10, 2, 10, 3, 10]]
    assert execution.full_type_name(Add).endswith("Add")
    assert execution.full_type_name(int) == "int"


def test_prompts_are_checked_by_the_worker_and_not_run_by_plugins(make_host):
    make_host("folder_paths")
    execution = module("execution")
    graph = {"1": {"class_type": "A", "inputs": {}}}
    checked = asyncio.run(execution.validate_prompt("id", graph, None))
    assert checked == (True, None, ["1"], {})
    executor = execution.PromptExecutor(None)
    assert callable(execution.PromptExecutor.handle_execution_error)
    with pytest.raises(NotImplementedError, match=r"PromptExecutor\.execute"):
        executor.execute(graph, "id")


def test_json_values_are_merged():
    merge = module("utils.json_util").merge_json_recursive
    assert merge({"a": {"b": 1}, "l": [1]}, {"a": {"c": 2}, "l": [2], "x": 3}) == {
        "a": {"b": 1, "c": 2},
        "l": [1, 2],
        "x": 3,
    }


def test_a_file_of_further_folders_is_added(make_host, tmp_path):
    made = make_host("folder_paths")
    (tmp_path / "more" / "loras").mkdir(parents=True)
    file = tmp_path / "extra.yaml"
    file.write_text(f"mine:\n  base_path: {tmp_path / 'more'}\n  loras: loras\n")
    module("utils.extra_config").load_extra_path_config(str(file))
    assert str(tmp_path / "more" / "loras") in made.folder_paths.get_folder_paths("loras")


def test_an_unpickler_builds_tensors_and_nothing_else():
    stream = io.BytesIO()
    torch.save({"a": torch.ones(2), "b": Image.Image, "c": io.BytesIO}, stream)
    stream.seek(0)
    found = torch.load(stream, pickle_module=module("comfy.checkpoint_pickle"), weights_only=False)
    assert found["a"].tolist() == [1, 1]
    assert found["b"] is found["c"]
    assert found["b"] is not Image.Image


def test_the_version_is_that_of_the_interface():
    assert module("comfyui_version").__version__.startswith("0.")
    assert isinstance(module("app.logger").get_logs(), list)
    assert module("protocol").BinaryEventTypes.PREVIEW_IMAGE == 1


def test_previews_by_a_tiny_autoencoder(make_host, cpu_residency, write_tiny):
    latent_preview, formats = module("latent_preview"), module("comfy.latent_formats")
    made = make_host("folder_paths", "comfy.cli_args", preview_method="taesd")
    folder = made.host.settings.models_directories[0] / "vae_approx"
    latents = torch.zeros(2, 4, 8, 8)
    plain = latent_preview.get_previewer("cpu", formats.SD15())
    assert isinstance(plain, latent_preview.Latent2RGBPreviewer)
    write_tiny(folder)
    previewer = latent_preview.get_previewer("cpu", formats.SD15())
    assert isinstance(previewer, latent_preview.TAESDPreviewerImpl)
    assert previewer.decode_latent_to_preview(latents).size == (64, 64)
