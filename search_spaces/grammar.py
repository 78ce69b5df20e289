"""Text of an expression to a syntax tree, and what is said where it is outside the language."""

from __future__ import annotations

import functools

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput

from search_spaces.errors import Mistake, Position

MAX_CHARACTERS = 500
Part = Tree[Token] | Token

_GRAMMAR = r"""
?start: either
?either: both ("or" both)*
?both: inverse ("and" inverse)*
?inverse: "not" inverse -> negation
        | comparison
?comparison: sum (COMPARE sum)*
?sum: product (PLUS product)*
?product: unary (TIMES unary)*
?unary: "-" atom -> negative
      | atom
?atom: NUMBER -> number
     | QUOTED -> word
     | name
     | NAME "(" name ("," name)* ")" -> call
     | "(" either ")" -> group
name: NAME ("." NAME | INDEX)*
COMPARE: "==" | "!=" | "<=" | ">=" | "<" | ">"
PLUS: "+" | "-"
TIMES: "*" | "/"
NUMBER: /(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?[kKMG]?(?![\w.])/
QUOTED: /'[^']*'|"[^"]*"/
INDEX: /\[\d+\]/
NAME: /[A-Za-z_]\w*/
%ignore /[ \t\n]+/
"""
_SUFFIX = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}


class ExpressionError(Exception):
    """What is wrong with an expression, at a character of its text."""

    def __init__(self, offset: int, must: str, found: str = "", hint: str = "") -> None:
        super().__init__(must)
        self.offset, self.must, self.found, self.hint = offset, must, found, hint

    def mistake(self, place: Position, exact: bool) -> Mistake:
        """As a mistake of the file. `place` is where the first character of the expression stands."""
        column = place.column + (self.offset if exact and place.line else 0)
        return Mistake(Position(place.file, place.line, column), self.must, self.found, self.hint)


@functools.cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", propagate_positions=True, maybe_placeholders=False)


def parse_expression(text: str) -> Tree[Token]:
    """The syntax tree.

    Raises:
        ExpressionError: where the text is outside the language.
    """
    if len(text) > MAX_CHARACTERS:
        must = f"an expression must be at most {MAX_CHARACTERS} characters long"
        raise ExpressionError(0, must, str(len(text)))
    try:
        return _parser().parse(text)
    except UnexpectedInput as error:
        raise _outside(text, error) from None


def _outside(text: str, error: UnexpectedInput) -> ExpressionError:
    offset = min(max(getattr(error, "pos_in_stream", None) or 0, 0), len(text))
    must = "an expression must keep to comparisons, and, or, not, + - * /, count, sum, min, max"
    if isinstance(error, UnexpectedCharacters):
        return ExpressionError(offset, must, f"`{text[offset : offset + 10].strip()}`", _familiar(text[offset:]))
    token = getattr(error, "token", None)
    if token is None or token.type == "$END":
        return ExpressionError(max(len(text) - 1, 0), must, "its end too early")
    return ExpressionError(token.start_pos or 0, must, f"`{token}`", _familiar(str(token)))


def _familiar(text: str) -> str:
    if text.startswith("="):
        return "equality is written =="
    return {"&": "write and", "|": "write or", "!": "write not"}.get(text[:1], "")


def number_of(text: str) -> float:
    """A number as written; K, M and G are powers of 1,000."""
    return float(text[:-1]) * _SUFFIX[text[-1]] if text[-1] in _SUFFIX else float(text)


def text_of(tree: Part) -> str:
    """A name or word as written: tokens of a name joined again."""
    if isinstance(tree, Token):
        return str(tree)
    text = ""
    for child in tree.children:
        part = text_of(child)
        text += f".{part}" if text and not part.startswith("[") else part
    return text


def is_quoted(tree: Part) -> bool:
    """Whether it is a word in quotes."""
    return isinstance(tree, Tree) and tree.data == "word"


def offset_of(tree: Part) -> int:
    """The character that it starts at."""
    start = tree.start_pos if isinstance(tree, Token) else tree.meta.start_pos
    return start or 0
