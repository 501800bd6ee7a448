"""Which nodes would run is predicted from the prompt and the signatures, without running any."""

import pytest

from engine.forecast.node_states import keys_of, predict_states
from engine.forecast.work import works
from engine.graph.order import order
from engine.graph.prompt import parse
from engine.graph.schema import InputSchema, NodeSchema

CATALOG = {
    "Load": NodeSchema("Load", "", "", (InputSchema("ckpt_name", "COMBO", folder="checkpoints"),)),
    "Lora": NodeSchema("Lora", "", "", (InputSchema("lora_name", "COMBO", folder="loras"),)),
    "Switch": NodeSchema(
        "Switch",
        "",
        "",
        (
            InputSchema("yes", "*", options={"lazy": True}),
            InputSchema("no", "*", options={"lazy": True}),
        ),
    ),
    "Sample": NodeSchema("Sample", "", "", (InputSchema("sigmas", "SIGMAS"),)),
    "ById": NodeSchema("ById", "", "", (InputSchema("id", "UNIQUE_ID", "hidden"),)),
}


def chain():
    return parse(
        {
            "1": {"class_type": "Load", "inputs": {"ckpt_name": "a"}},
            "2": {"class_type": "Words", "inputs": {"text": "fox", "clip": ["1", 1]}},
            "3": {"class_type": "Save", "inputs": {"images": ["2", 0]}},
            "4": {"class_type": "Aside", "inputs": {}},
        }
    )


def states(known, prompt=None, wanted=("3",)):
    prompt = prompt or chain()
    return predict_states(prompt, CATALOG, wanted, order(prompt, wanted), known.__contains__)


def test_all_that_is_needed_runs_the_first_time():
    assert states(set()) == {"1": "run", "2": "run", "3": "run", "4": "unneeded"}


@pytest.mark.parametrize(
    ("known", "running"),
    [({"1", "2", "3"}, set()), ({"1", "2"}, {"3"}), ({"1"}, {"2", "3"}), ({"2"}, {"3"})],
)
def test_what_is_known_is_not_run_nor_is_what_only_it_needs(known, running):
    found = states(known)
    assert {each for each, state in found.items() if state == "run"} == running
    assert all(found[each] == "cached" for each in {"1", "2", "3"} - running)


def test_what_a_lazy_input_may_ask_for_may_run():
    prompt = parse(
        {
            "1": {"class_type": "Words", "inputs": {}},
            "2": {"class_type": "Words", "inputs": {"text": "x"}},
            "3": {"class_type": "Switch", "inputs": {"yes": ["1", 0], "no": ["2", 0]}},
        }
    )
    assert states({"2"}, prompt) == {"1": "maybe", "2": "cached", "3": "run"}


def keys(prompt, stamp=lambda _kind, _name: 1):
    return keys_of(prompt, CATALOG, order(prompt, [*prompt.nodes]), stamp)


def test_a_key_follows_the_state_of_a_file_and_all_that_hangs_on_it():
    before, after = keys(chain()), keys(chain(), lambda _kind, _name: 2)
    assert [each for each in before if before[each] != after[each]] == ["1", "2", "3"]


def test_nodes_that_ask_for_their_id_share_no_key():
    prompt = parse({each: {"class_type": "ById", "inputs": {}} for each in ("1", "2")})
    found = keys(prompt)
    assert found["1"] != found["2"]


def work(nodes, node="9"):
    prompt = parse(nodes)
    return works(prompt, CATALOG, order(prompt, [node]))[node]


def test_pixels_and_weights_come_down_the_links():
    found = work(
        {
            "1": {"class_type": "Load", "inputs": {"ckpt_name": "sd15"}},
            "2": {"class_type": "Lora", "inputs": {"model": ["1", 0], "lora_name": "style"}},
            "3": {"class_type": "Empty", "inputs": {"width": 64, "height": 32, "batch_size": 2}},
            "9": {
                "class_type": "KSampler",
                "inputs": {"model": ["2", 0], "latent": ["3", 0], "steps": 20},
            },
        }
    )
    assert (found.weights, found.pixels, found.steps) == ("sd15", 4096, 20)


def test_a_sampler_takes_its_steps_from_its_sigmas_and_others_take_none():
    nodes = {
        "1": {"class_type": "Schedule", "inputs": {"steps": 12}},
        "2": {"class_type": "Sample", "inputs": {"sigmas": ["1", 0]}},
        "9": {"class_type": "Decode", "inputs": {"samples": ["2", 0]}},
    }
    assert work(nodes, "2").steps == 12
    assert work(nodes, "9").steps == 1


@pytest.mark.parametrize(
    ("inputs", "steps"),
    [
        ({"steps": 20, "start_at_step": 5, "end_at_step": 12}, 7),
        ({"steps": 20, "start_at_step": 0, "end_at_step": 10000}, 20),
        ({"steps": 20, "start_at_step": 30}, 1),
        ({"steps": True}, 1),
    ],
)
def test_a_part_of_the_steps_counts_as_that_part(inputs, steps):
    assert work({"9": {"class_type": "A", "inputs": inputs}}).steps == steps
