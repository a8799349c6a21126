"""Labelled clips as MineStudio's trainers read them: LMDB files with chunks of 32 frames.

    image/part-0/     (episode, first frame) -> an mp4 of 32 pictures of 224 x 224
    action/part-0/    (episode, first frame) -> pickled {"attack": (32,), ..., "camera": (32, 2) degrees}
    both              __chunk_size__, __chunk_infos__, __num_episodes__, __num_total_frames__, pickled too

MineStudio's own tools drop what does not fill a chunk; so does writing, and it says how much. Reading unpickles
numbers, text and numpy arrays only: any other global is refused by name, and nothing of the file is run. Read back, the
pictures are put into the dataset's own folder. Needs lmdb: pip install "jarvis-agent[minestudio-data]".
"""

from __future__ import annotations

import hashlib
import io
import pickle
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.datasets import Dataset
from data_pipelines.exchange import Exchange
from data_pipelines.exchange_vpt import file_names
from data_pipelines.labels import ClipFacts, ClipLabels
from data_pipelines.video import VideoWriter, open_video
from jarvis.core.actions import BUTTONS, POLICY_BUTTONS
from jarvis.core.errors import FormatError, MissingExtraError

__all__ = ["read", "unpickle", "write"]

CHUNK = 32
SIZE = (224, 224)  # width, height
PICTURES = ("image", "video")  # what the folder is called in different versions
_VALUE_LIMIT = 1 << 28  # bytes of one value
_MAP_BYTES = 1 << 40  # of address space; the file is as long as what is in it


# pickles


def _latin(text: str, encoding: str = "latin1") -> bytes:
    return text.encode("latin1")


def _kinds() -> dict[tuple[str, str], Any]:
    rebuild, scalar = np.zeros(1).__reduce__()[0], np.float32(0).__reduce__()[0]  # type: ignore[index]
    from_buffer: Any = np.zeros(1).__reduce_ex__(5)[0]
    known = {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype, ("_codecs", "encode"): _latin}
    for core in ("numpy.core", "numpy._core"):  # numpy 1, numpy 2
        known[f"{core}.multiarray", "_reconstruct"] = rebuild
        known[f"{core}.multiarray", "scalar"] = scalar
        known[f"{core}.numeric", "_frombuffer"] = from_buffer
    return known


class _Harmless(pickle.Unpickler):
    """Builds numbers, text, containers and numpy arrays of numbers."""

    def find_class(self, module: str, name: str) -> Any:
        """What an array is built of; FormatError for everything else."""
        found = _kinds().get((module, name))
        if found is None:
            raise FormatError(f"refuses the pickle global '{module}.{name}'")
        return found


def unpickle(data: bytes, place: str) -> Any:
    """The value of a pickle of plain data. FormatError names the place and whatever is refused."""
    try:
        return _Harmless(io.BytesIO(data)).load()
    except FormatError as error:
        raise FormatError(f"{place}: {error}") from None
    except Exception as error:  # a damaged pickle raises what it likes
        raise FormatError(f"{place}: damaged pickle: {type(error).__name__}: {str(error)[:80]}") from None


# LMDB


@contextmanager
def _opened(folder: Path, writing: bool = False) -> Iterator[Any]:
    try:
        import lmdb
    except ImportError:
        raise MissingExtraError("minestudio-data", "The format 'minestudio'") from None
    if writing:
        folder.mkdir(parents=True)
    try:
        base = lmdb.open(str(folder), map_size=_MAP_BYTES if writing else 1 << 20, readonly=not writing, lock=False)
    except lmdb.Error as error:
        raise FormatError(f"{folder}: no LMDB can be read from it: {error}") from None
    try:
        with base.begin(write=writing) as transaction:
            yield transaction
    finally:
        base.close()


def _value(transaction: Any, key: str, place: str) -> bytes:
    data = transaction.get(key.encode())
    if data is None:
        raise FormatError(f"{place}: no {key}")
    if len(data) > _VALUE_LIMIT:
        raise FormatError(f"{place}: {key} has {len(data)} bytes")
    return bytes(data)


# writing


def write(dataset: Dataset, out: Path, exchange: Exchange) -> None:
    """Pictures and actions of every clip, one part each."""
    names = file_names(dataset)
    infos: list[dict[str, Any]] = []
    with _opened(out / "image" / "part-0", True) as images, _opened(out / "action" / "part-0", True) as actions:
        for clip, name in names.items():
            number, first = len(infos), 0
            try:
                labels = dataset.read(clip)
                count = len(labels) // CHUNK * CHUNK
                if not count:
                    raise FormatError(f"{name}: {len(labels)} ticks, a chunk has {CHUNK}")
                for first, blob in _picture_chunks(dataset, labels, count):
                    images.put(str((number, first)).encode(), blob)
            except FormatError as error:
                exchange.leave(name, str(error))
                for written in range(0, first + 1, CHUNK):
                    images.delete(str((number, written)).encode())
                continue
            for first in range(0, count, CHUNK):
                rows = slice(first, first + CHUNK)
                told = {button: labels.buttons[rows, k].astype(np.int64) for k, button in enumerate(POLICY_BUTTONS)}
                told["camera"] = labels.camera[rows].astype(np.float32)
                actions.put(str((number, first)).encode(), pickle.dumps(told, 4))
            infos.append({"episode": name, "episode_idx": number, "num_frames": count})
            if count < len(labels):
                exchange.notes.append(f"{name}: the last {len(labels) - count} ticks fill no chunk and were dropped")
            exchange.took(name, count)
        for base in (images, actions):
            facts = {
                "__chunk_size__": CHUNK,
                "__chunk_infos__": infos,
                "__num_episodes__": len(infos),
                "__num_total_frames__": sum(info["num_frames"] for info in infos),
            }
            for key, value in facts.items():
                base.put(key.encode(), pickle.dumps(value, 4))


