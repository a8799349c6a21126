"""One class over every image-text-to-text model that plays: a vision tower, a language model, a tokenizer.

    backbone = Backbone.load("runs/vla/final")       # a Hugging Face folder with safetensors
    backbone = tiny()                                # Qwen2-VL's class with a few million random parameters
    seen = backbone.see([frame])                     # image tokens; may be kept and used again
    hidden = backbone.read(backbone.embed(ids, pictures, [seen]), positions, mask)
    logits = backbone.logits(hidden[:, -1])

Families: qwen2_vl (JARVIS-VLA's), qwen2_5_vl, qwen3_vl, smolvlm. Nothing is downloaded, and nothing but safetensors is
read. What an agent needs beside the model stands under "jarvis" in its config.json.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jarvis.core.errors import FormatError, UnknownNameError, nearest_names
from jarvis.core.files import read_json, write_json
from vla.action_codecs import JointCodec, get
from vla.images import PatchPixels, SquarePixels, pixels_of
from vla.prompts import STYLES, ChatStyle

if TYPE_CHECKING:
    import torch

__all__ = ["FAMILIES", "AgentConfig", "Backbone", "Seen", "tiny"]

FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "smolvlm")


@dataclass(frozen=True)
class AgentConfig:
    """How a model plays: what its checkpoint keeps beside the weights."""

    codec: str = "jarvisvla-v1"  # see vla.action_codecs
    style: str = "chatml"  # of conversations, see vla.prompts
    history: int = 0  # earlier frames, with what was done, before the present one
    chunk: int = 1  # actions of one reply
    width: int = 640  # of the pictures it was trained on; others are brought to this size first
    height: int = 360

    @classmethod
    def from_json(cls, value: Mapping[str, Any], place: str = "jarvis") -> AgentConfig:
        """The inverse of `asdict`. UnknownNameError for a key that is none."""
        for key in value:
            if key not in cls.__dataclass_fields__:
                raise UnknownNameError("key", key, nearest_names(key, cls.__dataclass_fields__), place)
        return cls(**value)


class Seen(NamedTuple):
    """One picture as the language model takes it."""

    tokens: torch.Tensor  # (tokens, hidden)
    deep: tuple[torch.Tensor, ...]  # the same for each of the first layers that take them (Qwen3-VL), else none
    grid: tuple[int, int]  # rows and columns of tokens


class Backbone:
    """A model and all that turns frames and words into its numbers."""

    def __init__(
        self, model: Any, tokenizer: Any, pixels: PatchPixels | SquarePixels, agent: AgentConfig | None = None
    ) -> None:
        """model: a transformers `...ForConditionalGeneration` of one of FAMILIES."""
        self.family = model.config.model_type
        if self.family not in FAMILIES:
            raise UnknownNameError("model family", self.family, nearest_names(self.family, FAMILIES), "config.json")
        self.model, self.tokenizer, self.pixels = model, tokenizer, pixels
        self.agent = agent or AgentConfig()
        if self.agent.style not in STYLES:
            raise UnknownNameError("chat style", self.agent.style, nearest_names(self.agent.style, STYLES))
        language = self.language
        if isinstance(pixels, PatchPixels):
            _flatten_patches(model.model.visual.patch_embed)
        # NOTE: transformers renamed the argument within its fifth major version
        self._cache_name = "cache" if "cache" in inspect.signature(language.forward).parameters else "past_key_values"

    @property
    def style(self) -> ChatStyle:
        """How its conversations are written."""
        return STYLES[self.agent.style]

    @property
    def language(self) -> Any:
        """The language model: embeddings in, hidden states out."""
        inner = self.model.model
        return inner.text_model if self.family == "smolvlm" else inner.language_model

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.model.parameters()).device

    @property
    def num_parameters(self) -> int:
        """Each counted once."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    def codec(self) -> Any:
        """How it spells actions, with its tokenizer's ids.

        Raises MissingTokensError for a tokenizer without the tokens, FormatError for a codec whose ids are no tokens.
        """
        codec = get(self.agent.codec, self.tokenizer)
        if isinstance(codec, JointCodec):
            raise FormatError(
                f"codec {codec.name!r}: VPT's {codec.vocabulary_size} classes are the outputs of VPT's own networks, "
                "not tokens; expected jarvisvla-v1, jarvisvla-fixed or text"
            )
        return codec

    # what it does

    def see(self, frames: Sequence[np.ndarray]) -> list[Seen]:
        """Image tokens of (height, width, 3) uint8 frames, all through the vision tower at once."""
        inputs = {name: value.to(self.device) for name, value in self.pixels.prepare(frames).items()}
        outputs = self.model.get_image_features(**inputs, return_dict=True)
        deep = getattr(outputs, "deepstack_features", None) or []
        return [
            Seen(tokens, tuple(layer[number] for layer in deep), self.pixels.grid(*frames[number].shape[:2]))
            for number, tokens in enumerate(outputs.pooler_output)
        ]

    def embed(
        self, ids: torch.Tensor, pictures: torch.Tensor, seen: Sequence[Seen]
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        """(batch, n, hidden) of (batch, n) ids, image tokens put in their places, and what else `read` needs of them.

        pictures: (batch, n), the number in `seen` of the picture that a token is of, -1 for words. Pictures stand in
        the order of `seen`, row by row, each whole.
        """
        import torch

        embeds = self.language.get_input_embeddings()(ids)
        if not seen:
            return embeds, {}
        mask = pictures >= 0
        tokens = torch.cat([picture.tokens for picture in seen])
        assert int(mask.sum()) == len(tokens), f"{int(mask.sum())} places for {len(tokens)} image tokens"
        embeds = embeds.masked_scatter(mask[..., None], tokens.to(embeds.dtype))
        if not seen[0].deep:
            return embeds, {}
        layers = [torch.cat(parts) for parts in zip(*(picture.deep for picture in seen), strict=True)]
        return embeds, {"visual_pos_masks": mask, "deepstack_visual_embeds": layers}

    def read(
        self,
        embedded: tuple[torch.Tensor, dict[str, Any]],
        positions: torch.Tensor,
        mask: torch.Tensor,
        cache: Any = None,
    ) -> torch.Tensor:
        """(batch, n, hidden) after the language model.

        positions: (3, batch, n). mask: (batch, n, earlier + n) bool, what each token may look at. cache: a transformers
        Cache of what was read before, to which this is added.
        """
        embeds, more = embedded
        arguments = {
            "inputs_embeds": embeds,
            "attention_mask": mask[:, None],
            "position_ids": positions if self.style.spatial else positions[0],
            "use_cache": cache is not None,
            self._cache_name: cache,
        }
        return self.language(**arguments, **more).last_hidden_state

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """(..., vocabulary) of (..., hidden)."""
        return self.model.lm_head(hidden)

    # files

    def save(self, folder: str | Path) -> None:
        """The model, the tokenizer and the agent's settings, as a Hugging Face folder that others load too."""
        from transformers.utils import logging

        folder = Path(folder)
        shown = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()  # one line a checkpoint of nothing to wait for
        self.model.save_pretrained(folder)
        if shown:
            logging.enable_progress_bar()
        self.tokenizer.save_pretrained(folder)
        write_json(folder / "preprocessor_config.json", self._preprocessor())
        self.write_config(folder)

    def write_config(self, folder: str | Path) -> None:
        """The config.json alone: transformers' with "jarvis" in it."""
        config = json.loads(self.model.config.to_json_string(use_diff=True))
        config["architectures"] = [type(self.model).__name__]
        write_json(Path(folder) / "config.json", config | {"jarvis": asdict(self.agent)})

    def _preprocessor(self) -> dict[str, Any]:
        pixels = self.pixels
        normal = {"image_mean": list(pixels.mean), "image_std": list(pixels.std)}
        if isinstance(pixels, SquarePixels):
            return normal | {
                "image_processor_type": "SmolVLMImageProcessor",
                "size": {"longest_edge": pixels.longest},
                "max_image_size": {"longest_edge": pixels.side},
                "do_image_splitting": False,
            }
        return normal | {
            "image_processor_type": "Qwen2VLImageProcessor",
            "patch_size": pixels.patch,
            "merge_size": pixels.merge,
            "temporal_patch_size": pixels.temporal,
            "size": {"shortest_edge": pixels.min_pixels, "longest_edge": pixels.max_pixels},
        }

    @classmethod
    def load(cls, folder: str | Path, *, device: str | None = None, dtype: Any = None) -> Backbone:
        """From a Hugging Face folder. FormatError, naming the file, for one that lacks a part.

        Without "jarvis" in config.json it is taken for a JARVIS-VLA checkpoint. dtype: None keeps the file's.
        """
        folder = Path(folder)
        for name in ("config.json", "tokenizer_config.json"):
            if not (folder / name).is_file():
                raise FormatError(f"{folder}: no {name} in it; expected a Hugging Face folder of an agent")
        if not any(folder.glob("*.safetensors")):
            found = ", ".join(sorted(path.name for path in folder.glob("*.bin"))) or "no weights"
            raise FormatError(f"{folder}: no *.safetensors in it, but {found}. Pickled weights are not read: convert "
                              "them with model.save_pretrained(folder)")  # fmt: skip
        config = read_json(folder / "config.json")
        family = config.get("model_type")
        if family not in FAMILIES:
            known = nearest_names(str(family), FAMILIES)
            raise UnknownNameError("model family", family, known, str(folder / "config.json"))
        from transformers import AutoModelForImageTextToText, AutoTokenizer

        # NOTE: no code of the folder is ever run
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        model = AutoModelForImageTextToText.from_pretrained(
            folder,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            attn_implementation="sdpa",
            dtype=dtype or "auto",
        )
        default = {"style": "smolvlm"} if family == "smolvlm" else {}
        agent = AgentConfig.from_json(config.get("jarvis", default), f"{folder / 'config.json'}: jarvis")
        preprocessor = folder / "preprocessor_config.json"
        pixels = pixels_of(family, model.config, read_json(preprocessor) if preprocessor.is_file() else None)
        backbone = cls(model.to(device) if device else model, tokenizer, pixels, agent)
        backbone.model.eval()
        return backbone

    def with_agent(self, **changes: Any) -> Backbone:
        """The same model with other settings."""
        return Backbone(self.model, self.tokenizer, self.pixels, replace(self.agent, **changes))


def _flatten_patches(embed: Any) -> None:
    """Makes a convolution over patches that do not overlap the matrix product that it is: on a CPU ten times faster."""
    from torch.nn.functional import linear

    weight = embed.proj.weight  # (hidden, channels, time, height, width)

    def forward(patches: torch.Tensor) -> torch.Tensor:
        matrix = embed.proj.weight.flatten(1)
        return linear(patches.reshape(-1, matrix.shape[1]).to(matrix.dtype), matrix, embed.proj.bias)

    if weight.ndim == 5:
        embed.forward = forward


# -- models made here ------------------------------------------------------------------------------------------------

_TINY_TEXT = {
    "hidden_size": 192,
    "intermediate_size": 512,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": True,
}
_SMALL_TEXT = _TINY_TEXT | {
    "hidden_size": 512,
    "intermediate_size": 1536,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
}


def tiny(family: str = "qwen2_vl", seed: int = 0, agent: AgentConfig | None = None, small: bool = False) -> Backbone:
    """A model of a family's own class with random weights and the small tokenizer: 4 million parameters, or 51 (small).

    Frames become 224 x 112 pixels, 32 image tokens.
    """
    import torch
    from transformers import AutoModelForImageTextToText

    from vla.tokenizer import small_tokenizer

    if family not in FAMILIES:
        raise UnknownNameError("model family", family, nearest_names(family, FAMILIES))
    tokenizer = small_tokenizer()
    config = _config(family, tokenizer, _SMALL_TEXT if small else _TINY_TEXT, 320 if small else 128, 8 if small else 3)
    pixels = pixels_of(family, config, {"size": {"shortest_edge": 56 * 56, "longest_edge": 224 * 126}})
    if isinstance(pixels, SquarePixels):
        pixels = replace(pixels, longest=config.vision_config.image_size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForImageTextToText.from_config(config, attn_implementation="sdpa")
    style = "smolvlm" if family == "smolvlm" else "short"
    return Backbone(
        model.eval(), tokenizer, pixels, agent or AgentConfig("jarvisvla-fixed", style, width=224, height=126)
    )


def _config(family: str, tokenizer: Any, text: dict[str, Any], width: int, depth: int) -> Any:
    from transformers import AutoConfig

    vocabulary = -(-len(tokenizer) // 64) * 64
    ids = {name: tokenizer.convert_tokens_to_ids(token) for name, token in (
        ("image_token_id", "<|image_pad|>"), ("video_token_id", "<|video_pad|>"),
        ("vision_start_token_id", "<|vision_start|>"), ("vision_end_token_id", "<|vision_end|>"),
    )}  # fmt: skip
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    head = text["hidden_size"] // text["num_attention_heads"]
    sections = [head // 2 - 2 * (head // 6), head // 6, head // 6]
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": sections}
    text = text | ends | {"vocab_size": vocabulary}
    if family == "smolvlm":
        ids["image_token_id"] = tokenizer.convert_tokens_to_ids("<image>")
        vision = {
            "hidden_size": width,
            "intermediate_size": 4 * width,
            "num_hidden_layers": depth,
            "num_attention_heads": 4,
            "image_size": 128,
            "patch_size": 16,
        }
        return AutoConfig.for_model(
            family, text_config={"model_type": "llama"} | text, vision_config=vision, scale_factor=2,
            image_token_id=ids["image_token_id"], tie_word_embeddings=True, pad_token_id=tokenizer.pad_token_id,
        )  # fmt: skip
    vision = {"depth": depth, "num_heads": 4, "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2}
    if family == "qwen2_vl":
        vision |= {"embed_dim": width, "hidden_size": text["hidden_size"], "mlp_ratio": 4}
    else:
        vision |= {"hidden_size": width, "intermediate_size": 4 * width, "out_hidden_size": text["hidden_size"]}
    if family == "qwen2_5_vl":
        vision |= {"fullatt_block_indexes": [depth - 1], "window_size": 112}
    if family == "qwen3_vl":
        vision |= {"deepstack_visual_indexes": [0, 1], "num_position_embeddings": 256}
        text = text | {"head_dim": head}
    return AutoConfig.for_model(
        family, text_config=text | {"rope_parameters": rope}, vision_config=vision, tie_word_embeddings=True, **ids
    )
