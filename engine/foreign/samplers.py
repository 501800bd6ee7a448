"""The names that other programs give samplers and schedules, as ours."""

from __future__ import annotations

import re
from collections.abc import Mapping

_GLUED = re.compile(r" (karras|exponential)$", re.IGNORECASE)
_AUTOMATIC: Mapping[str, str] = {
    "dpmpp_2m": "karras",
    "dpmpp_sde": "karras",
    "dpmpp_2s_ancestral": "karras",
    "dpm_2": "karras",
    "dpm_2_ancestral": "karras",
    "dpmpp_2m_sde": "exponential",
    "dpmpp_3m_sde": "exponential",
}
"""The schedule that A1111 means by Automatic."""
_SCHEDULERS: Mapping[str, str] = {
    "ddim": "ddim_uniform",
    "uniform": "normal",
    "align_your_steps": "ays",
    "kl_optimal": "kl_optimal",
}
_INVOKE: Mapping[str, str] = {
    "euler_a": "euler_ancestral",
    "kdpm_2": "dpm_2",
    "kdpm_2_a": "dpm_2_ancestral",
    "dpmpp_2s": "dpmpp_2s_ancestral",
    "dpmpp_3m": "dpmpp_3m_sde",
    "unipc": "uni_pc",
    "pndm": "ipndm",
    "k_euler": "euler",
    "k_euler_a": "euler_ancestral",
    "k_heun": "heun",
    "k_lms": "lms",
    "k_dpm_2": "dpm_2",
    "k_dpm_2_a": "dpm_2_ancestral",
    "k_dpmpp_2": "dpmpp_2m",
    "k_dpmpp_2_a": "dpmpp_2s_ancestral",
    "plms": "ipndm",
}


def a1111_sampler(name: str, schedule: str | None) -> tuple[str, str]:
    """Sampler and schedule of `DPM++ 2M` and `Karras`, or of `DPM++ 2M Karras` alone."""
    glued = _GLUED.search(name)
    plain = name[: glued.start()] if glued else name
    plain = re.sub(" a$", " ancestral", plain.strip().lower().replace("++", "pp"))
    plain = re.sub("^dpm2", "dpm 2", plain)
    plain = re.sub("^unipc", "uni_pc", plain)
    plain = re.sub("^k_", "", plain)
    sampler = plain.replace(" ", "_")
    return sampler, _schedule(schedule or (glued[1] if glued else None), sampler)


def invoke_sampler(name: str) -> tuple[str, str]:
    """Sampler and schedule of a scheduler of InvokeAI; the suffix `_k` means Karras's."""
    plain = name.strip().lower()
    karras = plain.endswith("_k")
    plain = plain.removesuffix("_k")
    return _INVOKE.get(plain, plain), "karras" if karras else "normal"


def _schedule(name: str | None, sampler: str) -> str:
    if name is None:
        return "normal"
    plain = name.strip().lower().replace(" ", "_")
    if plain == "automatic":
        return _AUTOMATIC.get(sampler, "normal")
    return _SCHEDULERS.get(plain, plain)
