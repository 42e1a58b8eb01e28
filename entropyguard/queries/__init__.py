"""Answers from a finished run; nothing of the pipeline is written."""
