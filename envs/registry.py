"""Registries: named values of one kind, listed in one place and open to extensions."""

from typing import Protocol, TypeVar

from grek.errors import InputError


class Named(Protocol):
    """A value with a name."""

    @property
    def name(self) -> str:
        """Key in a registry."""
        ...


T = TypeVar("T", bound=Named)


class Registry(dict[str, T]):
    """Values of one `kind` by name, in the order of registration."""

    def __init__(self, kind: str, *values: T) -> None:
        super().__init__()
        self.kind = kind
        for value in values:
            self.register(value)

    def register(self, new: T) -> T:
        """Add `new` and return it; raises InputError for a name that exists."""
        if new.name in self:
            raise InputError(f"{self.kind} {new.name!r} exists; there are: {', '.join(self)}")
        self[new.name] = new
        return new

    def named(self, name: str) -> T:
        """Value `name`; raises InputError naming the registered ones."""
        if name not in self:
            raise InputError(f"unknown {self.kind} {name!r}; there are: {', '.join(self)}")
        return self[name]
