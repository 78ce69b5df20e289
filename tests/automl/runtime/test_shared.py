"""Work that needs a folder on all machines is refused where one does not see it."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.runtime.lock import HOLDER, hold
from automl.runtime.shared import Said, need_shared
from search_spaces.errors import InputError


def test_machines_that_do_not_see_a_folder_are_named(tmp_path: Path) -> None:
    def look(file: Path) -> Said:
        assert file == tmp_path / HOLDER
        return [("a", file.read_text()), ("c", None), ("b", "another run's"), ("b", None)]

    with hold(tmp_path):
        need_shared(tmp_path, lambda file: [("a", file.read_text())])
        need_shared(tmp_path, lambda file: [])
        with pytest.raises(InputError, match="by all machines of the cluster, but found none of it on b, c"):
            need_shared(tmp_path, look)
