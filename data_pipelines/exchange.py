"""Datasets from and to the formats of others.

    imported = import_from("vpt", "recordings/", "dataset")
    exported = export_to("lerobot", "dataset", "lerobot_set")
    print(exported.clips, exported.left_out)                 # what could not be taken, with the reason

    vpt          OpenAI's contractors': NAME.mp4 and NAME.jsonl           exchange_vpt.py
    lerobot      LeRobotDataset v3.0                                      exchange_lerobot.py
    minestudio   LMDB with chunks of 32 frames                            exchange_minestudio.py
    webdataset   tar shards with mp4, parquet and json                    exchange_webdataset.py

A format's module offers `read(source, dataset, exchange)` and `write(dataset, out, exchange, **options)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from data_pipelines.datasets import Dataset
from jarvis.core.errors import FormatError, UnknownNameError, nearest_names
from jarvis.core.files import Pathlike, atomic_folder

__all__ = ["FORMATS", "Exchange", "export_to", "import_from"]

FORMATS = {
    "vpt": "data_pipelines.exchange_vpt",
    "lerobot": "data_pipelines.exchange_lerobot",
    "minestudio": "data_pipelines.exchange_minestudio",
    "webdataset": "data_pipelines.exchange_webdataset",
}


@dataclass
class Exchange:
    """What came over and what did not."""

    clips: int = 0
    ticks: int = 0
    left_out: dict[str, str] = field(default_factory=dict)  # name -> reason
    notes: list[str] = field(default_factory=list)
    say: Callable[[str], None] = lambda line: None

    def took(self, name: str, ticks: int) -> None:
        """One more clip is over."""
        self.clips, self.ticks = self.clips + 1, self.ticks + ticks
        self.say(f"{name}: {ticks} ticks")

    def leave(self, name: str, reason: str) -> None:
        """One clip stays behind."""
        self.left_out[name] = reason
        self.say(f"{name}: left out: {reason}")


def _module(name: str) -> Any:
    if name not in FORMATS:
        raise UnknownNameError("format", name, nearest_names(name, FORMATS))
    return import_module(FORMATS[name])


def import_from(name: str, source: Pathlike, out: Pathlike, say: Callable[[str], None] = lambda line: None) -> Exchange:
    """Adds what a folder of another format holds to the dataset `out`, which may be new.

    FormatError if the folder is not of that format. Clips that are there already are left as they are.
    """
    module, exchange = _module(name), Exchange(say=say)
    if not Path(source).exists():
        raise FormatError(f"{source}: no such file or folder")
    dataset = Dataset.make(out, {"imported": name})
    with dataset.claim():
        module.read(Path(source), dataset, exchange)
        dataset.write_index(dataset.listed())
    return exchange


def export_to(
    name: str, dataset: Pathlike, out: Pathlike, say: Callable[[str], None] = lambda line: None, **options: Any
) -> Exchange:
    """Writes a dataset in another format to the folder `out`, which appears when it is whole.

    FileExistsError if there is anything at `out`.
    """
    module, exchange = _module(name), Exchange(say=say)
    opened = Dataset.open(dataset)
    with atomic_folder(out) as folder:
        module.write(opened, folder, exchange, **options)
        if not exchange.clips:
            reasons = next(iter(exchange.left_out.values()), "it has no clips")
            raise FormatError(f"{dataset}: nothing to export: {reasons}")
    return exchange
