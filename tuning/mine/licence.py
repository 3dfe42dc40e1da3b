"""Which licence a repository carries, and whether code under it may be learned from.

Read from licence files by their own words, then from package metadata. What is not recognised is not allowed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

# SPDX ids whose terms allow use and change with no more than a notice.
PERMISSIVE = frozenset(
    {
        "MIT",
        "MIT-0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "Apache-2.0",
        "ISC",
        "0BSD",
        "Unlicense",
        "Zlib",
        "PSF-2.0",
        "Python-2.0",
        "CC0-1.0",
        "BSL-1.0",
    }
)
# A telling sentence of each licence, with white space made single blanks. Checked in this order: texts that quote or
# extend another licence stand first.
_SENTENCES = (
    ("BUSL", r"business source license"),
    ("FSL", r"functional source license"),
    ("Commons-Clause", r"commons clause"),
    ("Elastic", r"elastic license"),
    ("SSPL", r"server side public license"),
    ("PolyForm", r"polyform"),
    ("RAIL", r"\b(?:open)?rail\b|responsible ai license"),
    ("AGPL-3.0", r"gnu affero general public license"),
    ("LGPL", r"gnu (?:lesser|library) general public license"),
    ("GPL", r"gnu general public license"),
    ("MPL-2.0", r"mozilla public license"),
    ("EPL", r"eclipse public license"),
    ("Apache-2.0", r"apache license,? version 2\.0"),
    ("BSL-1.0", r"boost software license"),
    ("PSF-2.0", r"python software foundation license version 2"),
    ("CC0-1.0", r"cc0 1\.0 universal"),
    ("Unlicense", r"this is free and unencumbered software released into the public domain"),
    ("ISC", r"permission to use, copy, modify, and(?:/or)? distribute this software for any purpose with or without"),
    ("MIT", r"permission is hereby granted, free of charge, to any person obtaining a copy"),
    ("Zlib", r"altered source versions must be plainly marked as such"),
    ("BSD-3-Clause", r"redistribution and use in source and binary forms.*(?:neither the name|names? of)"),
    ("BSD-2-Clause", r"redistribution and use in source and binary forms"),
)
_PATTERNS = tuple((name, re.compile(pattern, re.DOTALL)) for name, pattern in _SENTENCES)
_NAMES = (
    ("MIT", r"\bMIT\b"),
    ("Apache-2.0", r"Apache(?: Software)?(?: License)?[ -,]*(?:Version )?2"),
    ("BSD-3-Clause", r"\b(?:new |modified |3-clause )?BSD\b|BSD-3-Clause"),
    ("BSD-2-Clause", r"BSD-2-Clause"),
    ("ISC", r"\bISC\b"),
    ("PSF-2.0", r"Python Software Foundation|\bPSF\b"),
)
_NOT_PERMISSIVE = re.compile(
    r"\b(?:A?GPL|LGPL|MPL|EPL|CC-BY-NC|proprietary|BUSL|FSL|Commons[ -]Clause|Elastic|SSPL|PolyForm|(?:Open)?RAIL)\b",
    re.IGNORECASE,
)
_LICENCE_FILE = re.compile(r"(?:licen[cs]es?|copying|unlicense)(?:[.-].*)?$", re.IGNORECASE)
_HEAD_BYTES = 20_000
_HEADER_CHARS = 2_500
_SPDX = re.compile(r"SPDX-License-Identifier:\s*([^\n*]+)")
_INNERMOST = re.compile(r"\(([^()]*)\)")
_OR, _AND = (re.compile(rf"(?:^| ){word}(?: |$)", re.IGNORECASE) for word in ("OR", "AND"))  # not -or-later
_FOREIGN_HEADER = re.compile(
    r"GNU (?:Affero |Lesser |Library )?General Public License|Mozilla Public License"
    r"|All rights reserved\.? *(?:Confidential|Proprietary)",
    re.IGNORECASE,
)


def licence_of(root: Path) -> str | None:
    """SPDX id of the licence of the repository at `root`; None where none is recognised."""
    for path in _licence_files(root):
        named = licence_of_text(_head(path))
        if named is not None:
            return named
    return _from_metadata(root)


def licence_of_text(text: str) -> str | None:
    """The licence whose own words a text holds."""
    plain = " ".join(text.lower().split())
    return next((name for name, pattern in _PATTERNS if pattern.search(plain)), None)


def is_permissive(licence: str | None) -> bool:
    """Whether code under this licence may be learned from."""
    return licence in PERMISSIVE


def header_forbids(text: str) -> bool:
    """Whether the head of a file puts it under other terms than a permissive repository's."""
    head = text[:_HEADER_CHARS]
    declared = _SPDX.search(head)
    if declared:
        return not _allows(" ".join(declared[1].split()))
    return _FOREIGN_HEADER.search(head) is not None


def _allows(expression: str) -> bool:
    """Whether an SPDX expression offers an alternative whose terms are all permissive."""
    n_found = 1
    while n_found:  # what stands in the innermost parentheses is as good as its answer
        expression, n_found = _INNERMOST.subn(lambda found: " MIT " if _allows(found[1]) else " none ", expression)
    return any(
        # An exception after WITH takes no permission away.
        all(term.strip().partition(" ")[0].strip("()") in PERMISSIVE for term in _AND.split(alternative))
        for alternative in _OR.split(expression)
    )


def _licence_files(root: Path) -> Iterator[Path]:
    """The licence files of the root, then those of a wheel's metadata."""
    folders = [root, *sorted(root.glob("*.dist-info")), *sorted(root.glob("*.dist-info/licenses"))]
    for folder in folders:
        try:
            names = sorted(folder.iterdir())
        except OSError:
            continue
        yield from (path for path in names if path.is_file() and _LICENCE_FILE.match(path.name))


def _from_metadata(root: Path) -> str | None:
    texts = [_head(path) for path in (root / "PKG-INFO", *root.glob("*.dist-info/METADATA"))]
    headers = [line for text in texts for line in text.split("\n\n")[0].splitlines()]
    claims = [line for line in headers if line.startswith("License") or "License ::" in line]
    try:
        package = json.loads(_head(root / "package.json") or "{}")
        claims.append(f"License: {package.get('license', '')}")
    except (ValueError, AttributeError):
        pass
    cargo = re.search(r'(?m)^license\s*=\s*"([^"]+)"', _head(root / "Cargo.toml"))
    claims += [f"License: {cargo[1]}"] if cargo else []
    claimed = "\n".join(claims)
    if _NOT_PERMISSIVE.search(claimed):
        return None
    return next((name for name, pattern in _NAMES if re.search(pattern, claimed, re.IGNORECASE)), None)


def _head(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
