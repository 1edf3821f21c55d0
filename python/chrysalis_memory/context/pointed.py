"""A sequence with one place in focus: a comonad.

`extract` is what stands in focus, `duplicate` puts at each place the whole sequence as seen from there, and `extend`
makes of each such view one value. For every non-empty `w`, and all functions `f` and `g` of such sequences::

    w.duplicate().extract() == w
    w.duplicate().map(lambda view: view.extract()) == w
    w.duplicate().duplicate() == w.duplicate().map(lambda view: view.duplicate())
    w.extend(f).extend(g) == w.extend(lambda view: g(view.extend(f)))

Uustalu and Vene, Comonadic Notions of Computation, 2008, describe this one as the zipper of a list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

__all__ = ["Pointed"]

T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")
Self = TypeVar("Self", bound="Pointed[Any]")


class Pointed(Generic[T_co]):
    """Items in order, and which of them is in focus. It never changes; equal items in equal focus are equal.

    >>> w = Pointed("kiln", 1)
    >>> w.extract(), w.moved(3).extract()
    ('i', 'n')
    >>> list(w.extend(lambda view: "".join(view.before()) + "|" + view.extract()))
    ['|k', 'k|i', 'ki|l', 'kil|n']
    """

    __slots__ = ("_items", "_place")

    def __init__(self, items: Iterable[T_co] = (), place: int | None = None) -> None:
        self._items: tuple[T_co, ...] = tuple(items)
        self._place = _checked_place(place, len(self._items))

    @property
    def items(self) -> tuple[T_co, ...]:
        """The items in order."""
        return self._items

    @property
    def place(self) -> int:
        """The index of the item in focus; 0 where there are none."""
        return self._place

    def extract(self) -> T_co:
        """The item in focus. Raises `ValueError` where there are no items."""
        if not self._items:
            raise ValueError("nothing is in focus: it is empty")
        return self._items[self._place]

    def before(self) -> tuple[T_co, ...]:
        """The items before the one in focus, in order."""
        return self._items[: self._place]

    def after(self) -> tuple[T_co, ...]:
        """The items after the one in focus, in order."""
        return self._items[self._place + 1 :]

    def moved(self: Self, place: int) -> Self:
        """The same items, with another one in focus; negative places count from the end."""
        return self._at(_checked_place(place, len(self._items)))

    def duplicate(self: Self) -> Pointed[Self]:
        """At each place the whole, as seen from there. All views share one tuple of items."""
        return _pointed([self._at(place) for place in range(len(self._items))], self._place)

    def extend(self: Self, make: Callable[[Self], U]) -> Pointed[U]:
        """At each place what `make` makes of the whole as seen from there; called once for each item, in order."""
        return _pointed([make(self._at(place)) for place in range(len(self._items))], self._place)

    def map(self, make: Callable[[T_co], U]) -> Pointed[U]:
        """At each place what `make` makes of the item there."""
        return _pointed([make(item) for item in self._items], self._place)

    def _at(self: Self, place: int) -> Self:
        # The items were checked when they came in: views of them need no second look, and must cost nothing.
        view = object.__new__(type(self))
        view._items, view._place = self._items, place
        return view

    def __iter__(self) -> Iterator[T_co]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pointed):
            return NotImplemented
        return self._place == other._place and self._items == other._items

    def __hash__(self) -> int:
        return hash((self._items, self._place))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._items)} items, place={self._place})"


def _pointed(items: list[U], place: int) -> Pointed[U]:
    return Pointed(items, place if items else None)


def _checked_place(place: int | None, length: int) -> int:
    if place is None:
        return max(length - 1, 0)
    if isinstance(place, bool) or not isinstance(place, int):
        raise TypeError(f"place is a whole number, not {type(place).__name__}")
    if place < 0:
        place += length
    if not 0 <= place < max(length, 1):
        raise ValueError(f"place {place} lies outside of {length} items")
    return place
