"""Checkpoints by their name on the Hugging Face Hub, from what was downloaded before: nothing is fetched here."""

from __future__ import annotations

import re
from pathlib import Path

from jarvis.core.errors import FormatError

__all__ = ["local_folder"]


def local_folder(name: str) -> Path:
    """The folder of ORG/NAME in the Hub's cache. FormatError with the command that downloads it."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise FormatError(f"{name!r}: neither a folder nor ORG/NAME of a checkpoint")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, OSError):
        raise FormatError(f"{name}: not on this machine. Download it with: hf download {name}") from None
