"""Inverse dynamics: which keys and mouse motion made a video (VPT, arXiv 2206.11795)."""
