"""The words that every package shares: actions, observations, goals, tasks. Needs numpy and the standard library."""
