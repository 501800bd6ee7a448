"""The options of a training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Optimizer = Literal["AdamW", "Adam", "SGD", "RMSprop"]
LossFunction = Literal["MSE", "L1", "Huber", "SmoothL1"]
Algorithm = Literal["LoRA", "LoHa", "LoKr", "OFT"]
DtypeName = Literal["bf16", "fp32"]
OPTIMIZERS, LOSS_FUNCTIONS, ALGORITHMS, DTYPE_NAMES = (
    tuple(get_args(kind)) for kind in (Optimizer, LossFunction, Algorithm, DtypeName)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """The options of a training.

    Attributes:
        steps: of the optimizer.
        batch_size: samples per call of the network; fewer if fewer have the same size.
        accumulation: calls whose gradients are averaged for one step.
        learning_rate: constant.
        rank: of the low-rank matrices; for OFT the size of the blocks.
        seed: of the initial weights, the order of samples, the noise and its levels.
        training_dtype: the dtype that the network computes in. The trained weights are float32
            throughout.
        lora_dtype: the dtype that the result is stored in.
        gradient_checkpointing: recompute each block in the backward pass, which needs a fraction of
            the memory.
    """

    steps: int = 16
    batch_size: int = 1
    accumulation: int = 1
    learning_rate: float = 0.0005
    rank: int = 8
    optimizer: Optimizer = "AdamW"
    loss_function: LossFunction = "MSE"
    seed: int = 0
    training_dtype: DtypeName = "bf16"
    lora_dtype: DtypeName = "bf16"
    algorithm: Algorithm = "LoRA"
    gradient_checkpointing: bool = True
