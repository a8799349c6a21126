"""A stretch of play: frames, what was done after each of them, and what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from jarvis.core.actions import Action, validate_arrays
from jarvis.core.errors import EpisodeError, UnknownNameError, nearest_names
from jarvis.core.events import Event

__all__ = ["SOURCES", "Trajectory", "VideoReference"]

SOURCES = ("recorded", "idm", "policy", "scripted", "human")  # who says that these were the actions


@dataclass(frozen=True)
class VideoReference:
    """Frames that stay in a video file: [start, start + num_frames) in the order of presentation."""

    path: str
    num_frames: int
    start: int = 0

    def __post_init__(self) -> None:
        if self.start < 0 or self.num_frames < 1:
            raise EpisodeError(f"{self.path}: {self.num_frames} frames from frame {self.start}, expected at least one")


@dataclass(frozen=True, eq=False)
class Trajectory:
    """n actions and the n + 1 frames around them: actions[t] is what the player did after seeing frames[t].

    Exactly one of `frames` and `video` is given. Events are those of the actions, ticks 0 to n - 1, in order.
    """

    buttons: np.ndarray  # (time, 23) uint8, 0 or 1, in the order of jarvis.core.actions.BUTTONS
    camera: np.ndarray  # (time, 2) float32 degrees, (pitch, yaw); down and right are positive
    source: str  # one of SOURCES
    frames: np.ndarray | None = None  # (time + 1, height, width, 3) uint8 RGB
    video: VideoReference | None = None
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise UnknownNameError("source", self.source, nearest_names(self.source, SOURCES))
        if np.ndim(self.buttons) != 2:
            raise EpisodeError(f"buttons: shape {np.shape(self.buttons)}, expected (time, 23)")
        buttons, camera = validate_arrays(self.buttons, self.camera)
        object.__setattr__(self, "buttons", buttons)
        object.__setattr__(self, "camera", camera)
        object.__setattr__(self, "events", tuple(self.events))
        if (self.frames is None) == (self.video is None):
            raise EpisodeError("a trajectory has frames or a video reference, not both and not neither")
        if self.frames is not None and (
            self.frames.dtype != np.uint8 or self.frames.ndim != 4 or self.frames.shape[3] != 3
        ):
            raise EpisodeError(
                f"frames: {self.frames.dtype} {self.frames.shape}, expected uint8 (time + 1, height, width, 3)"
            )
        if self.num_frames != len(self) + 1:
            raise EpisodeError(f"{self.num_frames} frames for {len(self)} actions, expected {len(self) + 1}")
        ticks = [event.tick for event in self.events]
        if ticks != sorted(ticks) or (ticks and ticks[-1] >= len(self)):
            raise EpisodeError(f"events must be in order of their ticks and before tick {len(self)}")

    @classmethod
    def of(
        cls,
        frames: Sequence[np.ndarray] | np.ndarray,
        actions: Sequence[Action],
        source: str,
        events: Sequence[Event] = (),
    ) -> Trajectory:
        """From n + 1 frames and n actions."""
        buttons = np.array([action.buttons for action in actions], np.uint8).reshape(len(actions), -1)
        camera = np.array([action.camera for action in actions], np.float32).reshape(len(actions), 2)
        return cls(buttons, camera, source, frames=np.asarray(frames), events=tuple(events))

    def __len__(self) -> int:
        """The number of actions."""
        return len(self.buttons)

    @property
    def num_frames(self) -> int:
        """One more than there are actions."""
        if self.frames is not None:
            return len(self.frames)
        assert self.video is not None
        return self.video.num_frames

    def action(self, tick: int) -> Action:
        """The action of one tick."""
        return Action(self.buttons[tick], self.camera[tick])

    def part(self, start: int, stop: int) -> Trajectory:
        """The actions [start, stop), with the frames around them and the events during them, counted from `start`.

        Arrays are views, not copies.
        """
        if not 0 <= start < stop <= len(self):
            raise EpisodeError(f"part [{start}, {stop}) of a trajectory of {len(self)} actions")
        return Trajectory(
            self.buttons[start:stop],
            self.camera[start:stop],
            self.source,
            frames=None if self.frames is None else self.frames[start : stop + 1],
            video=self.video and replace(self.video, start=self.video.start + start, num_frames=stop - start + 1),
            events=tuple(
                replace(event, tick=event.tick - start) for event in self.events if start <= event.tick < stop
            ),
        )
