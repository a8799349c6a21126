"""A 5 x 7 bitmap font for ASCII, and kernels that write with it on a frame of pixels."""

from __future__ import annotations

import numpy as np
from numba import njit

FIRST, LAST = 32, 126
LINE = 9  # pixels from one line to the next


def _rows(*lines: str) -> list[int]:
    return [sum(1 << (4 - i) for i, dot in enumerate(line) if dot == "#") for line in lines]


# A glyph a line: its character, then its rows from the top; letters with a tail use an eighth row.
_DRAWN = """
! #|#|#|#|#|.|#
" #.#|#.#
# .#.#.|.#.#.|#####|.#.#.|#####|.#.#.|.#.#.
$ ..#..|.####|#.#..|.###.|..#.#|####.|..#..
% ##..#|##..#|...#.|..#..|.#...|#..##|#..##
& .##..|#..#.|#.#..|.#...|#.#.#|#..#.|.##.#
' #|#
( ..#|.#.|#..|#..|#..|.#.|..#
) #..|.#.|..#|..#|..#|.#.|#..
* .....|..#..|#.#.#|.###.|#.#.#|..#..
+ .....|..#..|..#..|#####|..#..|..#..
, ..|..|..|..|..|.#|.#|#.
- .....|.....|.....|#####
. .|.|.|.|.|.|#
/ ....#|....#|...#.|..#..|.#...|#....|#....
0 .###.|#...#|#..##|#.#.#|##..#|#...#|.###.
1 .#.|##.|.#.|.#.|.#.|.#.|###
2 .###.|#...#|....#|..##.|.#...|#....|#####
3 .###.|#...#|....#|..##.|....#|#...#|.###.
4 ...##|..#.#|.#..#|#...#|#####|....#|....#
5 #####|#....|####.|....#|....#|#...#|.###.
6 ..##.|.#...|#....|####.|#...#|#...#|.###.
7 #####|#...#|....#|...#.|..#..|..#..|..#..
8 .###.|#...#|#...#|.###.|#...#|#...#|.###.
9 .###.|#...#|#...#|.####|....#|...#.|.##..
: .|#|.|.|.|#
; ..|.#|..|..|..|.#|.#|#.
< ...#|..#.|.#..|#...|.#..|..#.|...#
= ....|....|####|....|####
> #...|.#..|..#.|...#|..#.|.#..|#...
? .###.|#...#|....#|...#.|..#..|.....|..#..
@ .###.|#...#|#.###|#.#.#|#.###|#....|.####
A .###.|#...#|#...#|#####|#...#|#...#|#...#
B ####.|#...#|#...#|####.|#...#|#...#|####.
C .###.|#...#|#....|#....|#....|#...#|.###.
D ####.|#...#|#...#|#...#|#...#|#...#|####.
E #####|#....|#....|####.|#....|#....|#####
F #####|#....|#....|####.|#....|#....|#....
G .####|#....|#....|#..##|#...#|#...#|.###.
H #...#|#...#|#...#|#####|#...#|#...#|#...#
I ###|.#.|.#.|.#.|.#.|.#.|###
J ....#|....#|....#|....#|....#|#...#|.###.
K #...#|#..#.|#.#..|##...|#.#..|#..#.|#...#
L #....|#....|#....|#....|#....|#....|#####
M #...#|##.##|#.#.#|#.#.#|#...#|#...#|#...#
N #...#|##..#|#.#.#|#..##|#...#|#...#|#...#
O .###.|#...#|#...#|#...#|#...#|#...#|.###.
P ####.|#...#|#...#|####.|#....|#....|#....
Q .###.|#...#|#...#|#...#|#.#.#|#..#.|.##.#
R ####.|#...#|#...#|####.|#.#..|#..#.|#...#
S .####|#....|#....|.###.|....#|....#|####.
T #####|..#..|..#..|..#..|..#..|..#..|..#..
U #...#|#...#|#...#|#...#|#...#|#...#|.###.
V #...#|#...#|#...#|#...#|.#.#.|.#.#.|..#..
W #...#|#...#|#...#|#.#.#|#.#.#|##.##|#...#
X #...#|#...#|.#.#.|..#..|.#.#.|#...#|#...#
Y #...#|#...#|.#.#.|..#..|..#..|..#..|..#..
Z #####|....#|...#.|..#..|.#...|#....|#####
[ ###|#..|#..|#..|#..|#..|###
\\ #....|#....|.#...|..#..|...#.|....#|....#
] ###|..#|..#|..#|..#|..#|###
^ ..#..|.#.#.|#...#
_ .....|.....|.....|.....|.....|.....|.....|#####
` #.|.#
a .....|.....|.###.|....#|.####|#...#|.####
b #....|#....|#.##.|##..#|#...#|#...#|####.
c .....|.....|.###.|#...#|#....|#...#|.###.
d ....#|....#|.##.#|#..##|#...#|#...#|.####
e .....|.....|.###.|#...#|#####|#....|.###.
f ..##|.#..|####|.#..|.#..|.#..|.#..
g .....|.....|.####|#...#|#...#|.####|....#|.###.
h #....|#....|#.##.|##..#|#...#|#...#|#...#
i #|.|#|#|#|#|#
j ...#|....|...#|...#|...#|...#|#..#|.##.
k #...|#...|#..#|#.#.|##..|#.#.|#..#
l #.|#.|#.|#.|#.|#.|.#
m .....|.....|##.#.|#.#.#|#.#.#|#...#|#...#
n .....|.....|#.##.|##..#|#...#|#...#|#...#
o .....|.....|.###.|#...#|#...#|#...#|.###.
p .....|.....|#.##.|##..#|#...#|####.|#....|#....
q .....|.....|.##.#|#..##|#...#|.####|....#|....#
r ....|....|#.##|##..|#...|#...|#...
s .....|.....|.####|#....|.###.|....#|####.
t .#.|.#.|###|.#.|.#.|.#.|..#
u .....|.....|#...#|#...#|#...#|#..##|.##.#
v .....|.....|#...#|#...#|#...#|.#.#.|..#..
w .....|.....|#...#|#...#|#.#.#|#.#.#|.#.#.
x .....|.....|#...#|.#.#.|..#..|.#.#.|#...#
y .....|.....|#...#|#...#|#...#|.####|....#|.###.
z .....|.....|#####|...#.|..#..|.#...|#####
{ ..#|.#.|.#.|#..|.#.|.#.|..#
| #|#|#|#|#|#|#
} #..|.#.|.#.|..#|.#.|.#.|#..
~ .....|.....|.##.#|#..#.
"""


