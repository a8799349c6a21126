"""Refining an agent on two cores: lessons are kept, the language part alone learns, the tower stays as it was."""

from __future__ import annotations

import pytest

from jarvis.app.learners.refine import app


@pytest.mark.slow
def test_an_agent_is_refined(tmp_path):
    import torch
    from typer.testing import CliRunner

    from vla.backbone import Backbone, tiny

    agent, memory, out = tmp_path / "agent", tmp_path / "memory", tmp_path / "out"
    tiny("qwen3_vl").with_agent(width=224, height=112).save(agent)
    for command in (
        ["collect", "--seconds", "25", "--task", "rung_stick"],
        ["learn", "--seconds", "6", "--after", "60"],
        ["write", "--out", str(out)],
    ):
        done = CliRunner().invoke(app, [*command, "--agent", str(agent), "--memory", str(memory)])
        assert done.exit_code == 0, done.output
    before, after = Backbone.load(agent).model.state_dict(), Backbone.load(out).model.state_dict()
    rounded = {name: weights.to(torch.bfloat16).float() for name, weights in before.items()}  # as they were written
    changed = {name for name, weights in rounded.items() if not torch.equal(weights, after[name])}
    assert changed and not any("visual." in name for name in changed)
