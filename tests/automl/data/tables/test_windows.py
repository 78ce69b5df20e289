from __future__ import annotations

import datetime as dt

import numpy as np

from automl.data.columns.times import midnight
from automl.data.describe.split import SplitConfig
from automl.data.tables.windows import split_of

DAYS = SplitConfig.model_validate(
    {
        "train": ["2024-03-04", "2024-03-06"],
        "validate": ["2024-03-07", "2024-03-07"],
        "test": ["2024-03-09", "2024-03-09"],  # a day between is left out
    }
)


def test_days_are_local_and_both_ends_count() -> None:
    split = split_of(DAYS, "Asia/Shanghai")
    starts = [midnight(dt.date(2024, 3, day), "Asia/Shanghai") for day in range(3, 11)]
    times = np.array([at + moved for at in starts for moved in (0, -1)], np.int64)
    wanted = {4: 0, 5: 0, 6: 0, 7: 1, 9: 2}
    expected = [wanted.get(day - before, -1) for day in range(3, 11) for before in (0, 1)]
    assert split.window(times, np.zeros(len(times))).tolist() == expected


def test_shares_are_of_the_draws_and_what_they_leave_is_of_no_window() -> None:
    config = SplitConfig.model_validate({"random": {"train": 0.5, "validate": 0.2, "test": 0.1}})
    draws = np.array([0.0, 0.4999, 0.5, 0.6999, 0.7001, 0.7999, 0.8001, 0.9999])
    assert split_of(config, "UTC").window(np.zeros(len(draws), np.int64), draws).tolist() == [0, 0, 1, 1, 2, 2, -1, -1]
