"""Who learns from a curriculum: PPO for Crafter and the tasks of block worlds, expert iteration for any policy.

controls    what a small policy sees and which of a place's actions it chooses from
rows        many environments at once, in worker processes, resumable
networks    a small network with a policy and a value
ppo         the learner
apprentice  an agent learns at a teacher's side, in play: online imitation
expert      play, keep what succeeded, train by a command, play on
"""
