"""Small repositories to mine, and one written evaluation set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

MIT = "Permission is hereby granted, free of charge, to any person obtaining a copy of this software."

ORDERS = '''"""Orders and their lines."""

import json
from dataclasses import dataclass

from shop.money import Money, add


@dataclass
class Line:
    """One line of an order."""

    name: str
    price: Money
    count: int = 1

    def total(self) -> Money:
        """Price of all pieces."""
        return self.price.times(self.count)


class Order:
    """Lines, in the order they were put in."""

    def __init__(self, lines: list[Line]) -> None:
        self.lines = list(lines)

    def total(self) -> Money:
        found = Money(0, "EUR")
        for line in self.lines:
            if line.count > 0 and line.price is not None:
                found = add(found, line.total())
        return found

    def dump(self, path: str) -> None:
        try:
            with open(path, "w") as file:
                json.dump({"lines": [line.name for line in self.lines], "total": self.total().cents}, file)
        except OSError as error:
            raise RuntimeError(f"no room for {path}") from error
'''

MONEY = '''"""Money without fractions of cents."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Money:
    """An amount in one currency."""

    cents: int
    currency: str

    def times(self, n: int) -> "Money":
        """So much, n times."""
        return Money(self.cents * n, self.currency)


def add(one: Money, other: Money) -> Money:
    """The sum; both must be of one currency."""
    if one.currency != other.currency:
        raise ValueError("two currencies")
    return Money(one.cents + other.cents, one.currency)
'''


def make_repository(root: Path, *, licence: str = MIT) -> Path:
    """A small Python project at `root`."""
    (root / "shop").mkdir(parents=True)
    (root / "LICENSE").write_text(licence, "utf-8")
    (root / "shop" / "orders.py").write_text(ORDERS, "utf-8")
    (root / "shop" / "money.py").write_text(MONEY, "utf-8")
    return root


def make_large_repository(root: Path, nouns: Sequence[str]) -> Path:
    """A project of a file for each noun, which differ enough to be learned from, beside those of the small one."""
    make_repository(root)
    for i, noun in enumerate(nouns):
        text = ORDERS.replace("Order", noun).replace("lines", f"{noun.lower()}_parts").replace("total", f"sum_{i}")
        extra = "".join(
            f"\n\ndef {noun.lower()}_{name}(items: list[int], factor: int = {i}) -> int:\n"
            f"    found = [item * factor for item in items if item > {k + i}]\n"
            f"    return {name}(found) if found else {k}\n"
            for k, name in enumerate(("sum", "max", "min", "len"))
        )
        text = f'"""{noun}s."""\n' + text.partition("\n")[2] + extra
        (root / "shop" / f"{noun.lower()}.py").write_text(text, "utf-8")
    return root


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A small project under a permissive licence."""
    return make_repository(tmp_path / "webshop")


@pytest.fixture
def evaluation_set(tmp_path: Path) -> Path:
    """A set whose one record is made of orders.py."""
    start = ORDERS.index("found = add")
    record = {
        "id": "orders",
        "language": "python",
        "path": "orders.py",
        "prefix": ORDERS[:start],
        "middle": ORDERS[start : start + 30],
        "suffix": ORDERS[start + 30 :],
    }
    path = tmp_path / "planted.jsonl"
    path.write_text(json.dumps(record) + "\n", "utf-8")
    return path
