from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import vpt_reference as reference

from jarvis.vpt import InputError, cursor_position, draw_cursor, resize
from jarvis.vpt.pixels import arrow_cursor

GOLDEN = reference.golden("preprocess")


def test_resize_equals_opencvs_bit_by_bit():
    assert (resize(reference.frames(3, 2, 360, 640)) == GOLDEN["resized"]).all()
    assert (resize(reference.frames(4, 1, 720, 1280)[0]) == GOLDEN["resized_720"]).all()


def test_cursor_is_blended_and_cut_at_the_edges_as_the_original_does():
    frame = reference.frames(3, 1, 360, 640)[0]
    before = frame.copy()
    cursor = (reference.words("cursor", 16 * 16 * 4) >> np.uint64(56)).astype(np.uint8).reshape(16, 16, 4)
    drawn = frame
    for x, y in GOLDEN["cursor_xy"].tolist():
        drawn = draw_cursor(drawn, x, y, cursor)
    assert (frame == before).all()
    assert (resize(drawn) == GOLDEN["composited_resized"]).all()
    assert (drawn[50:66, 100:116] == GOLDEN["composited_patch"][0]).all()
    assert (drawn[:16, :16] == GOLDEN["composited_patch"][1]).all()
    assert (drawn[-16:, -16:] == GOLDEN["composited_patch"][2]).all()


def test_cursor_outside_of_the_frame_draws_nothing():
    frame = np.full((360, 640, 3), 7, np.uint8)
    for x, y in ((640, 10), (10, 360), (-16, 0), (0, -16), (5000, 5000)):
        assert (draw_cursor(frame, x, y) == frame).all()
    assert (draw_cursor(frame, -1, -2)[:14, :15] == np.where(
        arrow_cursor()[2:, 1:, 3:] > 0, arrow_cursor()[2:, 1:, :3], 7)).all()  # fmt: skip


def test_cursor_position_is_scaled_from_the_window():
    assert cursor_position(641.0, 359.9, 360) == (320, 179)
    assert cursor_position(641.0, 359.9, 720) == (641, 359)


def test_our_arrow_points_to_its_corner():
    arrow = arrow_cursor()
    assert arrow.shape == (16, 16, 4) and arrow.dtype == np.uint8
    assert arrow[0, 0].tolist() == [0, 0, 0, 255] and (arrow[0, 1:] == 0).all()
    assert arrow[4, 2].tolist() == [255, 255, 255, 255]


@pytest.mark.parametrize(
    "frames", [np.zeros((8, 8, 3), np.float32), np.zeros((8, 8), np.uint8), np.zeros((0, 8, 3), np.uint8)], ids=str
)
def test_other_frames_are_refused(frames):
    with pytest.raises(InputError, match="expected"):
        resize(frames)
    with pytest.raises(InputError, match="expected"):
        draw_cursor(frames if frames.size and frames.ndim == 3 else frames[..., :1], 0, 0)


def test_pixels_need_no_torch():
    code = "import sys, jarvis.vpt; jarvis.vpt.resize; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
