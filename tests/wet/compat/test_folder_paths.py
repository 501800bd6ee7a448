"""`folder_paths`: finding and naming files, and changes that plugins make to the table."""

import time
from pathlib import Path

import pytest


@pytest.fixture
def made(make_host):
    return make_host("folder_paths")


@pytest.fixture
def folder_paths(made):
    return made.folder_paths


def touch(*parts) -> Path:
    path = Path(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_folders_are_those_of_the_settings(folder_paths, tmp_path):
    assert folder_paths.base_path == str(tmp_path)
    assert folder_paths.models_dir == str(tmp_path / "models")
    assert Path(folder_paths.__file__).parent == tmp_path
    assert folder_paths.get_output_directory() == str(tmp_path / "output")
    assert folder_paths.get_directory_by_type("input") == str(tmp_path / "input")
    assert folder_paths.get_directory_by_type("elsewhere") is None
    assert folder_paths.get_user_directory() == folder_paths.user_directory
    assert folder_paths.get_temp_directory() == str(tmp_path / "user" / "temp")
    custom_nodes = folder_paths.folder_names_and_paths["custom_nodes"][0]
    assert custom_nodes == [str(tmp_path / "custom_nodes")]


def test_a_directory_that_a_plugin_sets_counts(folder_paths):
    folder_paths.set_output_directory("/elsewhere")
    assert folder_paths.get_output_directory() == folder_paths.output_directory == "/elsewhere"
    folder_paths.temp_directory = "/there"
    assert folder_paths.get_temp_directory() == "/there"


def test_files_are_listed_and_found_by_their_kind(folder_paths):
    lora = touch(folder_paths.models_dir, "loras", "styles", "ink.safetensors")
    touch(folder_paths.models_dir, "loras", "notes.txt")
    names = folder_paths.get_filename_list("loras")
    assert names == ["styles/ink.safetensors"]
    assert isinstance(names, list)
    assert names.folder == "loras"
    assert folder_paths.get_full_path("loras", "styles/ink.safetensors") == str(lora)
    assert folder_paths.get_full_path("loras", "no.safetensors") is None
    assert folder_paths.get_full_path("no such kind", "x") is None
    assert folder_paths.get_full_path("loras", "../../secret") is None
    with pytest.raises(FileNotFoundError, match="loras"):
        folder_paths.get_full_path_or_raise("loras", "no.safetensors")
    with pytest.raises(KeyError):
        folder_paths.get_filename_list("no such kind")


def test_former_names_of_kinds_work(folder_paths):
    touch(folder_paths.models_dir, "unet", "flux.safetensors")
    assert folder_paths.get_filename_list("unet") == ["flux.safetensors"]
    assert folder_paths.map_legacy("clip") == "text_encoders"
    found = folder_paths.get_folder_paths("unet")
    assert str(Path(folder_paths.models_dir, "unet")) in found


def test_a_new_kind_is_seen_by_the_files_and_told_once(made, tmp_path):
    folder_paths = made.folder_paths
    touch(tmp_path, "sams", "big.pth")
    touch(tmp_path, "sams", "notes.txt")
    folder_paths.folder_names_and_paths["sams"] = ([str(tmp_path / "sams")], {".pth"})
    assert folder_paths.get_filename_list("sams") == ["big.pth"]
    folder_paths.get_filename_list("sams")
    assert made.told == [{"sams": ((str(tmp_path / "sams"),), (".pth",))}]
    assert made.host.files.list("sams") == ["big.pth"]
    assert made.host.files.find("sams", "big.pth") == tmp_path / "sams" / "big.pth"


def test_a_changed_folder_of_a_known_kind_is_told(made, tmp_path):
    folder_paths = made.folder_paths
    extra = touch(tmp_path, "extra", "one.safetensors").parent
    folder_paths.folder_names_and_paths["loras"][0].append(str(extra))
    assert folder_paths.get_filename_list("loras") == ["one.safetensors"]
    assert list(made.told[-1]) == ["loras"]


def test_a_folder_that_is_added_can_be_the_first(folder_paths):
    folder_paths.add_model_folder_path("loras", "/last")
    folder_paths.add_model_folder_path("loras", "/first", is_default=True)
    found = folder_paths.get_folder_paths("loras")
    assert (found[0], found[-1]) == ("/first", "/last")
    folder_paths.add_model_folder_path("ultralytics", "/u")
    assert folder_paths.folder_names_and_paths["ultralytics"] == (["/u"], set())


def test_a_suffix_added_for_weights_counts_in_all_kinds(folder_paths):
    folder_paths.supported_pt_extensions.add(".onnx")
    try:
        touch(folder_paths.models_dir, "upscale_models", "x.onnx")
        assert folder_paths.get_filename_list("upscale_models") == ["x.onnx"]
    finally:
        folder_paths.supported_pt_extensions.discard(".onnx")


def test_an_entry_that_is_none_costs_nothing(made):
    folder_paths = made.folder_paths
    folder_paths.folder_names_and_paths["broken"] = 3
    folder_paths.folder_names_and_paths["single"] = ("/one", set())
    assert folder_paths.get_filename_list("loras") == []
    assert made.told == [{"single": (("/one",), ())}]


def test_a_place_in_brackets_chooses_the_folder(folder_paths, tmp_path):
    touch(tmp_path, "output", "x.png")
    assert folder_paths.annotated_filepath("x.png [output]") == (
        "x.png",
        folder_paths.output_directory,
    )
    assert folder_paths.annotated_filepath("x.png") == ("x.png", None)
    assert folder_paths.exists_annotated_filepath("x.png [output]")
    assert not folder_paths.exists_annotated_filepath("x.png")
    assert folder_paths.get_annotated_filepath("y.png") == str(tmp_path / "input" / "y.png")
    assert folder_paths.get_annotated_filepath("y.png", "/d") == str(Path("/d", "y.png"))


def test_numbers_of_saved_files_continue(folder_paths, tmp_path):
    out = folder_paths.output_directory
    assert folder_paths.get_save_image_path("a/b", out) == (
        str(tmp_path / "output" / "a"),
        "b",
        1,
        "a",
        "a/b",
    )
    for name in ("b_00007_.png", "b_2_more.png", "bc_00099_.png", "b_x.png"):
        touch(out, "a", name)
    assert folder_paths.get_save_image_path("a/b", out, 64, 32)[2] == 8


def test_tokens_of_a_prefix_are_filled_in(folder_paths):
    out = folder_paths.output_directory
    filled = folder_paths.get_save_image_path("%year%/%width%x%height%", out, 64, 32)
    assert filled[1] == "64x32"
    assert filled[3] == time.strftime("%Y")


def test_a_prefix_that_leads_out_is_refused(folder_paths):
    with pytest.raises(ValueError, match="leads out"):
        folder_paths.get_save_image_path("../x", folder_paths.output_directory)


def test_files_are_filtered_by_suffix_and_by_content(folder_paths):
    names = ["b.PNG", "a.png", "c.mp4", "d.wav", "e.glb", "f.txt"]
    assert folder_paths.filter_files_extensions(names, [".png"]) == ["a.png", "b.PNG"]
    assert folder_paths.filter_files_content_types(names, ["image"]) == ["b.PNG", "a.png"]
    assert folder_paths.filter_files_content_types(names, ["video", "audio"]) == ["c.mp4", "d.wav"]
    assert folder_paths.filter_files_content_types(names, ["model"]) == ["e.glb"]


def test_a_search_names_files_and_the_times_of_folders(folder_paths, tmp_path):
    touch(tmp_path, "tree", "a", "x.txt")
    touch(tmp_path, "tree", ".git", "y.txt")
    root = str(tmp_path / "tree")
    names, times = folder_paths.recursive_search(root, excluded_dir_names=[".git"])
    assert names == [str(Path("a", "x.txt"))]
    assert set(times) == {root, str(tmp_path / "tree" / "a")}
    assert folder_paths.recursive_search(str(tmp_path / "none")) == ([], {})
