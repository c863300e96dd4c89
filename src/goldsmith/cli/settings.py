"""``--set KEY=VALUE``, as several verbs have it."""

from collections.abc import Iterable, Mapping

from goldsmith.errors import UsageError


def read_settings(words: Iterable[str]) -> Mapping[str, str]:
    """``KEY=VALUE`` words as a mapping; of a key that is given twice, the last counts.

    Raises:
        UsageError: a word has no ``=``.
    """
    settings = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {word!r} is not of the form KEY=VALUE", hint="as in --set colour=green")
        settings[key] = value
    return settings
