"""The memory of values: every buffer counts once, however it is reached."""

import functools
from dataclasses import dataclass

from engine.execute.sizes import parts_of, size_of

BIG = 1 << 20


class Array:
    """Has `nbytes`, like arrays."""

    nbytes = BIG


class View:
    """A small part of a large array."""

    nbytes = 16

    def __init__(self, base):
        self.base = base


@dataclass(frozen=True, slots=True)
class Slotted:
    array: Array
    missing: object = None


class Plain:
    __slots__ = ("__dict__", "__hidden", "unset")

    def __init__(self, array):
        self.__hidden = array


def test_containers_are_looked_into_however_deep():
    assert size_of(Array()) == BIG
    deep = Array()
    for _ in range(1000):
        deep = [{"samples": (deep,)}]
    assert BIG < size_of(deep) < 2 * BIG


def test_a_buffer_met_twice_counts_once():
    array = Array()
    assert BIG <= size_of([array, {"again": array}, (array,)]) < 2 * BIG


def test_a_view_keeps_all_that_it_is_a_view_of():
    assert size_of(View(View(Array()))) == BIG


def test_objects_closures_and_bound_arguments_are_looked_into():
    array = Array()

    def use(scale=1):
        return (array, scale)

    plain = Plain(Array())
    plain.more = Array()
    assert size_of(Slotted(array)) >= BIG
    assert size_of(plain) >= 2 * BIG
    assert size_of(use) >= BIG
    assert size_of(functools.partial(use, Array())) >= 2 * BIG


def test_classes_and_modules_are_not_kept_by_a_result():
    assert size_of([functools, Array, len]) < 1000


def test_a_circle_ends():
    circular = []
    circular.append(circular)
    assert size_of(circular) < 1000


def test_who_knows_better_is_asked_first():
    handle = Slotted(Array())
    parts = parts_of([handle], lambda value: (id(value), 0) if value is handle else None)
    assert parts == {id(handle): 0}
