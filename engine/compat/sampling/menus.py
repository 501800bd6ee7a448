"""The sampler and scheduler lists of built-in nodes, with what plugins added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from engine.compat.install import host_module
from engine.diffusion.samplers.table import SAMPLERS
from engine.diffusion.schedules import SCHEDULES
from engine.graph.schema import InputSchema, NodeSchema


def extended(catalog: Mapping[str, NodeSchema]) -> dict[str, NodeSchema]:
    """The catalog, with the names that plugins added in the lists of built-in nodes.

    Names that plugins took away stay: workflows use them, and they still work.
    """
    host = host_module("comfy.samplers")
    samplers = _united(SAMPLERS, host.KSampler.SAMPLERS, host.SAMPLER_NAMES)
    schedules = _united(SCHEDULES, host.KSampler.SCHEDULERS, host.SCHEDULER_NAMES)
    lists = {tuple(SAMPLERS): samplers, tuple(SCHEDULES): schedules}
    return {name: _extended(schema, lists) for name, schema in catalog.items()}


def _united(ours: Mapping[str, object], *theirs: list[str]) -> tuple[str, ...]:
    """Our names and theirs in the order of the first list of theirs."""
    names = [name for each in theirs for name in each if isinstance(name, str)]
    return tuple(dict.fromkeys([*names, *ours]))


def _extended(schema: NodeSchema, lists: Mapping[tuple[str, ...], tuple[str, ...]]) -> NodeSchema:
    def changed(one: InputSchema) -> InputSchema:
        longer = None if one.choices is None else lists.get(one.choices)
        return one if longer is None else replace(one, choices=longer)

    if schema.python_module.startswith("custom_nodes"):
        return schema
    inputs = tuple(changed(one) for one in schema.inputs)
    return schema if inputs == schema.inputs else replace(schema, inputs=inputs)
