"""How fast a vision-language-action model plays: our decoding against `generate()` of transformers, in one run.

    python benchmarks/vla.py                                   # tiny, on this machine's CPU
    python benchmarks/vla.py --rows 1 8 16 32 --chunk 4
    python benchmarks/vla.py --model runs/agent --rows 1

One JSON object on standard output. Both play the same frames with the same weights, rounds of the two alternate, and
`generate` gets a stop at the end tag and few new tokens, as a careful user would give it. Latency is of one reply of
all rows, from frames to actions; actions a second count every action of a chunk.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

# NOTE: this file has the package's name, and its folder comes first
sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != Path(__file__).parent.resolve()]

from jarvis.core.goals import Goal  # noqa: E402
from jarvis.core.observations import Observation  # noqa: E402
from vla.action_codecs import GroupCodec  # noqa: E402
from vla.backbone import Backbone, tiny  # noqa: E402
from vla.policy import VlaPolicy, fitted  # noqa: E402


def frames_of(rows: int, tick: int, width: int, height: int) -> list[np.ndarray]:
    """Frames with structure, other ones for each row and tick."""
    random = np.random.default_rng([rows, tick])
    coarse = random.integers(0, 256, (rows, 9, 16, 3), dtype=np.uint8)
    return [np.kron(frame, np.ones((height // 9, width // 16, 1), np.uint8)) for frame in coarse]


def ours(policy: VlaPolicy, frames: list[np.ndarray]) -> int:
    """One reply; how many actions it gave."""
    return sum(map(len, policy.reply([Observation(frame) for frame in frames])))


def plain(backbone: Backbone, codec: GroupCodec, instruction: str, frames: list[np.ndarray], chunk: int) -> int:
    """The same by generate(): the whole prompt anew, every token sampled."""
    import torch

    agent = backbone.agent
    pictures = [fitted(frame, agent.width, agent.height) for frame in frames]
    inputs = backbone.pixels.prepare(pictures)
    grid = backbone.pixels.grid(agent.height, agent.width)
    turn = backbone.style.first(instruction)
    rendered = backbone.style.render([turn], backbone.tokenizer, [grid], reply=True)
    ids = torch.from_numpy(rendered.ids).to(backbone.device).expand(len(frames), -1)
    more = {name: value.to(backbone.device) for name, value in inputs.items()}
    if backbone.family != "smolvlm":
        kinds = torch.from_numpy((rendered.pictures >= 0).astype(np.int64)).to(backbone.device)
        more["mm_token_type_ids"] = kinds.expand(len(frames), -1)
    out = backbone.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), **more, max_new_tokens=12 * chunk, do_sample=True,
        temperature=0.8, eos_token_id=codec.end if chunk == 1 else None, pad_token_id=backbone.tokenizer.pad_token_id,
    )  # fmt: skip
    return sum(len(codec.decode(row[ids.shape[1] :].tolist(), strict=False)) for row in out)


def measured(run: Any, rounds: int) -> dict[str, float]:
    """Actions a second and latencies of so many replies."""
    latencies, actions = [], 0
    for tick in range(rounds):
        began = time.perf_counter()
        actions += run(tick)
        latencies.append(time.perf_counter() - began)
    low, high = np.percentile(latencies, (50, 95)) * 1000
    return {
        "actions_per_s": round(actions / sum(latencies), 2),
        "latency_p50_ms": round(float(low), 2),
        "latency_p95_ms": round(float(high), 2),
    }


def compare(backbone: Backbone, rows: int, rounds: int, repeats: int) -> dict[str, Any]:
    """Both, in alternating rounds; medians over the repeats."""
    chunk = backbone.agent.chunk
    policy = VlaPolicy(backbone)
    words = "mine 3 oak logs"
    policy.reset([Goal(words)] * rows, seeds=list(range(rows)))
    size = backbone.agent.width, backbone.agent.height
    size = max(16, size[0] // 16 * 16), max(9, size[1] // 9 * 9)
    runs = {
        "ours": lambda tick: ours(policy, frames_of(rows, tick, *size)),
        "generate": lambda tick: plain(backbone, policy.codec, words, frames_of(rows, tick, *size), chunk),
    }
    for run in runs.values():
        run(0)  # warm
    found: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            found[name].append(measured(run, rounds))
    result: dict[str, Any] = {"rows": rows, "chunk": chunk, "tokens": int(backbone.pixels.tokens(size[1], size[0]))}
    for name, parts in found.items():
        result[name] = {key: round(float(np.median([part[key] for part in parts])), 2) for key in parts[0]}
    ratios = [a["actions_per_s"] / b["actions_per_s"] for a, b in zip(found["ours"], found["generate"], strict=True)]
    result["times_generate"] = round(float(np.median(ratios)), 2)
    return result


def main() -> None:
    """Prints the results."""
    import torch

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny", help="tiny, small, FAMILY-tiny, or a checkpoint folder")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 8], help="agents at once")
    parser.add_argument("--chunk", type=int, default=1, help="actions of a reply")
    parser.add_argument("--rounds", type=int, default=20, help="replies in each repeat")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    if asked.model in ("tiny", "small"):
        backbone = tiny(size=asked.model)
    elif asked.model.endswith("-tiny"):
        backbone = tiny(asked.model.removesuffix("-tiny"))
    else:
        backbone = Backbone.load(asked.model)
    backbone = backbone.with_agent(chunk=asked.chunk)
    backbone.model.to(asked.device)
    machine = {
        "device": torch.cuda.get_device_name()
        if asked.device == "cuda"
        else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": [round(part, 1) for part in os.getloadavg()],
        "torch": torch.__version__,
    }
    results = [compare(backbone, rows, asked.rounds, asked.repeats) for rows in asked.rows]
    print(json.dumps({"machine": machine, "parameters": backbone.num_parameters, "results": results}, indent=1))


if __name__ == "__main__":
    main()
