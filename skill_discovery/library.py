"""A library of skills on disk: segments that look alike, under one number, with a name if they have one.

    library = build_library(examples, clusters=12, seed=0)
    library.write("skills/"); library = Library.read("skills/")
    library.find("mine oak_log")                    # skills of that name, the most frequent first
    library.nearest(embed(evidence, segment))       # [(skill, distance), ...]

    skills.json              {"format_version", "predictor", "stability", "skills": [{"number", "name", "count", ...}]}
    examples.jsonl           one line an example: {"clip", "segment", "skill"}
    library.safetensors      embeddings (examples, width), centres (skills, width), mean and scale (width,)
    done

The stability of a clustering is how well two of it agree that saw other halves of the examples: the mean adjusted Rand
index over ten pairs, 1 for equal and 0 for chance. Below 0.5 the numbers say little; choose fewer clusters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jarvis.core.actions import POLICY_BUTTONS
from jarvis.core.errors import EpisodeError, FormatError, MissingExtraError, UnknownNameError, nearest_names
from jarvis.core.files import Pathlike, atomic_folder, atomic_write, is_done, read_json, read_json_lines, write_json
from jarvis.core.random_streams import generator, stream_seed
from jarvis.core.segments import Segment
from skill_discovery.evidence import Evidence

__all__ = ["Example", "Library", "Skill", "build_library", "embed"]

FORMAT_VERSION = 1
ROUNDS = 10  # pairs of clusterings that are compared


@dataclass(frozen=True, eq=False)
class Example:
    """One segment of a clip, and where it lies among all others."""

    clip: str
    segment: Segment
    embedding: np.ndarray  # (width,) float32


@dataclass(frozen=True)
class Skill:
    """One cluster."""

    number: int
    name: str | None  # of most of its examples that have one
    count: int  # examples
    mean_ticks: float
    agreement: float  # share of its named examples that have its name; 0 without any


def embed(evidence: Evidence, segment: Segment) -> np.ndarray:
    """(width,) float32: what is pressed how often, colours, the predictor's mean state and how it changes.

    Without losses or colours, those parts are left out; all examples of a library must have the same.
    """
    ticks = slice(segment.start, segment.stop)
    camera = evidence.camera[ticks]
    parts = [
        evidence.buttons[ticks, : len(POLICY_BUTTONS)].mean(axis=0),
        camera.mean(axis=0) / 10,
        np.abs(camera).mean(axis=0) / 10,
        [evidence.gui_open[ticks].mean(), evidence.null[ticks].mean()],
    ]
    if evidence.colours is not None:
        parts.append(evidence.colours[ticks].mean(axis=0))
    if evidence.scores is not None:
        hidden = evidence.scores.hidden[ticks].astype(np.float32)
        parts += [hidden.mean(axis=0), hidden[-1] - hidden[0]]
    return np.concatenate([np.asarray(part, np.float32).ravel() for part in parts])


@dataclass(frozen=True, eq=False)
class Library:
    """Examples, grouped."""

    examples: tuple[Example, ...]
    skills: tuple[Skill, ...]
    labels: np.ndarray  # (examples,) int64: the number of each example's skill
    centres: np.ndarray  # (skills, width) float32, of standardised embeddings
    mean: np.ndarray  # (width,) float32, of embeddings
    scale: np.ndarray  # (width,) float32
    stability: float
    predictor: str | None = None  # whose states the embeddings hold

    def find(self, name: str) -> list[Skill]:
        """The skills of a name, the most frequent first. UnknownNameError with the nearest names."""
        found = sorted((skill for skill in self.skills if skill.name == name), key=lambda skill: -skill.count)
        if not found:
            names = sorted({skill.name for skill in self.skills if skill.name})
            raise UnknownNameError("skill", name, nearest_names(name, names))
        return found

    def nearest(self, embedding: np.ndarray, count: int = 5) -> list[tuple[Skill, Example, float]]:
        """The nearest examples with their skills and distances, the nearest first."""
        if np.shape(embedding) != self.mean.shape:
            raise EpisodeError(f"an embedding of {np.shape(embedding)}, expected {self.mean.shape} as in the library")
        standard = self._standard(np.stack([example.embedding for example in self.examples]))
        distances = np.linalg.norm(standard - self._standard(embedding), axis=1)
        order = np.argsort(distances, kind="stable")[:count]
        return [
            (self.skills[self.labels[index]], self.examples[index], float(distances[index])) for index in order.tolist()
        ]

    def label(self, embedding: np.ndarray) -> Skill:
        """The skill whose centre is nearest."""
        distances = np.linalg.norm(self.centres - self._standard(embedding), axis=1)
        return self.skills[int(distances.argmin())]

    def _standard(self, embeddings: np.ndarray) -> np.ndarray:
        standard: np.ndarray = (embeddings - self.mean) / self.scale
        return standard

    def write(self, folder: Pathlike) -> Path:
        """Writes the folder, all of it or nothing. FileExistsError if there is something in it."""
        import json

        from safetensors.numpy import save

        with atomic_folder(folder) as temporary:
            table = {
                "format_version": FORMAT_VERSION,
                "predictor": self.predictor,
                "stability": self.stability,
                "skills": [vars(skill) for skill in self.skills],
            }
            write_json(temporary / "skills.json", table)
            lines = [
                {"clip": example.clip, "segment": example.segment.to_json(), "skill": int(label)}
                for example, label in zip(self.examples, self.labels, strict=True)
            ]
            atomic_write(temporary / "examples.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
            arrays = {
                "embeddings": np.stack([example.embedding for example in self.examples]),
                "centres": self.centres,
                "mean": self.mean,
                "scale": self.scale,
            }
            arrays = {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
            atomic_write(temporary / "library.safetensors", save(arrays))
        return Path(folder)

    @classmethod
    def read(cls, folder: Pathlike) -> Library:
        """The library in a folder. FormatError names the file."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        folder = Path(folder)
        if not is_done(folder):
            raise FormatError(f"{folder}: no finished skill library in it")
        table = read_json(folder / "skills.json")
        if not isinstance(table, dict) or table.get("format_version") != FORMAT_VERSION:
            raise FormatError(f"{folder / 'skills.json'}: no library of format_version {FORMAT_VERSION}")
        try:
            arrays = load_file(folder / "library.safetensors")
        except SafetensorError as error:
            raise FormatError(f"{folder / 'library.safetensors'}: {error}") from None
        lines = read_json_lines(folder / "examples.jsonl").values
        if len(lines) != len(arrays["embeddings"]):
            raise FormatError(f"{folder}: {len(lines)} examples but {len(arrays['embeddings'])} embeddings")
        examples = tuple(
            Example(line["clip"], Segment.from_json(line["segment"]), embedding)
            for line, embedding in zip(lines, arrays["embeddings"], strict=True)
        )
        return cls(
            examples, tuple(Skill(**skill) for skill in table["skills"]),
            np.array([line["skill"] for line in lines], np.int64), arrays["centres"], arrays["mean"], arrays["scale"],
            table["stability"], table["predictor"],
        )  # fmt: skip


