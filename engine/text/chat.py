"""How language models are addressed: the turns of a conversation, as each was trained with.

From the models' published chat templates (`tokenizer_config.json` on huggingface.co).
"""

from __future__ import annotations

from dataclasses import dataclass

QWEN_ENDS = (151643, 151645)
"""`<|endoftext|>` and `<|im_end|>`."""


@dataclass(frozen=True, slots=True)
class Chat:
    """The turns that a prompt is written into, texts in the place of `{}`.

    Attributes:
        user: the turn of the user and the beginning of the answer.
        system: the turn in front of it; empty for a model without one, whose system prompt stands
            in front of the user's.
        default_system: the system prompt if a user gives none; empty for none.
        silent: what begins the answer of a model that would think, so that it does not.
        picture: what stands for a picture.
        ends: tokens that end an answer.
    """

    user: str
    system: str
    ends: tuple[int, ...]
    default_system: str = ""
    silent: str = ""
    picture: str = ""

    def written(self, prompt: str, *, system: str = "", pictures: int = 0, thinks: bool) -> str:
        """The whole text that the model continues.

        Args:
            prompt: the user's.
            system: in the place of the default; empty for that.
            pictures: so many stand in front of the prompt.
            thinks: whether a model that can may think first.
        """
        system = system or self.default_system
        prompt = self.picture * pictures + prompt
        before = ""
        if system and self.system:
            before = _in(self.system, system)
        elif system:
            prompt = f"{system}\n\n{prompt}"
        return before + _in(self.user, prompt) + ("" if thinks else self.silent)


def _in(template: str, text: str) -> str:
    before, _, after = template.partition("{}")
    return before + text + after


QWEN_PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"
_QWEN_USER = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
_QWEN_SYSTEM = "<|im_start|>system\n{}<|im_end|>\n"
QWEN25 = Chat(
    _QWEN_USER,
    _QWEN_SYSTEM,
    QWEN_ENDS,
    default_system="You are a helpful assistant.",
    picture=QWEN_PICTURE,
)
QWEN3 = Chat(_QWEN_USER, _QWEN_SYSTEM, QWEN_ENDS, silent="<think>\n\n</think>\n\n")
QWEN3VL = Chat(_QWEN_USER, _QWEN_SYSTEM, QWEN_ENDS, picture=QWEN_PICTURE)
MISTRAL = Chat("[INST]{}[/INST]", "[SYSTEM_PROMPT]{}[/SYSTEM_PROMPT]", (2,))
GEMMA = Chat("<start_of_turn>user\n{}<end_of_turn>\n<start_of_turn>model\n", "", (1, 107))
LLAMA3 = Chat(
    "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "<|start_header_id|>system<|end_header_id|>\n\n{}<|eot_id|>",
    (128_001, 128_009),
)