def _picture_chunks(dataset: Dataset, labels: ClipLabels, count: int) -> Iterator[tuple[int, bytes]]:
    with dataset.open_video(labels) as video, tempfile.TemporaryDirectory() as folder:
        frames = video.chosen(labels.frames[:count], size=SIZE)
        for first in range(0, count, CHUNK):
            path = Path(folder, f"{first}.mp4")
            with VideoWriter(path, *SIZE, crf=18) as out:
                for frame in islice(frames, CHUNK):
                    out.write(frame)
            yield first, path.read_bytes()
            path.unlink()


# reading


def read(source: Path, dataset: Dataset, exchange: Exchange) -> None:
    """Every episode that has both pictures and actions."""
    pictures = next((source / name for name in PICTURES if (source / name).is_dir()), None)
    if pictures is None or not (source / "action").is_dir():
        raise FormatError(f"{source}: expected the folders action and {' or '.join(PICTURES)}")
    shown = {name: place for part in sorted(pictures.iterdir()) for name, place in _episodes(part, exchange)}
    for part in sorted((source / "action").iterdir()):
        for name, (_, number, count, size) in _episodes(part, exchange):
            if name not in shown:
                exchange.leave(name, "no pictures")
                continue
            try:
                labels = _read_episode(dataset, name, (part, number, count, size), shown[name], exchange)
            except FormatError as error:
                exchange.leave(name, str(error))
                continue
            dataset.write(labels)
            exchange.took(name, len(labels))


_Place = tuple[Path, int, int, int]  # part, number of the episode in it, frames, frames of a chunk


def _episodes(part: Path, exchange: Exchange) -> Iterator[tuple[str, _Place]]:
    try:
        with _opened(part) as base:
            size = unpickle(_value(base, "__chunk_size__", str(part)), f"{part}: __chunk_size__")
            infos = unpickle(_value(base, "__chunk_infos__", str(part)), f"{part}: __chunk_infos__")
        if not isinstance(size, int) or not 0 < size <= 4096 or not isinstance(infos, list):
            raise FormatError(f"{part}: chunks of {size!r:.40}")
        found = [
            (str(info["episode"]), (part, int(info["episode_idx"]), int(info["num_frames"]), size)) for info in infos
        ]
    except FormatError as error:
        exchange.leave(part.name, str(error))
        return
    except (KeyError, TypeError, ValueError) as error:
        exchange.leave(part.name, f"{part}: __chunk_infos__: {type(error).__name__}: {error}")
        return
    yield from found


def _read_episode(dataset: Dataset, name: str, acted: _Place, shown: _Place, exchange: Exchange) -> ClipLabels:
    part, number, frames, size = acted
    count = min(frames, shown[2]) // size * size
    if not count or shown[3] != size:
        raise FormatError(
            f"{part}: {name}: {frames} actions and {shown[2]} pictures, in chunks of {size} and {shown[3]}"
        )
    buttons = np.zeros((count, len(BUTTONS)), np.uint8)
    camera = np.zeros((count, 2), np.float32)
    with _opened(part) as base:
        for first in range(0, count, size):
            place = f"{part}: {name}: frame {first}"
            told = unpickle(_value(base, str((number, first)), place), place)
            _place_actions(told, buttons[first : first + size], camera[first : first + size], place, exchange)
    clip = hashlib.sha256(f"{name}\0{count}\0".encode() + buttons.tobytes() + camera.tobytes()).hexdigest()[:24]
    path = dataset.folder / "videos" / f"{clip}.mp4"
    if not path.is_file():
        _join_pictures(shown, name, count, path)
    with open_video(path) as video:
        info = video.info
    facts = ClipFacts(
        clip, name, f"videos/{clip}.mp4", "recorded", count, count, width=info.width, height=info.height
    )  # fmt: skip
    return ClipLabels(facts, np.arange(count), buttons, camera)


def _place_actions(told: Any, buttons: np.ndarray, camera: np.ndarray, place: str, exchange: Exchange) -> None:
    if not isinstance(told, dict) or "camera" not in told:
        raise FormatError(f"{place}: {type(told).__name__} without a camera, expected keys and a camera")
    for key, values in told.items():
        wanted = camera if key == "camera" else buttons[:, BUTTONS.index(key)] if key in BUTTONS else None
        if wanted is None:
            note = f"{key}: no key that is known; left out"
            exchange.notes += [note] if note not in exchange.notes else []
            continue
        array = np.asarray(values)
        if array.dtype.kind not in "biuf" or array.shape != wanted.shape:
            raise FormatError(f"{place}: {key} is {array.dtype} {array.shape}, expected numbers {wanted.shape}")
        wanted[:] = array


def _join_pictures(shown: _Place, name: str, count: int, path: Path) -> None:
    part, number, _, size = shown
    writer: VideoWriter | None = None
    with _opened(part) as base, tempfile.TemporaryDirectory() as folder:
        try:
            for first in range(0, count, size):
                place = f"{part}: {name}: frame {first}"
                blob = Path(folder, "chunk.mp4")
                blob.write_bytes(_value(base, str((number, first)), place))
                with open_video(blob) as video:
                    if video.info.num_frames != size:
                        raise FormatError(f"{place}: {video.info.num_frames} pictures, expected {size}")
                    writer = writer or VideoWriter(path, video.info.width, video.info.height, crf=10)
                    for frame in video.frames():
                        writer.write(frame)
        except BaseException:
            if writer is not None:
                writer.discard()
            raise
    assert writer is not None
    writer.finish()
