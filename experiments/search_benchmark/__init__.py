"""Which search finds the better front: many strategies on tables of really trained candidates, and live."""
