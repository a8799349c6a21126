"""One class over every image-text-to-text model that plays: a vision tower, a language model, a tokenizer.

    backbone = Backbone.load("runs/vla/final")       # a Hugging Face folder with safetensors
    backbone = tiny()                                # Qwen2-VL's class with a few million random parameters
    seen = backbone.see([frame])                     # image tokens; may be kept and used again
    hidden = backbone.read(backbone.embed(ids, pictures, [seen]), positions, mask)
    logits = backbone.logits(hidden[:, -1])

    stack = backbone.see_stack(frames)               # many at once, a tensor on the device that stays there
    losses = backbone.losses(ids, positions, pictures, frames, targets)

Families: qwen2_vl (JARVIS-VLA's), qwen2_5_vl, qwen3_vl, smolvlm. Nothing is downloaded, and nothing but safetensors is
read. What an agent needs beside the model stands under "jarvis" in its config.json.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MethodType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jarvis.core.errors import FormatError, UnknownNameError, nearest_names
from jarvis.core.files import read_json, write_json
from vla.action_codecs import JointCodec, get
from vla.images import PatchPixels, SquarePixels, pixels_of
from vla.language import Room, layers_of
from vla.prompts import STYLES, ChatStyle
from vla.vision import tower_of

if TYPE_CHECKING:
    import torch

__all__ = ["FAMILIES", "SIZES", "AgentConfig", "Backbone", "Seen", "Stack", "tiny"]

FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "smolvlm")
SMALL = 256 << 20


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


class Stack(NamedTuple):
    """Many pictures of one size."""

    tokens: torch.Tensor  # (n, tokens, hidden)
    deep: tuple[torch.Tensor, ...]
    grid: tuple[int, int]

    def each(self) -> list[Seen]:
        """One by one."""
        return [
            Seen(tokens, tuple(layer[number] for layer in self.deep), self.grid)
            for number, tokens in enumerate(self.tokens)
        ]


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
        language, self._tower = self.language, None
        if isinstance(pixels, PatchPixels):
            _flatten_patches(model.model.visual.patch_embed)
            self._tower = tower_of(model.model.visual)
        self._layers = layers_of(language)
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
        import torch

        if self._tower is not None and len({frame.shape for frame in frames}) == 1:
            return self.see_stack(np.stack(frames)).each()
        inputs = {name: value.to(self.device) for name, value in self.pixels.prepare(frames).items()}
        outputs = self.model.get_image_features(**inputs, return_dict=True)
        counts = [len(tokens) for tokens in outputs.pooler_output]
        # NOTE: earlier releases of transformers do not cut these into pictures
        deep = [
            layer.split(counts) if isinstance(layer, torch.Tensor) else layer
            for layer in getattr(outputs, "deepstack_features", None) or []
        ]
        return [
            Seen(tokens, tuple(layer[number] for layer in deep), self.pixels.grid(*frames[number].shape[:2]))
            for number, tokens in enumerate(outputs.pooler_output)
        ]

    def see_stack(self, frames: torch.Tensor | np.ndarray) -> Stack:
        """Image tokens of (n, height, width, 3) uint8 frames, an array, or a tensor where the model computes.

        With the towers of Qwen2-VL and Qwen3-VL a tensor never leaves the device and nothing waits for it; ValueError
        if it would have to be resized. Others go the way of `see`.
        """
        import torch

        if self._tower is None:
            seen = self.see(list(frames.cpu().numpy() if isinstance(frames, torch.Tensor) else frames))
            deep = zip(*(picture.deep for picture in seen), strict=True)
            return Stack(torch.stack([picture.tokens for picture in seen]), tuple(map(torch.stack, deep)), seen[0].grid)
        high, wide = self.pixels.size(*frames.shape[1:3])
        fits = (high, wide) == tuple(frames.shape[1:3])
        if isinstance(frames, np.ndarray):
            stacked = frames if fits else np.stack([self.pixels.resized(frame) for frame in frames])
            return self._see(torch.from_numpy(stacked).to(self.device))
        if not fits:
            raise ValueError(f"frames of {frames.shape[2]} x {frames.shape[1]}: this model takes {wide} x {high} of "
                             "that shape; resize them first")  # fmt: skip
        return self._see(frames)

    def _see(self, frames: torch.Tensor) -> Stack:
        assert self._tower is not None
        assert isinstance(self.pixels, PatchPixels)
        side, merge = self.pixels.patch, self.pixels.merge
        rows, columns = frames.shape[1] // side, frames.shape[2] // side
        tokens, deep = self._tower(self.pixels.patches(frames), (rows, columns))
        return Stack(tokens, deep, (rows // merge, columns // merge))

    def embed(
        self, ids: torch.Tensor, pictures: torch.Tensor, seen: Sequence[Seen] | Stack
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        """(batch, n, hidden) of (batch, n) ids, image tokens put in their places, and what else `read` needs of them.

        pictures: (batch, n), the number in `seen` of the picture that a token is of, -1 for words. Pictures stand in
        the order of `seen`, row by row, each whole. A Stack has one picture for each row.
        """
        import torch

        embeds = self.language.get_input_embeddings()(ids)
        if not len(seen):
            return embeds, {}
        mask = pictures >= 0
        if isinstance(seen, Stack):
            assert len(seen.tokens) == len(ids), f"{len(seen.tokens)} pictures for {len(ids)} rows"
            first = mask.int().argmax(1, keepdim=True)
            places = first + torch.arange(seen.tokens.shape[1], device=ids.device)
            places = places[..., None].expand(-1, -1, embeds.shape[-1])
            embeds = embeds.scatter(1, places, seen.tokens.to(embeds.dtype))
            deep = [torch.zeros_like(embeds).scatter(1, places, layer.to(embeds.dtype)) for layer in seen.deep]
            return embeds, {"mask": mask, "deep": deep}
        tokens = torch.cat([picture.tokens for picture in seen])
        assert int(mask.sum()) == len(tokens), f"{int(mask.sum())} places for {len(tokens)} image tokens"
        embeds = embeds.masked_scatter(mask[..., None], tokens.to(embeds.dtype))
        layers = [torch.cat(parts) for parts in zip(*(picture.deep for picture in seen), strict=True)]
        deep = [torch.zeros_like(embeds).masked_scatter(mask[..., None], layer.to(embeds.dtype)) for layer in layers]
        return embeds, {"mask": mask, "deep": deep}

    def read(
        self,
        embedded: tuple[torch.Tensor, dict[str, Any]],
        positions: torch.Tensor,
        mask: torch.Tensor | None,
        cache: Any = None,
    ) -> torch.Tensor:
        """(batch, n, hidden) after the language model.

        positions: (3, batch, n). mask: (batch, n, earlier + n) bool, what each token may look at; None for all before
        it, where nothing was read earlier. cache: a transformers Cache of what was read before, to which this is added.
        """
        embeds, more = embedded
        deep = more.get("deep", [])
        if self._layers is not None and not getattr(self.language, "gradient_checkpointing", False):
            return self._layers(embeds, positions, mask, cache, deep)
        arguments = {
            "inputs_embeds": embeds,
            "attention_mask": None if mask is None else mask[:, None],
            "position_ids": positions if self.style.spatial else positions[0],
            "use_cache": cache is not None,
            self._cache_name: cache,
        }
        if deep:
            places = more["mask"]
            arguments |= {"visual_pos_masks": places, "deepstack_visual_embeds": [layer[places] for layer in deep]}
        return self.language(**arguments).last_hidden_state

    def losses(
        self,
        ids: torch.Tensor,
        positions: torch.Tensor,
        pictures: torch.Tensor,
        frames: torch.Tensor,
        targets: torch.Tensor,
    ) -> torch.Tensor:
        """(batch, n) float32: the loss at each place of one example a row, 0 where nothing is learnt.

        ids, pictures: (batch, n), padded behind; the padding is 0 and -1. positions: (3, batch, n). frames: (batch,
        height, width, 3) uint8, the one picture of each row. targets: (batch, n), the id that comes next, -100 where it
        is not learnt. All on the device, and nothing waits for it. Also under torch.autocast.
        """
        from torch.nn.functional import cross_entropy

        # NOTE: nothing looks ahead and the padding is behind, so that the fast kernels without a mask do
        hidden = self.read(self.embed(ids, pictures, self.see_stack(frames)), positions, None)
        logits = self.logits(hidden).flatten(0, 1).float()
        return cross_entropy(logits, targets.flatten(), ignore_index=-100, reduction="none").view(targets.shape)

    def cache(self, tokens: int) -> Any:
        """Keeps what `read` reads, up to so many tokens a row, for what is read later."""
        from transformers import DynamicCache

        return DynamicCache(config=self.language.config) if self._layers is None else Room(tokens)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """(..., vocabulary) of (..., hidden)."""
        return self.model.lm_head(hidden)

    # files

    def save(self, folder: str | Path, *, dtype: Any = None, max_shard_size: str = "50GB") -> None:
        """The model, the tokenizer and the agent's settings, as a Hugging Face folder that others load too.

        dtype: of the weights in the file, None as they are; `load` brings them back to what they are here.
        max_shard_size: of a file, as "15MB"; what is larger takes several.
        """
        from transformers.utils import logging

        folder = Path(folder)
        shown = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()  # one line a checkpoint of nothing to wait for
        weights = self.model.state_dict()
        if dtype is not None:
            cast = {value.data_ptr(): value.to(dtype) for value in weights.values() if value.is_floating_point()}
            weights = {name: cast.get(value.data_ptr(), value) for name, value in weights.items()}  # tied ones stay so
        self.model.save_pretrained(folder, state_dict=weights, max_shard_size=max_shard_size)
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

        Without "jarvis" in config.json it is taken for a JARVIS-VLA checkpoint. dtype: None takes that of config.json
        or the weights, but float32 for a model of less than SMALL bytes on a CPU, which is slow with anything shorter.
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
        import torch
        from transformers import AutoModelForImageTextToText, AutoTokenizer

        if dtype is None and device in (None, "cpu"):
            small = sum(path.stat().st_size for path in folder.glob("*.safetensors")) < SMALL
            dtype = torch.float32 if small else None
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
    if embed.proj.weight.ndim == 5:  # (hidden, channels, time, height, width)
        embed.forward = MethodType(_multiply, embed)


def _multiply(self: Any, patches: torch.Tensor) -> torch.Tensor:
    from torch.nn.functional import linear

    matrix = self.proj.weight.flatten(1)
    return linear(patches.reshape(-1, matrix.shape[1]).to(matrix.dtype), matrix, self.proj.bias)


# -- models made here ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Size:
    """Of a model made here."""

    family: str  # unless another is asked for
    width: int  # of the pictures it plays by
    height: int
    text: Mapping[str, int]  # hidden_size and so on of the language model
    vision: int  # width of the vision tower
    depth: int
    heads: int = 4  # of the vision tower
    deep: tuple[int, ...] = (0, 1)  # Qwen3-VL: layers of the tower that the first of the language model see
    positions: int = 16  # Qwen3-VL: a side of the table of learnt ones
    exact: bool = False  # Qwen3-VL: GELU as it is, not by tanh, which takes a CPU four times as long


def _text(hidden: int, between: int, layers: int, heads: int) -> dict[str, int]:
    return {
        "hidden_size": hidden, "intermediate_size": between, "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": heads // 2,
    }  # fmt: skip


SIZES = {
    # 4 million parameters, 32 image tokens
    "tiny": Size("qwen2_vl", 224, 126, _text(192, 512, 6, 4), 128, 3),
    # 11 million, 45: positions are learnt beside the rotations, and an early layer is shown too, to point precisely
    "agent": Size("qwen3_vl", 252, 140, _text(256, 704, 5, 4), 256, 5, deep=(1,), positions=18, exact=True),
    # 51 million, 32
    "small": Size("qwen2_vl", 224, 126, _text(512, 1536, 12, 8), 320, 8),
}


def tiny(family: str | None = None, seed: int = 0, agent: AgentConfig | None = None, size: str = "tiny") -> Backbone:
    """A model of a family's own class with random weights and the small tokenizer.

    size: one of SIZES, whose family it is where none is given. UnknownNameError for what is neither.
    """
    import torch
    from transformers import AutoModelForImageTextToText

    from vla.tokenizer import small_tokenizer

    if size not in SIZES:
        raise UnknownNameError("size of model", size, nearest_names(size, SIZES))
    chosen = SIZES[size]
    family = family or chosen.family
    if family not in FAMILIES:
        raise UnknownNameError("model family", family, nearest_names(family, FAMILIES))
    tokenizer = small_tokenizer()
    config = _config(family, tokenizer, chosen)
    most = chosen.width * chosen.height
    pixels = pixels_of(family, config, {"size": {"shortest_edge": 56 * 56, "longest_edge": most}})
    if isinstance(pixels, SquarePixels):
        pixels = replace(pixels, longest=config.vision_config.image_size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForImageTextToText.from_config(config, attn_implementation="sdpa")
    style = "smolvlm" if family == "smolvlm" else "short"
    agent = agent or AgentConfig("jarvisvla-fixed", style, width=chosen.width, height=chosen.height)
    return Backbone(model.eval(), tokenizer, pixels, agent)


def _config(family: str, tokenizer: Any, size: Size) -> Any:
    from transformers import AutoConfig

    width, depth, text = size.vision, size.depth, dict(size.text)

    vocabulary = -(-len(tokenizer) // 64) * 64
    ids = {name: tokenizer.convert_tokens_to_ids(token) for name, token in (
        ("image_token_id", "<|image_pad|>"), ("video_token_id", "<|video_pad|>"),
        ("vision_start_token_id", "<|vision_start|>"), ("vision_end_token_id", "<|vision_end|>"),
    )}  # fmt: skip
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    head = text["hidden_size"] // text["num_attention_heads"]
    sections = [head // 2 - 2 * (head // 6), head // 6, head // 6]
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": sections}
    text = text | ends | {"vocab_size": vocabulary, "max_position_embeddings": 4096, "tie_word_embeddings": True}
    if family == "smolvlm":
        ids["image_token_id"] = tokenizer.convert_tokens_to_ids("<image>")
        vision = {
            "hidden_size": width,
            "intermediate_size": 4 * width,
            "num_hidden_layers": depth,
            "num_attention_heads": size.heads,
            "image_size": 128,
            "patch_size": 16,
        }
        return AutoConfig.for_model(
            family, text_config={"model_type": "llama"} | text, vision_config=vision, scale_factor=2,
            image_token_id=ids["image_token_id"], tie_word_embeddings=True, pad_token_id=tokenizer.pad_token_id,
        )  # fmt: skip
    vision = {
        "depth": depth,
        "num_heads": size.heads,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
    }
    if family == "qwen2_vl":
        vision |= {"embed_dim": width, "hidden_size": text["hidden_size"], "mlp_ratio": 4}
    else:
        vision |= {"hidden_size": width, "intermediate_size": 4 * width, "out_hidden_size": text["hidden_size"]}
    if family == "qwen2_5_vl":
        vision |= {"fullatt_block_indexes": [depth - 1], "window_size": 112}
    if family == "qwen3_vl":
        vision |= {"deepstack_visual_indexes": list(size.deep), "num_position_embeddings": size.positions**2}
        vision |= {"hidden_act": "gelu"} if size.exact else {}
        text = text | {"head_dim": head}
    return AutoConfig.for_model(
        family, text_config=text | {"rope_parameters": rope}, vision_config=vision, tie_word_embeddings=True, **ids
    )
