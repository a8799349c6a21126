"""Sun, moon, stars, the colour of the sky and how bright each level of light is, by the hour.

The laws are Minecraft's: the sun's angle, how much of the daylight reaches the ground, the light map with its
brightness setting ("gamma"), the colour of sky, fog and sunset.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from jarvis.world.layout import MASK, mix64
from jarvis.world.pointers import pointer
from jarvis.world.shading import SKY_STEPS
from jarvis.world.walk import (
    CLOUD,
    CLOUD_AT,
    CLOUD_COLOUR,
    EYE,
    IN_LAVA,
    REACH,
    SUN_SIDE,
    SUNSET,
    SUNSET_COLOUR,
    WATER_DRIFT,
    WINDOW_X,
    WINDOW_Z,
)  # fmt: skip

DAY = 24000
CLOUD_SPEED = 0.03  # metres a tick
STARS = 700


@njit(cache=True, nogil=True)
def sun_angle(time: int) -> float:
    """Angle of the sun in turns: 0 straight up (noon), 0.25 setting in the west, 0.5 midnight."""
    part = (time / DAY - 0.25) % 1.0
    return (part * 2.0 + 0.5 - math.cos(part * math.pi) / 2.0) / 3.0


@njit(cache=True, nogil=True)
def daylight(time: int, rain: float = 0.0) -> float:
    """Share 0.2 .. 1 of the sky's light that reaches open ground."""
    day = min(max(math.cos(sun_angle(time) * 2 * math.pi) * 2.0 + 0.8, 0.0), 1.0)
    return day * (1.0 - rain * 5.0 / 16.0) * 0.8 + 0.2


@njit(cache=True, nogil=True)
def sunset(time: int) -> tuple[float, float, float, float]:
    """Strength 0 .. 1 and colour (red, green, blue 0 .. 255) of the glow where the sun rises or sets."""
    height = math.cos(sun_angle(time) * 2 * math.pi)
    if abs(height) > 0.4:
        return 0.0, 0.0, 0.0, 0.0
    part = height / 0.4 * 0.5 + 0.5
    strength = (1.0 - (1.0 - math.sin(part * math.pi)) * 0.99) ** 2
    return strength, 255.0 * (part * 0.3 + 0.7), 255.0 * (part * part * 0.7 + 0.2), 255.0 * 0.2


@njit(cache=True, nogil=True)
def light_colours(out: np.ndarray, day: float, gamma: float) -> None:
    """Fill ``out`` (256 * 3,) float32 with the colour 0 .. 1 of each light byte (sky << 4 | block) under ``day``
    light.
    """
    for level in range(256):
        sky, lamp = (level >> 4) / 15.0, (level & 15) / 15.0
        sky = sky / (4.0 - 3.0 * sky) * (day * 0.95 + 0.05)
        lamp = lamp / (4.0 - 3.0 * lamp) * 1.5
        # moonlight is blue, torchlight is warm
        colours = (
            sky * (day * 0.65 + 0.35) + lamp,
            sky * (day * 0.65 + 0.35) + lamp * ((lamp * 0.6 + 0.4) * 0.6 + 0.4),
            sky + lamp * (lamp * lamp * 0.6 + 0.4),
        )
        for c in range(3):
            value = min(colours[c] * 0.96 + 0.03, 1.0)
            dark = (1.0 - value) * (1.0 - value)
            lifted = 1.0 - dark * dark
            value = value * (1.0 - gamma) + lifted * gamma
            out[level * 3 + c] = min(min(max(value, 0.0), 1.0) * 0.96 + 0.03, 1.0)


