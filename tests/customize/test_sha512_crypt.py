"""SHA-512 crypt against the specification's vectors and against openssl."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.builder.customize.sha512_crypt import ALPHABET, derived_salt, is_hashed, sha512_crypt

VECTORS = (
    ("saltstring", None, "Hello world!",
     "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"),
    ("saltstringsaltstring", 10000, "Hello world!",
     "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v."),
    ("toolongsaltstring", 5000, "This is just a test",
     "$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0"),
    ("anotherlongsaltstring", 1400, "a very much longer text to encrypt.  This one even stretches over morethan one line.",
     "$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1"),
    ("short", 77777, "we have a short salt string but not a short password",
     "$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0"),
    ("asaltof16chars..", 123456, "a short string",
     "$6$rounds=123456$asaltof16chars..$BtCwjqMJGx5hrJhZywWvt0RLE8uZ4oPwcelCjmw2kSYu.Ec6ycULevoBK25fs2xXgMNrCzIMVcgEJAstJeonj1"),
    ("roundstoolow", 10, "the minimum number is still observed",
     "$6$rounds=1000$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX."),
)  # fmt: skip


@pytest.mark.parametrize(("salt", "rounds", "password", "expected"), VECTORS, ids=[row[0] for row in VECTORS])
def test_vectors_of_the_specification(salt: str, rounds: int | None, password: str, expected: str) -> None:
    assert sha512_crypt(password, salt, rounds) == expected


@settings(max_examples=25, deadline=None)
@given(
    password=st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=140),
    salt=st.text(ALPHABET, min_size=1, max_size=16),
)
def test_openssl_agrees(password: str, salt: str) -> None:
    printed = subprocess.run(
        ["openssl", "passwd", "-6", "-salt", salt, "-stdin"],
        input=f"{password}\n".encode()[:250],
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    if len(password.encode()) <= 120:  # openssl reads one line of limited length
        assert sha512_crypt(password, salt) == printed.decode().strip()


def test_a_salt_is_equal_for_equal_plans_and_users_and_different_for_others() -> None:
    assert derived_salt("plan", "alice") == derived_salt("plan", "alice")
    assert (
        len({derived_salt("plan", "alice"), derived_salt("plan", "bob"), derived_salt("other", "alice")}) == 3
    )
    assert set(derived_salt("plan", "alice")) <= set(ALPHABET)
    assert len(derived_salt("plan", "alice")) == 16


@pytest.mark.parametrize(
    ("text", "hashed"),
    [
        pytest.param("$6$salt$abc", True, id="SHA-512"),
        pytest.param("$y$j9T$salt$abc", True, id="yescrypt"),
        pytest.param("!$6$salt$abc", True, id="a locked hash"),
        pytest.param("!", True, id="locked"),
        pytest.param("*", True, id="no password"),
        pytest.param("secret", False, id="a plain text"),
        pytest.param("$ecret$", False, id="a plain text with dollars"),
        pytest.param("$6$a:b", False, id="a colon never is in a hash"),
    ],
)
def test_what_is_a_hash(text: str, *, hashed: bool) -> None:
    assert is_hashed(text) is hashed
