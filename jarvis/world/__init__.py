"""A first-person block world with Minecraft 1.16.5's rules for a subset of it; no gym, no torch, no files but its rules."""
