"""A policy that is told one atomic instruction after the other, until the goal is reached.

    policy = planned("runs/agent")                    # --policy planned:runs/agent
    policy.reset([task.goal], seeds=[3]); policy.follow(0, env)
    actions = policy.act([observation])
    policy.report()                                   # instructions, done, retries, replans

The planner looks at the inventory, which a person sees too by opening it; the policy beneath gets pixels and words. An
instruction that is not done in time is given again in the same words and with other random numbers, `tries` times, and
then the player looks elsewhere for a while before all is planned anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jarvis.app.planner.rules import Instruction, RulePlanner
from jarvis.core.actions import Action
from jarvis.core.environments import Policy
from jarvis.core.errors import JarvisError
from jarvis.core.goals import Goal
from jarvis.core.observations import Observation
from jarvis.core.random_streams import stream_seed

__all__ = ["PlannedPolicy", "planned"]

CHECK_EVERY = 5  # ticks between two looks at the inventory
TRIES = 2  # of one instruction before it is given up for a while
AWAY = 100  # ticks of walking elsewhere then
ELSEWHERE = "walk to another place"
MOST_CALLS = 1000  # of a language model


@dataclass
class _Row:
    goal: Goal | None
    seed: int
    planner: Any
    env: Any = None
    told: Instruction | None = None
    before: dict[str, int] = field(default_factory=dict)  # carried when it was told
    ticks: int = 0  # since the beginning
    since: int = 0  # tick at which it was told
    tries: int = 0  # of the present instruction
    number: int = 0  # of instructions, for seeds
    away: bool = False
    trail: list[str] = field(default_factory=list)


class PlannedPolicy:
    """The rows of a policy, each with a plan of its own."""

    def __init__(
        self,
        policy: Policy,
        planner: Callable[[Goal], Any] = RulePlanner,
        *,
        tries: int = TRIES,
        check_every: int = CHECK_EVERY,
    ) -> None:
        """planner: makes an object with `next(inventory, stations)`, such as RulePlanner, for a goal."""
        self.policy, self.planner = policy, planner
        self.tries, self.check_every = tries, check_every
        for name in ("looks", "picture_size"):
            if hasattr(policy, name):
                setattr(self, name, getattr(policy, name))
        self.counts: Counter[str] = Counter()
        self._rows: list[_Row] = []

    def reset(
        self,
        goals: Sequence[Goal | None],
        *,
        rows: Sequence[int] | None = None,
        seeds: Sequence[int] | None = None,
    ) -> None:
        """As in the Policy protocol."""
        everything = rows is None
        rows = list(range(len(goals))) if rows is None else list(rows)
        seeds = rows if seeds is None else seeds
        fresh = [
            _Row(goal, seed, None if goal is None else self.planner(goal))
            for goal, seed in zip(goals, seeds, strict=True)
        ]
        if everything:
            self._rows = fresh
            self.policy.reset(goals, seeds=list(seeds))
            return
        for row, state in zip(rows, fresh, strict=True):
            self._rows[row] = state
        self.policy.reset(goals, rows=rows, seeds=list(seeds))

    def follow(self, row: int, env: Any) -> None:
        """The environment of a row, whose inventory is looked at. None: its world is not ready."""
        if env is not None and not hasattr(env, "world"):
            raise JarvisError(f"planned: the inventory of {getattr(env, 'name', env)!r} cannot be looked at, only that "
                              "of voxel worlds")  # fmt: skip
        self._rows[row].env = env
        if inner := getattr(self.policy, "follow", None):
            inner(row, env)

    def act(self, observations: Sequence[Observation]) -> Sequence[Action]:
        """One action a row, of the policy beneath."""
        for row, state in enumerate(self._rows):
            if state.env is not None and state.planner is not None:
                self._watch(row, state)
                state.ticks += 1
        return self.policy.act(observations)

    def report(self) -> dict[str, int]:
        """Counts since the beginning: instructions, done, retries, given_up; and those of the policy beneath."""
        inner = getattr(self.policy, "report", None)
        return {**(inner() if inner else {}), **self.counts}

    def trail(self, row: int = 0) -> list[str]:
        """The instructions that a row was given in this episode."""
        return list(self._rows[row].trail)

    def _watch(self, row: int, state: _Row) -> None:
        if state.told is not None and state.ticks % self.check_every:
            return
        inventory: Mapping[str, int] = state.env.world.inventory()
        told, waited = state.told, state.ticks - state.since
        if told is not None and told.is_done(state.before, inventory):
            self.counts["done"] += 1
            self._plan(row, state, inventory)
        elif told is None or (state.away and waited >= AWAY):
            self._plan(row, state, inventory)
        elif not state.away and waited < told.patience:
            # what lies in the grid of an open screen is not lost
            if not state.env.world.screen.is_open and RulePlanner.missing(told, inventory, _stations(state.env)):
                self.counts["replanned"] += 1
                self._plan(row, state, inventory)
        elif not state.away:
            if state.tries < self.tries:
                state.tries += 1
                self.counts["retries"] += 1
                self._tell(row, state, told, inventory)
            else:
                self.counts["given_up"] += 1
                state.away = True
                elsewhere = Instruction(ELSEWHERE, "do", "", 1, told.predicate, AWAY)
                self._tell(row, state, elsewhere, inventory)

    def _plan(self, row: int, state: _Row, inventory: Mapping[str, int]) -> None:
        instruction = state.planner.next(inventory, _stations(state.env))
        state.tries, state.away = 0, False
        if instruction is None:
            state.told, state.since = None, state.ticks
            return
        if state.told is not None and instruction.text == state.told.text and not self._is_new(state, inventory):
            state.before, state.since = dict(inventory), state.ticks
            return
        self.counts["instructions"] += 1
        self._tell(row, state, instruction, inventory)

    @staticmethod
    def _is_new(state: _Row, inventory: Mapping[str, int]) -> bool:
        return state.told is None or state.told.is_done(state.before, inventory) or state.told.text == ELSEWHERE

    def _tell(self, row: int, state: _Row, instruction: Instruction, inventory: Mapping[str, int]) -> None:
        state.told, state.before, state.since = instruction, dict(inventory), state.ticks
        state.number += 1
        state.trail.append(instruction.text)
        seed = stream_seed(state.seed, "instruction", state.number) % 2**31
        self.policy.reset([instruction.goal], rows=[row], seeds=[seed])
        if inner := getattr(self.policy, "follow", None):
            inner(row, state.env)


def _stations(env: Any) -> list[str]:
    """Tables and furnaces that stand within reach."""
    from jarvis.world.describe import near_blocks

    return list(near_blocks(env.world, {"crafting_table": 4.0, "furnace": 4.0}))


def planned(spec: str, **options: Any) -> PlannedPolicy:
    """A planner over the policy that a SPEC names: SPEC, or SPEC@LLM with what `--llm` takes for a language model.

    What the model said is kept in runs/planner and not asked again in the same run; after 1000 calls the rules go on.
    """
    from jarvis.app.policies import load_policy

    spec, _, model = spec.partition("@")
    policy = load_policy(spec, **options)
    if not model:
        return PlannedPolicy(policy)
    from jarvis.app.curriculum.llm import LLM, Budget, parse_llm
    from jarvis.app.planner.llm import LLMPlanner

    llm = LLM(parse_llm(model), "runs/planner", Budget(calls=MOST_CALLS))
    return PlannedPolicy(policy, lambda goal: LLMPlanner(goal, llm))
