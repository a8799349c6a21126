"""The small tokenizer of `tiny` models: made by code, shipped as one JSON file, the same class as any other's.

    tokenizer = small_tokenizer()                # a transformers PreTrainedTokenizerFast
    tokenizer.encode("mine 3 oak logs")

    python -m vla.tokenizer                      # makes it anew: byte-level BPE over the words of the game

Byte level, so that any text has ids. The special tokens are those of Qwen2-VL's and SmolVLM's chats, and JARVIS-VLA's
action tokens, under their own names, so that codecs and prompts need no second spelling.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jarvis.core.files import atomic_write
from vla.action_codecs import action_token_strings

__all__ = ["CHAT_TOKENS", "make_tokenizer", "small_tokenizer"]

CHAT_TOKENS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
    "<|video_pad|>", "<|vision_pad|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|point_start|>",
    "<|point_end|>", "<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>",
)  # fmt: skip
SIZE = 1024  # entries, special ones included
_FILE = "small_tokenizer.json"


def make_tokenizer(texts: list[str], size: int = SIZE) -> str:
    """The JSON of a byte-level BPE tokenizer trained on the texts. The same texts give the same bytes."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [*CHAT_TOKENS, *action_token_strings()]
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in special],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return json.dumps(json.loads(tokenizer.to_str()), separators=(",", ":"), ensure_ascii=False)


@cache
def small_tokenizer() -> Any:
    """The tokenizer that ships with the package."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    text = Path(__file__).with_name(_FILE).read_text(encoding="utf-8")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(text),
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
    )
    return tokenizer


def _corpus() -> list[str]:
    """Words of the game: names, questions and answers, instructions and actions."""
    from jarvis.core.actions import BUTTONS
    from vla.action_codecs import get
    from vla.questions import question_answers

    text = get("text", _NoTokenizer())
    pairs = [f"{pair.question} {pair.answer}" for pair in question_answers()]
    lines = [text.write({key: 1, "camera": (0.15 * n, -0.3 * n)}) for key in BUTTONS for n in range(-12, 13)]
    return [*pairs, *lines]


class _NoTokenizer:
    """Stands in for a tokenizer where only words are written."""


if __name__ == "__main__":
    print(atomic_write(Path(__file__).with_name(_FILE), make_tokenizer(_corpus())))
