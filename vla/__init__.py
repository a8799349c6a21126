"""Vision-language-action models: pixels and an instruction in, keys and mouse out (JARVIS-VLA, arXiv 2503.16365)."""