def _glyphs() -> tuple[np.ndarray, np.ndarray]:
    rows, widths = np.zeros((LAST - FIRST + 1, 8), np.uint8), np.full(LAST - FIRST + 1, 3, np.int64)
    for line in _DRAWN.strip("\n").split("\n"):
        code, drawn = ord(line[0]) - FIRST, line[2:].split("|") if line[0] != "|" else ["#"] * 7
        rows[code, : len(drawn)] = _rows(*drawn)
        widths[code] = max(map(len, drawn))
    return rows, widths


# (95, 8) uint8 rows of pixels and (95,) int64 widths in pixels, from the space on
FONT, WIDTHS = _glyphs()


def text_width(text: str) -> int:
    """Pixels that a line takes, without the gap after its last letter."""
    codes = glyph_codes(text)
    return int(WIDTHS[codes].sum()) + max(0, len(codes) - 1)


def glyph_codes(text: str) -> np.ndarray:
    """(length,) int64 indices into ``FONT``; what it lacks becomes a question mark."""
    codes = np.frombuffer(text.encode("ascii", "replace"), np.uint8).astype(np.int64) - FIRST
    return np.where((codes < 0) | (codes > LAST - FIRST), ord("?") - FIRST, codes)


@njit(cache=True, nogil=True)
def draw_glyphs(
    frame: np.ndarray,
    x: int,
    y: int,
    codes: np.ndarray,
    colour: int,
    shadow: bool,
    font: np.ndarray,
    widths: np.ndarray,
) -> int:
    """Write glyphs (indices into ``font``) with their top left at (x, y) on (H, W, 3 or 4) uint8; returns x after them.

    ``colour`` is 0xRRGGBB. A shadow of a quarter of the brightness lies one pixel down and right. A fourth channel
    becomes opaque.
    """
    height, width, channels = frame.shape
    red, green, blue = colour >> 16 & 255, colour >> 8 & 255, colour & 255
    for code in codes:
        for layer in range(0 if shadow else 1, 2):
            shift = 1 - layer
            for row in range(8):
                bits = font[code, row]
                py = y + row + shift
                if bits == 0 or py < 0 or py >= height:
                    continue
                for col in range(5):
                    px = x + col + shift
                    if bits >> (4 - col) & 1 and 0 <= px < width:
                        frame[py, px, 0] = red if layer else red >> 2
                        frame[py, px, 1] = green if layer else green >> 2
                        frame[py, px, 2] = blue if layer else blue >> 2
                        if channels == 4:
                            frame[py, px, 3] = 255
        x += widths[code] + 1
    return x


def draw_text(frame: np.ndarray, x: int, y: int, text: str, colour: int = 0xFFFFFF, shadow: bool = True) -> int:
    """Write a line of ASCII with its top left at (x, y) on a (H, W, 3 or 4) uint8 frame; returns x after it.

    ``colour`` is 0xRRGGBB.
    """
    return draw_glyphs(frame, x, y, glyph_codes(text), colour, shadow, FONT, WIDTHS)
