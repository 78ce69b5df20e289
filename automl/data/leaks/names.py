"""Names that columns of feedback have. A name alone proves nothing: it makes weak evidence enough."""

from __future__ import annotations

import re

FEEDBACK = re.compile(
    r"(?:^|_)(?:clicks?|clicked|likes?|liked|follow|comment|share|forward|hate|dislike|convert(?:ed)?|conversion|purchase"
    r"|bought|dwell|stay|play_time|watch_time|view_time|long_view|profile_enter|cart|order|revenue|feedback)(?:_|$)",
    re.IGNORECASE,
)
