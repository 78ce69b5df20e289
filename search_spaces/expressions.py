"""The small language of `where` and `when`, by a grammar of 20 lines: text to terms. No eval, no calls but four.

not (deep.repeat == 4 and train.batch_size == 512)        params <= 20M        sum(deep.mlp.width) <= 1024
count(interaction, cross) <= 2                            norm == none         16 <= embedding.dim <= 64
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lark import Token, Tree

from search_spaces.errors import InputError
from search_spaces.grammar import ExpressionError, Part, is_quoted, number_of, offset_of, parse_expression, text_of
from search_spaces.guards import Guard
from search_spaces.source import did_you_mean
from search_spaces.terms import COSTS, Answer, Apply, Constant, CostOf, Expression, Presence, Term
from search_spaces.tree import Words

_KIND = {"number": "a number", "word": "a word", "flag": "yes or no", "truth": "a condition"}


@dataclass(frozen=True, slots=True)
class Symbol:
    """What a name stands for: a knob (number, word or truth), or the presence of a block (flag).

    `column` None: the knob is fixed to `instead`. `options` are the words it may take.
    """

    kind: str
    guards: tuple[Guard, ...] = ()
    column: int | None = None
    instead: float = 0.0
    table: tuple[float, ...] | None = None
    options: tuple[str, ...] = ()

    def under(self, guards: tuple[Guard, ...]) -> Symbol:
        """The same, where these guards hold too."""
        return dataclasses.replace(self, guards=(*self.guards, *guards))

    def term(self) -> Term:
        """What evaluates it."""
        if self.kind == "flag":
            return Presence(self.guards)
        answer = Answer(self.column, self.instead, self.guards, self.table)
        return Apply("truth", (answer,)) if self.kind == "truth" else answer


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a space gives to expressions.

    symbols: by full path (`interaction[0].cross.rank`); stacks: number of layers; word codes; scope: where a `when`
    stands, so that a short name is looked up beside it first. `costs` says whether params and its like are known.
    """

    symbols: Mapping[str, Symbol]
    stacks: Mapping[str, int]
    codes: Mapping[str, float]
    scope: tuple[str, ...] = ()
    costs: bool = True


def compile_words(words: Words, names: Names) -> Expression:
    """An expression of a file, compiled.

    Raises:
        ExpressionError: where it is outside the language, or a name does not exist.
    """
    compiler = _Compiler(names)
    kind, term = compiler.compile(parse_expression(words.text))
    if kind not in ("truth", "flag"):
        hint = "compare it with something: <=, ==, ..."
        raise ExpressionError(0, "an expression must be a condition", _KIND[kind], hint)
    return Expression(words.text, Apply("truth", (term,)), compiler.needs_cost, words.place)


def compile_where(where: Iterable[Words], names: Names) -> tuple[Expression, ...]:
    """Constraints of one space, compiled.

    Raises:
        InputError: with every mistake, each at its place.
    """
    made, mistakes = [], []
    for words in where:
        try:
            made.append(compile_words(words, names))
        except ExpressionError as error:
            mistakes.append(error.mistake(words.place, words.exact))
    if mistakes:
        raise InputError(mistakes)
    return tuple(made)


Compiled = tuple[str, Term]


