"""From a task to atomic instructions, one at a time, for a policy that sees pixels and text only.

    --policy planned:runs/agent                   the rule planner over an agent's checkpoint
    planned("scripted")                           over any other policy

rules.py says what comes next by the recipes and what is carried, llm.py lets a language model choose among that, and
policy.py gives the words to the policy, watches the inventory and the clock, tries again and plans anew.
"""

from __future__ import annotations

from jarvis.app.planner.policy import PlannedPolicy, planned
from jarvis.app.planner.rules import Instruction, RulePlanner

__all__ = ["Instruction", "PlannedPolicy", "RulePlanner", "planned"]
