"""A small stock ledger, for `make demo` to complete."""

from dataclasses import dataclass, field


@dataclass
class Item:
    name: str
    quantity: int
    unit_price_cents: int


@dataclass
class Inventory:
    items: dict[str, Item] = field(default_factory=dict)

    def add(self, item: Item) -> None:
        """Put an item on the shelf, or raise the quantity of one that is there."""
        if item.name in self.items:
            self.items[item.name].quantity += item.quantity
        else:
            self.items[item.name] = item

    def total_value_cents(self) -> int:
        """What everything on the shelf is worth."""
        

    def is_empty(self) -> bool:
        """Whether nothing is on the shelf."""
        return all(item.quantity == 0 for item in self.items.values())
