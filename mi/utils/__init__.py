"""Helpers named for one thing each; none knows anything of models."""
