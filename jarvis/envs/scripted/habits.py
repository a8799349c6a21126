"""How human the scripted player is: every habit, mistake and trap has its own number, and zero turns it off.

    Habits.human()   what recordings are made with
    Habits.clean()   straight to the point, for tests and upper bounds

The traps are those a detector of skill boundaries must survive:

    always there          the same skill on one thing after another: a fine boundary of the log, not a coarse one
    put_back              the skill changes and the view does not (dig, place, dig at one spot)
    glances               the view turns and the skill does not; a start at dusk adds a sky that differs by direction
    tremor, aim_error, key_slips, missteps, hops, wrong_slot, wrong_click
                          small noise, mistakes and what puts them right
    idle_share            pauses in the middle, of log-normal length
    abandon               skills that end without an event
    pass_by               beginnings that two skills share
    left_out              skills that are held out; worlds are by their seeds
"""

from __future__ import annotations

from dataclasses import dataclass

from jarvis.core.errors import UnknownNameError, nearest_names

__all__ = ["OPTIONAL", "Habits"]

OPTIONAL = ("check inventory", "scratch", "wander", "look around")  # what the mind changes to


@dataclass(frozen=True)
class Habits:
    """Rates are events per minute of play (1200 ticks); shares and chances are 0 to 1. The defaults are ``clean``."""

    # the camera and the mouse
    max_turn: float = 25.0  # degrees a tick
    aim_error: float = 0.0  # standard error of a saccade's end, as a share of its length
    tremor: float = 0.0  # degrees of noise on a tick in which the mouse moves
    reaction: tuple[int, int] = (0, 0)  # ticks between one action and the next, from and to
    cursor_error: float = 0.0  # pixels, standard deviation of where a click lands within a slot

    # mistakes and corrections
    wrong_slot: float = 0.0  # chance that a hotbar key is the neighbouring one, corrected a moment later
    wrong_click: float = 0.0  # chance that a click in a screen goes to a neighbouring slot first
    key_slips: float = 0.0  # rate of releasing the keys for a tick or two in the middle of an action
    missteps: float = 0.0  # rate of 3 to 6 ticks in a wrong direction, then back

    # pauses and glances
    idle_share: float = 0.0  # share of ticks spent doing nothing, in pauses of log-normal length
    glances: float = 0.0  # rate of looking around while walking: the view turns and the skill does not change
    hops: float = 0.0  # rate of needless jumps on the way

    # changes of mind
    abandon: float = 0.0  # rate of leaving what it was doing, unfinished and without an event, for another skill
    pass_by: float = 0.0  # chance to walk up to something and on, as if to take it (an ambiguous beginning)
    put_back: float = 0.0  # chance to fill a hole just dug and dig it again: skills change, the view does not
    left_out: tuple[str, ...] = ()  # of OPTIONAL: skills that it never shows, so that they can be held out

    # care
    torches: bool = True  # light tunnels if there is coal
    hunts: bool = True  # take animals on the way when food is short
    map_sense: float = 1.0  # chance to explore towards something useful that is not yet seen, instead of at random

    def __post_init__(self) -> None:
        for name in ("wrong_slot", "wrong_click", "idle_share", "pass_by", "put_back", "map_sense", "aim_error"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: {getattr(self, name)}, expected 0 to 1")
        for name in self.left_out:
            if name not in OPTIONAL:
                raise UnknownNameError("skill", name, nearest_names(name, OPTIONAL), "left_out")
        if not 1 <= self.max_turn <= 180:
            raise ValueError(f"max_turn: {self.max_turn}, expected 1 to 180 degrees a tick")
        if not 0 <= self.reaction[0] <= self.reaction[1]:
            raise ValueError(f"reaction: {self.reaction}, expected (least, most) ticks")

    @classmethod
    def clean(cls) -> Habits:
        """No noise, no mistakes, no pauses."""
        return cls()

    @classmethod
    def human(cls) -> Habits:
        """A person who knows the game."""
        return cls(
            aim_error=0.05,
            tremor=0.12,
            reaction=(0, 4),
            cursor_error=2.2,
            wrong_slot=0.03,
            wrong_click=0.02,
            key_slips=3.0,
            missteps=1.0,
            idle_share=0.12,
            glances=3.0,
            hops=1.0,
            abandon=0.15,
            pass_by=0.06,
            put_back=0.02,
        )
