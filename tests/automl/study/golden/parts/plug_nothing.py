"""Has no plug."""
