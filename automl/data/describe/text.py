"""How text files write a table, where their names and their content do not tell."""

from __future__ import annotations

import codecs
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from automl.data.describe.parts import Part

MISSING = ("", "\\N")
ColumnKind = Literal["text", "integer", "number"]


def _one_byte(value: str | None) -> str | None:
    if value is not None and (len(value) != 1 or not value.isascii()):
        raise ValueError('must be one character, like ";" or "\\t"')
    return value


def _known_encoding(value: str) -> str:
    try:
        codecs.lookup(value)
    except LookupError:
        raise ValueError("must be an encoding that Python knows, like utf-8 or gbk") from None
    return value


def _words(value: object) -> object:
    if not isinstance(value, list | tuple) or not all(isinstance(word, str) for word in value):
        raise ValueError('must be a list of texts, like ["", "\\\\N"]')
    return tuple(value)


class CsvConfig(Part):
    """`separator` None: a tab in .tsv files, else a comma. `quote` None in TSV files: quotes are text as any other.

    `null` are the words that mean "missing" in any column. A number may also be missing as NaN, null or NA.
    """

    separator: Annotated[str | None, AfterValidator(_one_byte)] = None
    quote: Annotated[str | None, AfterValidator(_one_byte)] = Field(default=None)
    escape: Annotated[str | None, AfterValidator(_one_byte)] = None
    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    null: Annotated[tuple[str, ...], BeforeValidator(_words)] = MISSING
    newlines_in_values: bool = False

    def separates(self, tabs: bool) -> str:
        """Between values, in a file whose name says that it has tabs, or does not."""
        return self.separator or ("\t" if tabs else ",")

    def quotes(self, tabs: bool) -> str | None:
        """Around values, as the file says it; nothing in a file with tabs."""
        if "quote" in self.model_fields_set:
            return self.quote
        return None if tabs else '"'
