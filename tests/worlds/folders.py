"""Names of folders that something takes for more than a name: a shell, a URL, a format, a pattern."""

from __future__ import annotations

from hypothesis import strategies as st

HOSTILE = (
    "exp[1]",
    "a?b",
    "a*",
    "100%41",
    "%2F",
    "x#y",
    "a b",
    "it's",
    'say "x"',
    "{SCHEMA_VERSION}",
    "back\\slash",
    "a&b=c;d",
    "week:1",
    "~",
    "$HOME",
    "-v",
    "größe 日本",
    "line\nbreak",
    "[red]",
)
WORST = "a?b%41#[1] {x} 'q' \"d\" é\\$H"


def hostile_names() -> st.SearchStrategy[str]:
    """Any name that a file system takes, with many of the marks that mean something elsewhere."""
    marks = st.sampled_from("?*[]{}#%&='\"\\:;~$ !^|<>()\t\n.-é日")
    letters = st.sampled_from("aX1_=")
    names = st.lists(marks | letters, min_size=1, max_size=8).map("".join) | st.sampled_from(HOSTILE)
    return names.filter(lambda name: name not in (".", ".."))
