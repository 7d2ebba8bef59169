"""Tinker, a service that trains and samples open models; our client owns the training loop. An extra: `[tinker]`."""
