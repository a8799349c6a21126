"""Makes the files that break video readers: damaged, cut, edited, of other codecs, and things that are no videos."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from data_pipelines.video import resize

FRAMES, WIDTH, HEIGHT = 120, 160, 96


def picture(number):
    """A frame that can be told from its neighbours: a bar moves, the ground brightens, and there is fine grain."""
    grain = np.random.default_rng(number).integers(0, 60, (HEIGHT, WIDTH, 3))
    frame = grain + np.array([40, 60 + number, 90])
    frame[:, (number * 3) % WIDTH : (number * 3) % WIDTH + 8] = (230, 40, 40)
    return frame.clip(0, 255).astype(np.uint8)


def encode(
    path,
    stamps=range(FRAMES),
    codec="libx264",
    pixels="yuv420p",
    options=None,
    rate=20,
    base=None,
    container=None,
    sizes=None,
):
    """Writes one picture at each stamp (in units of 1 / rate, or of `base` seconds)."""
    options = {"g": "30", "bf": "2"} if options is None and codec == "libx264" else options or {}
    with av.open(str(path), "w", options=container or {}) as out:
        stream = out.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        if base is not None:
            stream.codec_context.time_base = base
        for number, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = stamp, base or Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return Path(path)


def plain(path):
    return encode(path)


def faststart(path):
    return encode(path, container={"movflags": "faststart"})


def cut(path, share=0.5, container=None):
    """A file of which only the first part arrived."""
    encode(path, container=container)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def moov_missing(path):
    return cut(path)


def cut_faststart(path):
    return cut(path, container={"movflags": "faststart"})


def zeroed(path):
    """A stretch of zeros in the middle, as a disk that lost a block leaves it."""
    faststart(path)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + len(data) // 6] = bytes(len(data) // 6)
    path.write_bytes(data)
    return path


def flipped(path, count, seed=1):
    """Single bits flipped in the pictures' data."""
    faststart(path)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 1200  # the first key frame stays whole enough to be recognised
    for place in np.random.default_rng(seed).integers(start, len(data), count):
        data[place] ^= 1 << int(place % 8)
    path.write_bytes(data)
    return path


def few_flips(path):
    return flipped(path, 8)


def many_flips(path):
    return flipped(path, 3000)


def edit_list(path):
    """A copy without re-encoding that begins between key frames: what lies before is there but hidden."""
    source = path.with_name("source.mp4")
    encode(source, options={"g": "60", "bf": "0"})
    with av.open(str(source)) as given, av.open(str(path), "w") as out:
        stream = given.streams.video[0]
        copy = out.add_stream_from_template(stream)
        step = round(1 / (20 * stream.time_base))
        for packet in given.demux(stream):
            if packet.dts is not None:
                packet.pts -= 17 * step
                packet.dts -= 17 * step
                packet.stream = copy
                out.mux(packet)
    source.unlink()
    return path


def variable_rate(path):
    """100 frames at 20 a second, but for a pause of five seconds after the 40th."""
    return encode(path, [50 * number + (5000 if number >= 40 else 0) for number in range(100)], base=Fraction(1, 1000))


def jittered(path):
    """20 a second on average, each frame up to 15 ms early or late."""
    jitter = np.random.default_rng(3).integers(-15, 16, FRAMES)
    jitter[0] = 0
    return encode(path, [50 * number + int(jitter[number]) for number in range(FRAMES)], base=Fraction(1, 1000))


def thirty(path):
    return encode(path, rate=30)


def resized_on_the_way(path):
    """60 frames of one size, then 60 of another, in one stream: two streams of packets behind each other."""
    pieces = []
    for number, (width, height) in enumerate(((WIDTH, HEIGHT), (WIDTH // 2, HEIGHT // 2))):
        piece = path.with_name(f"piece{number}.ts")
        with av.open(str(piece), "w") as out:
            stream = out.add_stream("libx264", rate=20, options={"bf": "0", "g": "30"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for count in range(60):
                frame = av.VideoFrame.from_ndarray(
                    resize(picture(60 * number + count), (width, height)), format="rgb24"
                )
                frame.pts = 60 * number + count
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        pieces.append(piece)
    path.write_bytes(b"".join(piece.read_bytes() for piece in pieces))
    return path


def audio_only(path):
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=44100)
        for number in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, 1024 * number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def av1(path):
    return encode(path, codec="libsvtav1", options={"preset": "12"})


def vp9(path):
    return encode(path, codec="libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"})


def hevc(path):
    return encode(path, codec="libx265", options={"preset": "ultrafast", "x265-params": "log-level=none"})


def deep_colour(path):
    return encode(path, pixels="yuv444p10le")


def written(content):
    def make(path):
        path.write_bytes(content)
        return path

    return make


empty = written(b"")
html = written(b"<html><body>404 Not Found</body></html>" * 40)
noise = written(np.random.default_rng(0).bytes(20000))
playlist = written(b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:%d/a.ts\n#EXT-X-ENDLIST\n")
concatenation = written(b"ffconcat version 1.0\nfile 'http://127.0.0.1:%d/a.mp4'\n")
session = written(b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n")
