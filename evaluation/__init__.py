"""Tasks, suites, rollouts and statistics: how good a policy is, with an interval."""
