"""vLLM: an environment and a process of its own, which samples what is trained here."""
