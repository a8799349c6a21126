"""The hand on a screen: what it may press, its file, and that it learns where things are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from jarvis.app.learners.hands import _cells, examples, main
from jarvis.core.actions import JARVIS_CAMERA, Action
from jarvis.core.errors import FormatError
from vla.hand import KEYS, Hand, _action, classes

WIDTH, HEIGHT = 252, 140


@pytest.fixture(scope="module")
def some():
    return list(itertools.islice(examples(3, 0, WIDTH, HEIGHT), 24))


@pytest.fixture
def hand():
    torch.manual_seed(0)
    return Hand(WIDTH, HEIGHT, channels=8, hidden=16).eval()


@pytest.mark.parametrize("key", range(len(KEYS)))
def test_every_class_is_an_action_and_back(key):
    for pitch, yaw in ((0, 20), (10, 10), (13, 4)):
        assert classes(_action(key, pitch, yaw)) == (key, pitch, yaw)


def test_what_no_hand_presses_is_refused():
    with pytest.raises(ValueError, match="forward"):
        classes(Action.from_env({"forward": 1}))


def test_a_file_gives_the_same_hand(hand, some, tmp_path):
    hand.half().float()
    hand.save(tmp_path / "hand.safetensors")
    again = Hand.load(tmp_path / "hand.safetensors")
    assert again.picture_size == (WIDTH, HEIGHT)
    frames, texts = torch.from_numpy(np.stack([one.frame for one in some])), [one.text for one in some]
    for was, now in zip(hand(frames, texts), again(frames, texts), strict=True):
        assert torch.equal(was, now)


@pytest.mark.parametrize("content", [b"", b"junk" * 40, None])
def test_a_file_that_holds_no_hand_is_refused(content, tmp_path):
    path = tmp_path / "hand.safetensors"
    if content is None:
        save_file({"points.weight": torch.zeros(8, 8, 1, 1)}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(FormatError, match=r"hand\.safetensors: holds no hand"):
        Hand.load(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(FormatError, match="holds no hand"):
        Hand.load(tmp_path / "none.safetensors")


def test_it_draws_by_each_rows_random_numbers(hand, some):
    frames, texts = np.stack([one.frame for one in some]), [one.text for one in some]
    randoms = [[np.random.default_rng(row) for row in range(len(some))] for _ in range(2)]
    together = hand.act(frames, texts, randoms[0])
    alone = [hand.act(frames[[row]], [texts[row]], [randoms[1][row]])[0] for row in range(len(some))]
    assert together == alone
    assert len({action.camera.tobytes() for action in together}) > 3


def test_the_words_matter_and_their_order_too(hand, some):
    frames = torch.from_numpy(np.stack([some[0].frame] * 3))
    keys = hand(frames, ["press 2 over row 1 column 5", "press 1 over row 2 column 5", "left-click hotbar 3"])[0]
    assert not torch.equal(keys[0], keys[1])
    assert not torch.equal(keys[0], keys[2])


def test_examples_say_what_brings_the_cursor_there(some):
    """Where a key is pressed the mouse rests, and else it moves towards the slot."""
    moving = 0
    for one in some:
        key, pitch, yaw = one.answer
        rests = (pitch, yaw) == (JARVIS_CAMERA.null_bin, JARVIS_CAMERA.null_bin)
        assert rests or key == 0
        moving += not rests
        assert one.frame.shape == (HEIGHT, WIDTH, 3)
    assert moving > len(some) / 3
    assert len({one.text for one in some}) > 10


def test_cells_mean_where_the_cursor_is():
    cursors = np.array([[0.0, 0.0], [-1.0, 1.0], [0.333, -0.71], [0.9969, 0.9944]], np.float32)
    rows, columns = 35, 63
    shares = _cells(cursors, rows, columns).reshape(-1, rows, columns)
    assert torch.allclose(shares.sum((1, 2)), torch.ones(4), atol=1e-4)
    x = (shares.sum(1) * torch.linspace(-1, 1, columns)).sum(1)
    y = (shares.sum(2) * torch.linspace(-1, 1, rows)).sum(1)
    assert np.allclose(torch.stack([x, y], 1).numpy(), cursors, atol=1e-4)


@pytest.mark.slow
def test_it_learns_and_goes_on(tmp_path):
    """A minute shows the cursor: the average of the weights, which is written, sees it at once."""
    path = tmp_path / "hand.safetensors"
    main(path, width=126, height=70, seconds=45.0, workers=1, seed=4, resume=False)
    main(path, width=126, height=70, seconds=25.0, workers=1, seed=5, resume=True)
    hand = Hand.load(path)
    some = list(itertools.islice(examples(6, 0, *hand.picture_size), 200))
    frames = torch.from_numpy(np.stack([one.frame for one in some]))
    with torch.inference_mode():
        where = hand(frames, [one.text for one in some])[3]
    rows, columns = where.shape[1:]
    cells = where.flatten(1).argmax(1).numpy()
    seen = np.stack([cells % columns / (columns - 1), cells // columns / (rows - 1)], 1) * 2.0 - 1.0
    off = np.abs(seen - [one.cursor for one in some]) * (columns / 2.0, rows / 2.0)
    assert np.median(off) < 1.5, np.median(off)  # cells
