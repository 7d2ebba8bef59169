"""Inoculation prompting, studied: settings, arms, fine-tuning, evaluations, statistics and figures."""

__version__ = "0.1.0"
