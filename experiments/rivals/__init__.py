"""Other libraries for ranking models, trained on the same encoded rows: what ours is measured against.

The project does not depend on them. They are looked for in the folder of packages that $AUTOML_RIVALS names, and who is
not there is left out. To make one:

    pip install --no-deps --target rivals fuxictr torch-rechub deepctr-torch h5py polars polars-runtime-32
    AUTOML_RIVALS=rivals python -m experiments.training_speed
"""
