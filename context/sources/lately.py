"""Keeps what was made lately: a mapping that forgets what was not asked for longest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Lately(Generic[K, V]):
    """At most so many values."""

    def __init__(self, n_most: int) -> None:
        """Empty."""
        self._n_most = n_most
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value of a key, which is kept longer now; None where there is none."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        """Keep a value, in place of the key's last one."""
        self._values[key] = value
        self._values.move_to_end(key)
        while len(self._values) > self._n_most:
            self._values.popitem(last=False)
