"""Places to play, one file each; `jarvis.envs.registry` knows them by name."""