class _Compiler:
    """Syntax tree to terms, with kinds checked on the way."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.needs_cost = False

    def compile(self, tree: Part) -> Compiled:
        assert isinstance(tree, Tree)
        rule = str(tree.data)
        if rule in ("either", "both"):
            return "truth", Apply({"either": "or", "both": "and"}[rule], tuple(map(self._truth, tree.children)))
        if rule == "negation":
            return "truth", Apply("not", (self._truth(tree.children[0]),))
        if rule == "comparison":
            return "truth", self._chain(tree.children)
        if rule in ("sum", "product"):
            return "number", self._arithmetic(tree.children)
        if rule == "negative":
            return "number", Apply("negative", (self._number(tree.children[0]),))
        if rule == "number":
            return "number", Constant(number_of(str(tree.children[0])))
        if rule == "group":
            return self.compile(tree.children[0])
        if rule == "call":
            return "number", self._call(tree)
        if rule == "word":
            must = "a word must be compared with a knob that takes words"
            raise ExpressionError(offset_of(tree), must, str(tree.children[0]))
        return self._name(tree)

    def _truth(self, tree: Part) -> Term:
        kind, term = self.compile(tree)
        if kind not in ("truth", "flag"):
            raise ExpressionError(offset_of(tree), "and, or, not must join conditions", _KIND[kind])
        return term

    def _number(self, tree: Part) -> Term:
        kind, term = self.compile(tree)
        if kind != "number":
            raise ExpressionError(offset_of(tree), "must be a number", _KIND[kind])
        return term

    def _arithmetic(self, parts: Sequence[Part]) -> Term:
        term = self._number(parts[0])
        for operator, part in zip(parts[1::2], parts[2::2], strict=True):
            term = Apply(str(operator), (term, self._number(part)))
        return term

    def _chain(self, parts: Sequence[Part]) -> Term:
        links = [self._compare(parts[i], str(parts[i + 1]), parts[i + 2]) for i in range(0, len(parts) - 2, 2)]
        return links[0] if len(links) == 1 else Apply("and", tuple(links))

    def _compare(self, left: Part, operator: str, right: Part) -> Term:
        if operator in ("==", "!="):
            for one, other in ((left, right), (right, left)):
                options = self._options(one)
                if options and (is_quoted(other) or not self._resolves(other)):
                    return Apply(operator, (self.compile(one)[1], self._word(other, options)))
        pair = [self.compile(left), self.compile(right)]
        kinds = [kind for kind, _ in pair]
        if kinds == ["word", "word"] and operator in ("==", "!="):
            return Apply(operator, tuple(term for _, term in pair))
        for side, kind in zip((left, right), kinds, strict=True):
            if kind != "number":
                must = "words must be compared by == or !=, with words"
                must = must if kind == "word" else f"{operator} must compare numbers"
                raise ExpressionError(offset_of(side), must, f"{_KIND[kind]}")
        return Apply(operator, tuple(term for _, term in pair))

    def _options(self, tree: Part) -> tuple[str, ...]:
        """The words that a name may be, empty where it is no knob of words."""
        if not isinstance(tree, Tree) or tree.data != "name":
            return ()
        symbol = self._find(text_of(tree))
        return symbol.options if symbol is not None and symbol.kind == "word" else ()

    def _resolves(self, tree: Part) -> bool:
        return not (isinstance(tree, Tree) and tree.data == "name" and self._find(text_of(tree)) is None)

    def _word(self, tree: Part, options: tuple[str, ...]) -> Term:
        word = text_of(tree).strip("'\"")
        if word not in options:
            hint = did_you_mean(word, options)
            raise ExpressionError(offset_of(tree), f"must be one of {', '.join(options)}", f"`{word}`", hint)
        return Constant(self.names.codes[word])

    def _name(self, tree: Tree[Token]) -> Compiled:
        text = text_of(tree)
        symbol = self._find(text)
        if symbol is not None:
            return symbol.kind, symbol.term()
        if text in COSTS:
            if not self.names.costs:
                hint = "what a model costs belongs in `where`"
                raise ExpressionError(offset_of(tree), "a `when` must look at answers only", f"`{text}`", hint)
            self.needs_cost = True
            return "number", CostOf(text)
        raise self._unknown(tree, text)

    def _find(self, text: str) -> Symbol | None:
        """Beside the `when` first, then further out; a stack's name stands for the layer that the `when` is in."""
        symbols, scope = self.names.symbols, self.names.scope
        for depth in range(len(scope), -1, -1):
            found = symbols.get(".".join((*scope[:depth], text)))
            if found is not None:
                return found
        stack = scope[0].split("[")[0] if scope else ""
        if stack and text.startswith(f"{stack}."):
            return symbols.get(scope[0] + text[len(stack) :])
        return None

    def _unknown(self, tree: Tree[Token], text: str) -> ExpressionError:
        stack, _, rest = text.partition(".")
        if self._layers(stack, rest):
            hint = f"sum({text}), min({text}), max({text}), or one layer: {stack}[0].{rest}"
            must = f"{stack} is repeated: a name in it must say over which layers"
            return ExpressionError(offset_of(tree), must, f"`{text}`", hint)
        start = "".join(f"{step}." for step in self.names.scope)
        beside = [path.removeprefix(start) for path in self.names.symbols if path.startswith(start)]
        known = [*self.names.symbols, *beside, *(COSTS if self.names.costs else ())]
        close = did_you_mean(text, known)
        return ExpressionError(offset_of(tree), "a name must be a knob of this space", f"`{text}`", close)

    def _layers(self, stack: str, rest: str) -> list[Symbol]:
        symbols = self.names.symbols
        found = (symbols.get(f"{stack}[{i}].{rest}") for i in range(self.names.stacks.get(stack, 0)))
        return [symbol for symbol in found if symbol is not None]

    def _call(self, tree: Tree[Token]) -> Term:
        function, *arguments = tree.children
        name = str(function)
        if name not in ("count", "sum", "min", "max"):
            hint = did_you_mean(name, ("count", "sum", "min", "max"))
            raise ExpressionError(offset_of(tree), "a function must be one of count, sum, min, max", f"`{name}`", hint)
        texts = [text_of(argument) for argument in arguments]
        if name == "count":
            return self._count(tree, arguments, texts)
        if len(texts) != 1:
            must = f"{name} must have one name, like {name}(deep.mlp.width)"
            raise ExpressionError(offset_of(tree), must, str(len(texts)))
        stack, _, rest = texts[0].partition(".")
        layers = self._layers(stack, rest)
        if not layers:
            raise self._no_stack(arguments[0], stack, f"a knob over layers, like {name}(deep.mlp.width)")
        if any(symbol.kind != "number" for symbol in layers):
            raise ExpressionError(offset_of(arguments[0]), f"{name} must go over numbers", _KIND[layers[0].kind])
        return Apply(name, tuple(symbol.term() for symbol in layers))

    def _count(self, tree: Tree[Token], arguments: Sequence[Part], texts: list[str]) -> Term:
        if len(texts) > 2 or texts[0] not in self.names.stacks:
            raise self._no_stack(arguments[0], texts[0], "a stack and a block, like count(interaction, cross)")
        rest = texts[1] if len(texts) == 2 else ""
        symbols = self.names.symbols
        if not rest:
            layers = [symbols[f"{texts[0]}[{i}]"] for i in range(self.names.stacks[texts[0]])]
            return Apply("sum", tuple(symbol.term() for symbol in layers))
        layers = [symbol for symbol in self._layers(texts[0], rest) if symbol.kind == "flag"]
        if not layers:
            start = f"{texts[0]}["
            flags = [path for path, symbol in symbols.items() if path.startswith(start) and symbol.kind == "flag"]
            blocks = {path.split(".", 1)[1] for path in flags if "." in path}
            hint = did_you_mean(rest, blocks)
            must = f"must be a block of {texts[0]}"
            raise ExpressionError(offset_of(arguments[1]), must, f"`{rest}`", hint)
        return Apply("sum", tuple(symbol.term() for symbol in layers))

    def _no_stack(self, tree: Part, stack: str, must: str) -> ExpressionError:
        stacks: Iterable[str] = self.names.stacks
        if stack in self.names.stacks:
            inside = {p.split("].", 1)[1] for p in self.names.symbols if p.startswith(f"{stack}[") and "]." in p}
            hint = did_you_mean(text_of(tree).partition(".")[2], inside)
            return ExpressionError(offset_of(tree), f"must name {must}", f"`{text_of(tree)}`", hint)
        return ExpressionError(offset_of(tree), f"must name {must}", f"`{text_of(tree)}`", did_you_mean(stack, stacks))
