"""Vision-language-action models: pixels and an instruction in, keys and mouse motion out (JARVIS-VLA, arXiv 2503.16365)."""
