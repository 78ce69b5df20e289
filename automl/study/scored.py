"""Whether what another study was scored on is what this one tests on: then the other has chosen by rows that the finals
of this one are to judge by, and what it found must not be told to its search."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

from automl.data.describe.tables import DataConfig, LessonsConfig
from automl.study.precedents import Scored
from search_spaces.errors import InputError, Position

MOST_FILES = 1000  # of a log, by which it is known again elsewhere
Data = DataConfig | LessonsConfig


def validated_on(study: str, data: Data, base: Path) -> Scored:
    """The rows that a study is scored on by its description, whose paths are relative to `base`."""
    return _window("validate", study, data, base)


def tested_on(study: str, data: Data, base: Path) -> Scored:
    """The rows that its finals ask: the same of the test window."""
    return _window("test", study, data, base)


def overlap(scored: Scored, tested: Scored) -> str | None:
    """What was scored on, in words, where tested rows are among it; None where they are others, and where nothing
    tells (`cannot_tell`). Of two logs the same days are meant: whether they hold the same rows is `same_log`."""
    if scored.days is not None and tested.days is not None:
        return _words(scored) if _overlap_in_time(scored, tested) else None
    if not same_log(scored, tested):
        return None
    if scored.share is None or tested.share is None:
        return f"{_words(scored)} (drawn at random there or here, by days the other time)"
    if (scored.draw, scored.files) != (tested.draw, tested.files):
        return f"{_words(scored)} (drawn in another way)"
    common = min(scored.share[1], tested.share[1]) - max(scored.share[0], tested.share[0])
    return f"{_words(scored)} ({common:.3g} of all rows are in both)" if common > 1e-9 else None


def cannot_tell(scored: Scored, tested: Scored) -> bool:
    """Whether rows may be in both and nothing says so: other logs, of which one is not cut by days."""
    return not same_log(scored, tested) and None in (scored.days, tested.days)


def same_log(one: Scored, other: Scored) -> bool:
    """Whether two logs are one: the same path or one within the other, or a file of the same name and size in both, as
    a copy has it."""
    first, second = Path(one.log), Path(other.log)
    return first.is_relative_to(second) or second.is_relative_to(first) or not {*one.files}.isdisjoint(other.files)


def _window(name: str, study: str, data: Data, base: Path) -> Scored:
    path = data.path if isinstance(data, DataConfig) else data.lessons
    log, files = _files(path, base)
    shares = data.split.random
    if shares is not None:
        start = shares.train if name == "validate" else shares.train + shares.validate_
        stop = start + (shares.validate_ if name == "validate" else shares.test)
        by = "content" if isinstance(data, DataConfig) and data.drop_duplicates else "row"
        return Scored(study=study, log=log, files=files, share=(start, stop), draw=f"seed {shares.seed}, by {by}")
    zone = None
    if isinstance(data, DataConfig):
        zone = data.time.timezone if data.time is not None else "UTC"
    return Scored(study=study, log=log, files=files, days=data.split.days[name], timezone=zone)


def _files(path: str, base: Path) -> tuple[str, tuple[str, ...]]:
    """Where a log lies, as far as its path is no pattern, and its files; none where they cannot be listed."""
    from automl.data.tables.listing import list_files  # loads pyarrow

    try:
        listing = list_files(path, base, Position(path))
        names = sorted(listing.files)[:MOST_FILES]
        if "://" in path:
            return path, tuple(names)
        files = tuple(f"{Path(name).name} {Path(name).stat().st_size}" for name in names)
        return str(_only(listing.files) or Path(listing.prefix).resolve()), files
    except (InputError, OSError, ValueError):
        return path if "://" in path else str((base / Path(path).expanduser()).resolve()), ()


def _only(files: tuple[str, ...]) -> Path | None:
    return Path(files[0]).resolve() if len(files) == 1 else None


def _overlap_in_time(one: Scored, other: Scored) -> bool:
    (first, last), (start, end) = (_span(*pair) for pair in ((one, other), (other, one)))
    return first < end and start < last


def _span(scored: Scored, other: Scored) -> tuple[float, float]:
    """From the first second of its days to the one after their last. A zone that is not told is that of the other."""
    assert scored.days is not None
    zone = _zone(scored.timezone or other.timezone or "UTC")
    first, last = scored.days
    edges = (first, last + dt.timedelta(days=1))
    start, stop = (dt.datetime.combine(day, dt.time(), zone).timestamp() for day in edges)
    return start, stop


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # told as a mistake of the file
        return ZoneInfo("UTC")


def _words(scored: Scored) -> str:
    if scored.days is None:
        assert scored.share is not None
        return f"{scored.share[1] - scored.share[0]:.3g} of the rows"
    first, last = scored.days
    return str(first) if first == last else f"{first} to {last}"
