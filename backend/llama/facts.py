"""Prints what the installed llama.cpp build can do, as JSON. Run as a program: a build for another CPU dies here."""

from __future__ import annotations

import json
from dataclasses import asdict

from fimble.backend.llama.library import build_facts


def main() -> None:
    """Print the facts."""
    print(json.dumps(asdict(build_facts())))


if __name__ == "__main__":
    main()
