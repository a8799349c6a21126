"""Skill boundary detection: cutting play into skills without annotation (SBD, arXiv 2503.10684)."""
