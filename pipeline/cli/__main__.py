"""Runs the program as `python -m sealedbeam.pipeline.cli`."""

from __future__ import annotations

from .program import main

main()
