"""What workflows need: one list of models and packs, from the loaders and from the file."""

import random

import pytest

from engine.errors import WorkflowError
from engine.graph.catalog_file import read_catalog
from engine.graph.declared import kind_of_folder
from engine.graph.needs import MOST_MODELS, find_needs
from engine.graph.workflow import convert
from engine.settings import ROOT

CATALOG = read_catalog(ROOT / "engine" / "server" / "builtin_catalog.json")


def needs(document, **here):
    def has_file(kind, name):
        return name in here.get(kind, ())

    def list_folder(kind):
        return here.get(kind, ())

    return find_needs(document, convert(document, CATALOG), CATALOG, list_folder, has_file)


def node(kind, *values, node_id=1, models=(), **properties):
    return {
        "id": node_id,
        "type": kind,
        "inputs": [],
        "outputs": [],
        "widgets_values": list(values),
        "properties": {"models": list(models), **properties},
    }


def saved(*nodes, **more):
    return {"nodes": list(nodes), "links": [], **more}


def loader(name, **more):
    return node("CheckpointLoaderSimple", name, **more)


def declared(name, **more):
    return {"name": name, "url": f"https://example.org/{name}", "directory": "checkpoints", **more}


def test_a_loader_s_value_is_a_need_with_what_the_file_says_of_it():
    digest = "AB" * 32
    said = declared("a.safetensors", hash=digest, hash_type="SHA256", size=5, license="mit")
    (found,) = needs(saved(loader("a.safetensors", models=[said]))).models
    assert (found.name, found.kind, found.is_here) == ("a.safetensors", "checkpoints", False)
    assert found.users == (("1", "ckpt_name"),)
    assert found.declared.url == "https://example.org/a.safetensors"
    assert (found.declared.sha256, found.declared.size) == (digest.lower(), 5)
    assert found.declared.license == "mit"


def test_one_file_is_listed_once_with_all_its_nodes():
    document = saved(loader("a.safetensors"), loader("a.safetensors", node_id=2))
    (found,) = needs(document).models
    assert found.users == (("1", "ckpt_name"), ("2", "ckpt_name"))


def test_files_that_are_here_are_listed_as_such():
    (found,) = needs(saved(loader("a.safetensors")), checkpoints=["a.safetensors"]).models
    assert found.is_here
    (windows,) = needs(saved(loader("s\\a.safetensors")), checkpoints=["s/a.safetensors"]).models
    assert (windows.is_here, windows.name) == (True, "s/a.safetensors")


def test_a_file_that_differs_by_folder_or_case_is_offered_and_not_taken():
    here = ["Sub/A.safetensors", "b.safetensors", "a.safetensors.bak"]
    (found,) = needs(saved(loader("a.safetensors")), checkpoints=here).models
    assert (found.is_here, found.offers) == (False, ("Sub/A.safetensors",))


def test_a_declared_model_that_no_loader_names_is_not_needed():
    document = saved(loader("mine.safetensors", models=[declared("theirs.safetensors")]))
    (found,) = needs(document).models
    assert (found.name, found.declared) == ("mine.safetensors", None)


def test_muted_and_bypassed_nodes_need_nothing():
    muted = [{**loader("a.safetensors", node_id=each), "mode": each} for each in (2, 4)]
    assert needs(saved(*muted)).models == ()


def test_the_list_beside_the_nodes_is_read_too():
    document = saved(loader("a.safetensors"), models=[declared("a.safetensors")])
    assert needs(document).models[0].declared.url.endswith("/a.safetensors")


def test_an_inner_node_of_a_subgraph_is_found_with_its_id():
    inner = loader("a.safetensors", node_id=5, models=[declared("a.safetensors")])
    definition = {"id": "s-1", "name": "S", "nodes": [inner], "links": [], "inputs": []}
    document = saved(node("s-1", node_id=9), definitions={"subgraphs": [definition]})
    (found,) = needs(document).models
    assert (found.users, found.declared.directory) == ((("9:5", "ckpt_name"),), "checkpoints")


def test_nodes_that_are_not_installed_name_their_files_and_their_pack():
    said = {"name": "deep/model.gguf", "url": "https://example.org/m", "directory": "special"}
    pack = {"cnr_id": "fancy-pack", "aux_id": "some/fancy", "ver": "1.2.0"}
    found = needs(saved(node("FancyLoader", "deep/model.gguf", "euler", models=[said], **pack)))
    (model,) = found.models
    assert (model.name, model.kind, model.users) == ("deep/model.gguf", "special", (("1", ""),))
    (needed,) = found.packs
    assert (needed.name, needed.repository, needed.version) == ("fancy-pack", "some/fancy", "1.2.0")
    assert needed.missing == {"FancyLoader": ("1",)}
    assert found.unknown == {}