@njit(cache=True, nogil=True)
def sky_colours(out: np.ndarray, height: float, rain: float) -> None:
    """Fill ``out`` (SKY_STEPS * 3,) float32 with the sky from straight down to straight up; ``height`` is the sun's
    cosine.
    """
    day = min(max(height * 2.0 + 0.5, 0.0), 1.0)
    grey = 1.0 - 0.55 * rain
    for step in range(SKY_STEPS):
        rise = step / (SKY_STEPS - 1.0) * 2.0 - 1.0
        part = min(max((rise + 0.02) / 0.42, 0.0), 1.0)
        part = 1.0 - (1.0 - part) * (1.0 - part)
        for c in range(3):
            top = (121.0, 166.0, 255.0)[c] * (day * 0.97 + (0.012, 0.014, 0.03)[c])
            fog = (192.0, 216.0, 255.0)[c] * (day * (0.94, 0.94, 0.91)[c] + (0.05, 0.055, 0.085)[c])
            dull = (0.55 * day + 0.04) * 190.0
            value = fog + (top - fog) * part
            out[step * 3 + c] = (value + (dull - value) * 0.75 * rain) * (grey * 0.5 + 0.5)


@njit(cache=True, nogil=True)
def set_scene(
    scene: np.ndarray,
    camera: np.ndarray,
    glow: np.ndarray,
    sky: np.ndarray,
    hour: np.ndarray,
    x: float,
    y: float,
    z: float,
    yaw: float,
    pitch: float,
    time: int,
    tick: int,
    rain: float,
    gamma: float,
    clouds: float,
    half_w: float,
    half_h: float,
    pixel: float,
    lava: float,
) -> None:
    """Say where the eye is and what hour it is, for the kernels that draw.

    ``camera`` (15,): eye x y z, forward x y z, right x z, up x y z, tangent of a pixel, nothing, tangents of half the
    picture; ``scene`` as in walk.py; ``glow`` and ``sky`` are the tables of light_colours and sky_colours, made anew
    when ``hour`` (4,) is not what they were made for. Degrees, metres, ticks; ``rain`` 0 .. 1, ``clouds`` and
    ``lava`` (the eye is in it) 0 or 1.
    """
    turn, tilt = math.radians(yaw), math.radians(pitch)
    sy, cy, sp, cp = math.sin(turn), math.cos(turn), math.sin(tilt), math.cos(tilt)
    camera[0], camera[1], camera[2] = x, y, z
    camera[3], camera[4], camera[5] = -sy * cp, -sp, cy * cp
    camera[6], camera[7] = -cy, -sy
    camera[8], camera[9], camera[10] = -sy * sp, cp, cy * sp
    camera[11], camera[13], camera[14] = pixel, half_w, half_h
    for c in range(15):
        scene[c] = camera[c]
    brick_x, brick_z = math.floor(x / 8.0) * 8, math.floor(z / 8.0) * 8
    scene[EYE], scene[EYE + 2] = x - brick_x + REACH * 8, z - brick_z + REACH * 8
    scene[WINDOW_X], scene[WINDOW_Z] = (brick_x - REACH * 8) & MASK, (brick_z - REACH * 8) & MASK

    angle = sun_angle(time) * 2.0 * math.pi
    # NOTE: light changes with the hour in steps of 1/256, so that most ticks find the tables as they are
    height = round(math.cos(angle) * 256.0) / 256.0
    day = round(daylight(time, rain) * 256.0) / 256.0
    if hour[0] != height or hour[1] != day or hour[2] != rain or hour[3] != gamma:
        light_colours(glow, day, gamma)
        sky_colours(sky, height, rain)
        hour[0], hour[1], hour[2], hour[3] = height, day, rain, gamma
    strength, red, green, blue = sunset(time)
    scene[SUNSET], scene[SUN_SIDE] = strength * (1.0 - rain), 1.0 if math.sin(angle) < 0 else -1.0
    scene[SUNSET_COLOUR], scene[SUNSET_COLOUR + 1], scene[SUNSET_COLOUR + 2] = red, green, blue
    bright = min(max(height * 2.0 + 0.5, 0.0), 1.0)
    white = 255.0 * (bright * 0.9 + 0.1) * (1.0 - 0.45 * rain)
    scene[CLOUD] = 0.8 * clouds if y < 127.0 else 0.0
    # NOTE: whole bricks are wrapped apart from the rest, so that clouds stay precise far from the origin
    wrap = 12.0 * 64.0
    scene[CLOUD_AT] = (brick_x + tick * CLOUD_SPEED) % wrap + wrap + x - brick_x
    scene[CLOUD_AT + 1] = brick_z % wrap + wrap + z - brick_z
    scene[CLOUD_COLOUR], scene[CLOUD_COLOUR + 1] = white, white
    scene[CLOUD_COLOUR + 2] = min(255.0, 255.0 * (bright * 0.85 + 0.15) * (1.0 - 0.45 * rain))
    scene[WATER_DRIFT], scene[IN_LAVA] = tick, lava


