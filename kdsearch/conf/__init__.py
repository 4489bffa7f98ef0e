"""Hydra configuration: every key with its default and what it means."""