def test_a_class_without_a_pack_is_unknown_and_our_own_need_none():
    found = needs(saved(node("Nobody"), loader("a.ckpt", node_id=2, cnr_id="other-pack")))
    assert found.unknown == {"Nobody": ("1",)}
    assert found.packs == ()


def test_embeddings_in_texts_are_needed():
    text = "a cat, embedding:EasyNegative (embedding:here:1.2)"
    document = saved(node("CLIPTextEncode", text))
    found = {each.name: each for each in needs(document, embeddings=["here.pt"]).models}
    assert found["EasyNegative"].kind == "embeddings"
    assert {name: each.is_here for name, each in found.items()} == {
        "EasyNegative": False,
        "here": True,
    }


def test_a_vae_of_the_tiny_ones_goes_where_the_file_says():
    said = {"name": "taef1_decoder.safetensors", "directory": "vae_approx"}
    (found,) = needs(saved(node("VAELoader", "taef1_decoder.safetensors", models=[said]))).models
    assert found.kind == "vae_approx"
    (plain,) = needs(saved(node("VAELoader", "ae.safetensors"))).models
    assert plain.kind == "vae"


def test_a_prompt_needs_models_and_packs_too():
    document = {
        "3": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "a.ckpt"}},
        "4": {"class_type": "Odd", "inputs": {"x": "b.pt"}, "_meta": {"cnr_id": "odd", "ver": "2"}},
    }
    found = needs(document)
    assert [(each.name, each.kind) for each in found.models] == [
        ("a.ckpt", "checkpoints"),
        ("b.pt", None),
    ]
    assert [(each.name, each.version) for each in found.packs] == [("odd", "2")]


@pytest.mark.parametrize(
    "said",
    [
        None,
        7,
        {},
        {"name": 3},
        {"name": "a.safetensors", "url": 5, "directory": ["x"], "hash": {}, "size": "big"},
        {"name": "a.safetensors", "directory": "../../etc", "url": "x" * 5000},
        {"name": "a.safetensors", "directory": "a/b", "hash": "12", "size": -1},
        {"name": "a\u202esrotosnefas.exe", "directory": "checkpoints"},
        {"name": "a.safetensors", "size": True, "license": "\n"},
    ],
)
def test_damaged_declarations_are_left_out(said):
    (found,) = needs(saved(loader("a.safetensors", models=[said]))).models
    kept = found.declared
    assert kept is None or (kept.directory, kept.url, kept.size, kept.license) == (None,) * 4


def test_a_hostile_number_of_models_is_counted_only():
    many = [loader(f"{number}.ckpt", node_id=number + 1) for number in range(MOST_MODELS + 7)]
    found = needs(saved(*many))
    assert (len(found.models), found.omitted) == (MOST_MODELS, 7)
    declarations = [declared(f"{number}.ckpt") for number in range(100_000)]
    assert len(needs(saved(loader("5.ckpt", models=declarations))).models) == 1


def odd(chance, depth=3):
    """Any JSON value, with the words of real files among its texts."""
    kind = chance.randrange(8 if depth else 6)
    if kind == 6:
        return [odd(chance, depth - 1) for _ in range(chance.randrange(4))]
    if kind == 7:
        return {chance.choice(WORDS): odd(chance, depth - 1) for _ in range(chance.randrange(5))}
    plain = (None, True, chance.randrange(-5, 1 << 70), 1.5, chance.choice(WORDS), "\ud800\u202e\0")
    return plain[kind]


WORDS = (
    *("name", "url", "directory", "hash", "hash_type", "size", "models", "nodes", "subgraphs"),
    *("a.safetensors", "checkpoints", "https://e.org/a", "../../etc/passwd", "cnr_id", "ver"),
    *("properties", "widgets_values", "type", "id", "mode", "groupNodes", "embedding:x"),
)


def odd_document(chance):
    kinds = ("CheckpointLoaderSimple", "CLIPTextEncode", "Unheard", "s-1")
    nodes = [
        {
            "id": chance.choice((1, 2, 3, odd(chance))),
            "type": chance.choice(kinds),
            "widgets_values": chance.choice((["a.safetensors"], odd(chance))),
            "properties": {
                "models": chance.choice(([odd(chance)], odd(chance))),
                "ver": odd(chance),
            },
        }
        for _ in range(chance.randrange(1, 4))
    ]
    more = {key: odd(chance) for key in ("models", "definitions", "extra", "links")}
    return {"nodes": nodes, **more}


def test_no_document_makes_it_fail():
    chance, read = random.Random(7), 0
    for _ in range(400):
        document = odd_document(chance)
        try:
            convert(document, CATALOG)
        except WorkflowError:
            continue
        read += 1
        for each in needs(document, checkpoints=["sub/a.safetensors"]).models:
            assert each.kind is None or kind_of_folder(each.kind)
            assert each.declared is None or each.declared.name.isprintable()
    assert read > 100