@njit(cache=True, nogil=True)
def draw_lights(
    frame: np.ndarray,
    keys: np.ndarray,
    height: int,
    width: int,
    pitch: int,
    camera: np.ndarray,
    sun: np.ndarray,
    moon: np.ndarray,
    time: int,
    rain: float,
) -> None:
    """Draw sun, moon and stars over pixels that show the sky."""
    angle = sun_angle(time) * 2.0 * math.pi
    sine, cosine, clear, phase = math.sin(angle), math.cos(angle), 1.0 - rain, time // DAY % 8
    night = min(max(0.5 - cosine * 2.0, 0.0), 1.0)
    stars = night * night * 0.9 * clear
    frame, keys, camera = pointer(frame), pointer(keys), pointer(camera)
    fx, fy, fz, rx, rz, ux, uy, uz = (
        camera[3],
        camera[4],
        camera[5],
        camera[6],
        camera[7],
        camera[8],
        camera[9],
        camera[10],
    )
    half_w, half_h = camera[13], camera[14]
    for body in range(2):
        sign = 1.0 if body == 0 else -1.0
        # the disc lies across (sx, sy, 0); its edges run along z and (-sy, sx, 0)
        sx, sy = -sine * sign, cosine * sign
        size = 0.3 if body == 0 else 0.2
        picture = sun if body == 0 else moon
        ahead = sx * fx + sy * fy
        if ahead < 0.1:
            continue
        centre_x = ((sx * rx) / ahead / half_w + 1.0) * 0.5 * width
        centre_y = (1.0 - (sx * ux + sy * uy) / ahead / half_h) * 0.5 * height
        reach_x, reach_y = (
            1.6 * size / ahead / ahead / half_w * 0.5 * width,
            1.6 * size / ahead / ahead / half_h * 0.5 * height,
        )
        for y in range(max(0, int(centre_y - reach_y)), min(height, int(centre_y + reach_y) + 2)):
            for x in range(max(0, int(centre_x - reach_x)), min(width, int(centre_x + reach_x) + 2)):
                if keys[y * pitch + x] & 7 != 7:
                    continue
                a, b = ((x + 0.5) / width * 2.0 - 1.0) * half_w, (1.0 - (y + 0.5) / height * 2.0) * half_h
                dx, dy, dz = fx + a * rx + b * ux, fy + b * uy, fz + a * rz + b * uz
                along = dx * sx + dy * sy
                if along <= 0.0:
                    continue
                u, v = dz / along / size, (dy * sx - dx * sy) / along / size
                if abs(u) >= 1.0 or abs(v) >= 1.0:
                    continue
                row, column = int((v + 1.0) * 16.0), int((u + 1.0) * 16.0)
                alpha = picture[row, column, 3] / 255.0 * clear
                if body == 1 and phase > 0:
                    # the dark part of the moon
                    edge = abs(phase - 4) / 4.0 * 2.0 - 1.0
                    if (u if phase < 4 else -u) * 2.6 > edge:
                        alpha *= 0.12
                at = (y * width + x) * 3
                for c in range(3):
                    # laid over the sky by adding, as light is
                    frame[at + c] = min(255, int(frame[at + c] + picture[row, column, c] * alpha))
    if stars <= 0.0:
        return
    for star in range(STARS):
        bits = mix64(np.uint64(star) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(99))
        qx = ((bits & np.uint64(0xFFFF)) / 32768.0) - 1.0
        qy = (((bits >> np.uint64(16)) & np.uint64(0xFFFF)) / 32768.0) - 1.0
        qz = (((bits >> np.uint64(32)) & np.uint64(0xFFFF)) / 32768.0) - 1.0
        norm = qx * qx + qy * qy + qz * qz
        if norm < 0.01 or norm > 1.0:
            continue
        sx, sy, sz = qx * cosine - qy * sine, qx * sine + qy * cosine, qz
        ahead = sx * fx + sy * fy + sz * fz
        if ahead <= 0.05:
            continue
        x = int(((sx * rx + sz * rz) / ahead / half_w + 1.0) * 0.5 * width)
        y = int((1.0 - (sx * ux + sy * uy + sz * uz) / ahead / half_h) * 0.5 * height)
        if x < 0 or y < 0 or x >= width or y >= height or keys[y * pitch + x] & 7 != 7:
            continue
        bright = (
            stars * (0.35 + 0.65 * ((bits >> np.uint64(48)) & np.uint64(0xFF)) / 255.0) * min(1.0, width / 480.0 + 0.25)
        )
        at = (y * width + x) * 3
        for c in range(3):
            frame[at + c] = min(255, int(frame[at + c] + 190.0 * bright))


