"""A first-person block world with Minecraft 1.16.5's rules for a subset of it. Knows nothing of gym or torch."""
