"""Record the scripted player in the contractors' format, and read it: ``python examples/record_and_read.py DIR``."""

import sys

from data_pipelines.recordings import find_recordings
from jarvis.app.cli import main as jarvis


def main(folder: str, task: str = "rung_stick", episodes: int = 2) -> int:
    """Record; then print what is known of each recording. Returns how many actions were read."""
    code = jarvis(["record", "--task", task, "--episodes", str(episodes), "--out", folder])
    assert code == 0
    total = 0
    for recording in find_recordings(folder):
        played = recording.read()
        trajectory = played.trajectory()
        total += len(trajectory)
        skills = {segment.skill for segment in played.segments("fine")}
        print(recording.name, len(trajectory), "actions,", len(trajectory.events), "events, skills:", *sorted(skills))
    return total


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "runs/recordings")
