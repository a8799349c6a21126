"""Places to play, one file each; `jarvis.envs.registry` knows them by name.

Importing this package makes them known to Gymnasium: `gymnasium.make("jarvis.envs:jarvis/Voxel-v0")` works anywhere.
"""

import jarvis.envs.registry  # noqa: F401