@njit(cache=True, nogil=True)
def draw_weather(
    frame: np.ndarray,
    depth: np.ndarray,
    height: int,
    width: int,
    pitch: int,
    camera: np.ndarray,
    rain: float,
    cold: bool,
    tick: int,
) -> None:
    """Streaks of rain, or flakes of snow, on cylinders around the eye, in front of whatever is further away."""
    frame, depth, camera = pointer(frame), pointer(depth), pointer(camera)
    fx, fy, fz, rx, rz, ux, uy, uz = (
        camera[3],
        camera[4],
        camera[5],
        camera[6],
        camera[7],
        camera[8],
        camera[9],
        camera[10],
    )
    half_w, half_h = camera[13], camera[14]
    for y in range(height):
        b = (1.0 - (y + 0.5) / height * 2.0) * half_h
        for x in range(width):
            a = ((x + 0.5) / width * 2.0 - 1.0) * half_w
            dx, dy, dz = fx + a * rx + b * ux, fy + b * uy, fz + a * rz + b * uz
            flat = np.sqrt(dx * dx + dz * dz) + 1e-6
            turn = np.arctan2(dx, dz)
            far = depth[y * pitch + x]
            for ring in range(3):
                radius = (2.5, 5.0, 9.0)[ring]
                t = radius / flat
                if t > far:
                    break
                rise = dy * t + camera[1]
                place = turn * radius * (9.0 if not cold else 5.0)
                lane = int(np.floor(place))
                bits = mix64(np.uint64(np.int64(lane * 4 + ring)) * np.uint64(0x9E3779B97F4A7C15))
                if bits & np.uint64(255) > np.uint64(int(170 * rain)):
                    continue
                if not cold and place - lane > 0.22:
                    continue
                offset = ((bits >> np.uint64(8)) & np.uint64(1023)) / 1023.0
                if cold:
                    fall = (rise + tick * 0.09) * 1.2 + offset * 7.0
                    part = fall - np.floor(fall)
                    if part < 0.08:
                        share = 0.8
                    else:
                        continue
                else:
                    fall = (rise + tick * 0.75) * 0.42 + offset * 7.0
                    part = fall - np.floor(fall)
                    if part > 0.45:
                        continue
                    share = 0.4
                at = (y * width + x) * 3
                for c in range(3):
                    colour = (118.0, 134.0, 190.0)[c] if not cold else 245.0
                    frame[at + c] = int(frame[at + c] + (colour - frame[at + c]) * share)
                break
