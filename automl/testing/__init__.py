"""Contract suites for what may be plugged in. A plug-in's author runs them, the project's own tests run the same.

    from automl.testing import hold_block
    hold_block(MyBlock)

Each is a plain function that raises AssertionError with what must hold; no test framework is needed.
"""

from automl.testing.blocks import hold_block
from automl.testing.jobs import hold_job, hold_training
from automl.testing.strategies import hold_strategy

__all__ = ["hold_block", "hold_job", "hold_strategy", "hold_training"]
