"""A console that is read while it grows: each line once, since a guest needs the processor more than we do."""

import re
from dataclasses import dataclass, field

from goldsmith.machine.watch import CONTEXT_LINES, Sign, Trouble, find_trouble, readable, telling

PROMPT = re.compile(r"\blogin:(\s|$)")
RECENT = 40
"""Lines in which a prompt is looked for."""


@dataclass
class Growing:
    """The lines of a console so far, and the first sign of trouble among them."""

    also: tuple[Sign, ...] = ()
    """Signs that count beside the usual ones."""
    lines: list[str] = field(default_factory=list)
    """Its complete lines."""
    tail: str = ""
    """The line that is still growing."""
    _taken: int = 0
    _seen: int = 0
    _still: bool = False
    _found: tuple[Sign, int] | None = None

    def feed(self, console: bytes) -> None:
        """Take all that was written so far; what was taken before is passed over.

        A line that is still growing counts, as a prompt does, only when it has not grown since the last time.
        """
        if len(console) == self._seen:
            if self._found is None and self.tail and not self._still:
                self._found = self._first_sign([self.tail], len(self.lines))
            self._still = True
            return
        self._still = False
        self._seen = len(console)
        end = console.rfind(b"\n") + 1
        fresh = readable(console[self._taken : end])[:-1] if end > self._taken else []
        self._taken = max(end, self._taken)
        self.tail = readable(console[self._taken :])[-1]
        first = len(self.lines)
        self.lines += fresh
        if self._found is None:
            self._found = self._first_sign(fresh, first)

    def _first_sign(self, lines: list[str], first: int) -> tuple[Sign, int] | None:
        found = find_trouble(lines)
        if found:
            return found.sign, first + lines.index(found.line)
        for number, line in enumerate(lines):
            for sign in self.also:
                if sign.pattern.search(line):
                    return sign, first + number
        return None

    @property
    def asks_for_login(self) -> bool:
        """Whether there is a prompt; the kernel may have written behind it."""
        return any(map(PROMPT.search, [*self.lines[-RECENT:], self.tail]))

    @property
    def trouble(self) -> Trouble | None:
        """The first sign of trouble, with the lines around it."""
        if self._found is None:
            return None
        sign, number = self._found
        lines = [*self.lines, self.tail]
        around = lines[max(0, number - CONTEXT_LINES) : number + CONTEXT_LINES + 1]
        return Trouble(sign, lines[number], telling(around))