def build_library(examples: Sequence[Example], clusters: int, seed: int = 0, predictor: str | None = None) -> Library:
    """Groups the examples. EpisodeError for none, for fewer than clusters, or for embeddings of several widths."""
    if not 1 <= clusters <= len(examples):
        raise EpisodeError(f"{clusters} clusters of {len(examples)} examples: expected at least one example for each")
    widths = {np.shape(example.embedding) for example in examples}
    if len(widths) != 1:
        raise EpisodeError(f"embeddings of {sorted(widths)}: embed all examples with the same predictor")
    embeddings = np.stack([example.embedding for example in examples]).astype(np.float64)
    mean, scale = embeddings.mean(axis=0), embeddings.std(axis=0)
    scale[scale < 1e-6] = 1.0
    standard = (embeddings - mean) / scale
    labels, centres = _kmeans(standard, clusters, stream_seed(seed, "clusters"))
    skills = tuple(_skill(number, examples, labels) for number in range(clusters))
    return Library(
        tuple(examples), skills, labels, centres.astype(np.float32), mean.astype(np.float32), scale.astype(np.float32),
        stability(standard, clusters, seed), predictor,
    )  # fmt: skip


def _skill(number: int, examples: Sequence[Example], labels: np.ndarray) -> Skill:
    members = [example for example, label in zip(examples, labels, strict=True) if label == number]
    names = Counter(member.segment.skill for member in members if isinstance(member.segment.skill, str))
    name, most = min(names.items(), key=lambda item: (-item[1], item[0])) if names else (None, 0)
    ticks = float(np.mean([len(member.segment) for member in members])) if members else 0.0
    return Skill(number, name, len(members), ticks, most / names.total() if names else 0.0)


def _kmeans(points: np.ndarray, clusters: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    try:
        from sklearn.cluster import KMeans
    except ImportError:
        raise MissingExtraError("segment", "a skill library") from None
    found = KMeans(clusters, n_init=4, random_state=seed % 2**32).fit(points)
    return found.labels_.astype(np.int64), found.cluster_centers_


def stability(points: np.ndarray, clusters: int, seed: int = 0) -> float:
    """Mean adjusted Rand index of pairs of clusterings, each made from its own half and applied to all points."""
    if len(points) < 4 * clusters:
        return 0.0  # halves would hardly hold one of each
    from sklearn.metrics import adjusted_rand_score

    agreements = []
    for number in range(ROUNDS):
        order = generator(seed, "stability", number).permutation(len(points))
        halves = order[: len(points) // 2], order[len(points) // 2 :]
        labelled = []
        for half in halves:
            _, centres = _kmeans(points[half], clusters, stream_seed(seed, "stability", number))
            labelled.append(((points[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1))
        agreements.append(adjusted_rand_score(*labelled))
    return float(np.mean(agreements))
