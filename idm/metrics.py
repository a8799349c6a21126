"""How good labels are: against the truth, and against two labellers that see nothing.

    found = report(labels, buttons, camera, gui)          # lists with one entry a recording
    print(found.summary()); found.buttons["attack"]

keypress      share of frames in which all 20 buttons are right (VPT does not say how its 90.6 % is counted; on its own
              example recording, releasing every key at all times has 95.1 % of the single buttons right)
per button    precision, recall, F1; a button that is never pressed has no recall
camera        R2 and errors in degrees, pitch and yaw together and apart; `clipped` after both are cut to 10 degrees a
              tick, which is as far as VPT's bins go
calibration   expected calibration error: how far confidence is from the share of right labels, in 15 bins

Each of them for all frames, and for those with a screen open and without. Always-released presses nothing and never
moves; copy-previous repeats what was truly done in the tick before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from idm.labels import Labels
from jarvis.core.actions import POLICY_BUTTONS, VPT_CAMERA

__all__ = ["Report", "Score", "calibration_error", "r_squared", "report"]

NUM_BUTTONS = len(POLICY_BUTTONS)
CALIBRATION_BINS = 15
NEAR = 1.0  # degrees: a camera label this close to the truth, or within a tenth of it, is right


@dataclass(frozen=True, eq=False)
class Score:
    """Of some frames."""

    frames: int
    keypress: float | None  # share of frames with every button right
    single: float | None  # share of single buttons that are right
    r2: float | None  # of the camera, both axes together
    r2_pitch: float | None
    r2_yaw: float | None
    r2_clipped: float | None  # within 10 degrees
    error: float | None  # mean absolute degrees, both axes
    near: float | None  # share of frames in which both axes are near the truth
    buttons: dict[str, dict[str, float | None]]  # name -> pressed (share of frames), precision, recall, f1

    def to_json(self) -> dict[str, Any]:
        """Every field, rounded to six digits."""
        return {name: _rounded(value) for name, value in vars(self).items()}


@dataclass(frozen=True, eq=False)
class Report:
    """Scores by which frames ("all", "play", "screen") and labeller ("model", "released", "previous")."""

    scores: dict[str, dict[str, Score]]
    calibration: dict[str, float | None]  # of the buttons together, of single ones by name, pitch, yaw

    @property
    def buttons(self) -> dict[str, dict[str, float | None]]:
        """Of the model, on all frames."""
        return self.scores["all"]["model"].buttons

    def summary(self) -> dict[str, float | None]:
        """The numbers that matter most."""
        every = self.scores["all"]
        model = every["model"]
        return {
            "frames": model.frames,
            "keypress": _rounded(model.keypress),
            "keypress_released": _rounded(every["released"].keypress),
            "keypress_previous": _rounded(every["previous"].keypress),
            "keypress_play": _rounded(self.scores["play"]["model"].keypress),
            "keypress_screen": _rounded(self.scores["screen"]["model"].keypress),
            "r2": _rounded(model.r2),
            "r2_clipped": _rounded(model.r2_clipped),
            "r2_play": _rounded(self.scores["play"]["model"].r2),
            "r2_screen": _rounded(self.scores["screen"]["model"].r2),
            "error": _rounded(model.error),
            "ece": _rounded(self.calibration["buttons"]),
        }

    def to_json(self) -> dict[str, Any]:
        """Everything."""
        scores = {which: {who: score.to_json() for who, score in by.items()} for which, by in self.scores.items()}
        return {"scores": scores, "calibration": _rounded(self.calibration)}


def report(
    labels: Sequence[Labels],
    buttons: Sequence[np.ndarray],
    camera: Sequence[np.ndarray],
    gui: Sequence[np.ndarray],
) -> Report:
    """Compares the labels of recordings with the truth: (n, 20 or 23) buttons, (n, 2) degrees, (n,) bool screens."""
    true_buttons = np.concatenate([one[:, :NUM_BUTTONS] for one in buttons])
    true_camera = np.concatenate(list(camera)).astype(np.float64)
    screen = np.concatenate(list(gui)).astype(bool)
    joined = Labels.join(list(labels))
    if len(joined) != len(true_buttons):
        raise ValueError(f"{len(joined)} labels of {len(true_buttons)} frames")
    guesses = {
        "model": (joined.buttons[:, :NUM_BUTTONS], joined.camera.astype(np.float64)),
        "released": (np.zeros_like(true_buttons), np.zeros_like(true_camera)),
        "previous": (
            np.concatenate([_previous(one[:, :NUM_BUTTONS]) for one in buttons]),
            np.concatenate([_previous(one) for one in camera]).astype(np.float64),
        ),
    }
    frames = {"all": np.ones(len(screen), bool), "play": ~screen, "screen": screen}
    scores = {
        which: {who: _score(*guess, true_buttons, true_camera, chosen) for who, guess in guesses.items()}
        for which, chosen in frames.items()
    }
    return Report(scores, _calibration(joined, true_buttons, true_camera))


def _previous(values: np.ndarray) -> np.ndarray:
    shifted = np.zeros_like(values)
    shifted[1:] = values[:-1]
    return shifted


def _score(
    buttons: np.ndarray, camera: np.ndarray, true_buttons: np.ndarray, true_camera: np.ndarray, chosen: np.ndarray
) -> Score:
    buttons, camera, true_buttons, true_camera = (
        values[chosen] for values in (buttons, camera, true_buttons, true_camera)
    )
    count = len(buttons)
    right = buttons == true_buttons
    far = np.abs(camera - true_camera)
    limit = VPT_CAMERA.max_degrees
    return Score(
        frames=count,
        keypress=float(right.all(axis=1).mean()) if count else None,
        single=float(right.mean()) if count else None,
        r2=r_squared(camera, true_camera),
        r2_pitch=r_squared(camera[:, 0], true_camera[:, 0]),
        r2_yaw=r_squared(camera[:, 1], true_camera[:, 1]),
        r2_clipped=r_squared(camera.clip(-limit, limit), true_camera.clip(-limit, limit)),
        error=float(far.mean()) if count else None,
        near=float((far <= np.maximum(NEAR, 0.1 * np.abs(true_camera))).all(axis=1).mean()) if count else None,
        buttons={name: _button(buttons[:, i] != 0, true_buttons[:, i] != 0) for i, name in enumerate(POLICY_BUTTONS)},
    )


def _button(guess: np.ndarray, truth: np.ndarray) -> dict[str, float | None]:
    hits = int((guess & truth).sum())
    pressed, guessed = int(truth.sum()), int(guess.sum())
    return {
        "pressed": pressed / len(truth) if len(truth) else None,
        "precision": hits / guessed if guessed else None,
        "recall": hits / pressed if pressed else None,
        "f1": 2 * hits / (pressed + guessed) if pressed else None,
    }


def r_squared(guess: np.ndarray, truth: np.ndarray) -> float | None:
    """1 - (sum of squared errors) / (sum of squares around each column's mean); None if nothing varies."""
    around = float(((truth - truth.mean(axis=0)) ** 2).sum()) if len(truth) else 0.0
    return 1 - float(((guess - truth) ** 2).sum()) / around if around > 0 else None


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float | None:
    """Mean distance of confidence and accuracy over bins of equal width, weighted by their labels."""
    if not len(confidence):
        return None
    places = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    sums = [np.bincount(places, weights, CALIBRATION_BINS) for weights in (confidence, right.astype(float))]
    return float(np.abs(sums[0] - sums[1]).sum() / len(confidence))


def _calibration(labels: Labels, true_buttons: np.ndarray, true_camera: np.ndarray) -> dict[str, float | None]:
    right = labels.buttons[:, :NUM_BUTTONS] == true_buttons
    sure = labels.confidence[:, :NUM_BUTTONS]
    found = {"buttons": calibration_error(sure.ravel(), right.ravel())}
    found |= {name: calibration_error(sure[:, i], right[:, i]) for i, name in enumerate(POLICY_BUTTONS)}
    near = np.abs(labels.camera - true_camera) <= np.maximum(NEAR, 0.1 * np.abs(true_camera))
    return found | {
        axis: calibration_error(labels.confidence[:, NUM_BUTTONS + i], near[:, i])
        for i, axis in enumerate(("pitch", "yaw"))
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    return round(value, 6) if isinstance(value, float) else value
