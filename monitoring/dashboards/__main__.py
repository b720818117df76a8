"""Writes the dashboards into configs/grafana/dashboards; to be run from the repository's root."""

from __future__ import annotations

from pathlib import Path

from .generate import generate

RUNBOOK = Path("configs/prometheus/RUNBOOK.md")
FOLDER = Path("configs/grafana/dashboards")


def main() -> None:
    """Write each file; what lies there besides is left."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, data in generate(RUNBOOK.read_text(encoding="utf-8")).items():
        (FOLDER / name).write_bytes(data)


if __name__ == "__main__":
    main()
