"""docs/cli.md and the commands say the same."""

from __future__ import annotations

import re
import shlex

import click
import pytest

from automl.cli import automl
from tests.docs.pages import fences, names, page, rows, section


def _leaves(group: click.Group, *before: str) -> dict[str, click.Command]:
    """Commands by what is typed."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        words = (*before, name)
        found |= _leaves(command, *words) if isinstance(command, click.Group) else {" ".join(words): command}
    return found


LEAVES = _leaves(automl)
COMMANDS = sorted(LEAVES)


def _options(command: click.Command) -> list[click.Option]:
    return [parameter for parameter in command.params if isinstance(parameter, click.Option)]


def test_every_command_has_a_section_and_a_row() -> None:
    listed = [names(row[0])[0] for row in rows(page("cli.md")) if names(row[0])]
    headings = re.findall(r"^## automl ([\w ]+)$", page("cli.md"), re.MULTILINE)
    assert sorted(headings) == COMMANDS
    assert {f"automl {name}" for name in COMMANDS} <= set(listed)


@pytest.mark.parametrize("name", COMMANDS)
def test_options_of_a_command_are_those_of_its_table(name: str) -> None:
    text = section(page("cli.md"), f"automl {name}")
    documented = {names(row[0])[0].split()[0] for row in rows(text) if names(row[0])[:1] and "--" in row[0]}
    assert documented == {option.opts[-1] for option in _options(LEAVES[name])}


@pytest.mark.parametrize("name", COMMANDS)
def test_usage_of_a_command_names_arguments_and_options(name: str) -> None:
    text = section(page("cli.md"), f"automl {name}")
    usage = re.search(rf"^ {{4}}automl {name} (.+)$", text, re.MULTILINE)
    assert usage is not None
    for parameter in LEAVES[name].params:
        word = parameter.opts[-1] if isinstance(parameter, click.Option) else str(parameter.name).upper()
        assert word in usage[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_defaults_and_choices_of_options_are_told(name: str) -> None:
    table = {
        names(row[0])[0].split()[0]: row for row in rows(section(page("cli.md"), f"automl {name}")) if names(row[0])
    }
    for option in _options(LEAVES[name]):
        row = table[option.opts[-1]]
        if isinstance(option.type, click.Choice):
            assert f"{option.opts[-1]} {'|'.join(option.type.choices)}" in names(row[0])
        if isinstance(option.default, int | str) and not option.is_flag:
            assert str(option.default) in row[1].strip("`")


def test_options_before_the_command_are_told() -> None:
    documented = {word for row in rows(page("cli.md")) for word in names(row[0])}
    assert {opt for option in _options(automl) for opt in option.opts} | {"-h", "--help"} <= documented


def _typed() -> list[tuple[str, str]]:
    """Command lines of all pages."""
    found = []
    for fence in fences():
        lines = [line.removeprefix("$ ") for line in fence.text.splitlines() if line.startswith("$ automl ")]
        found += [(fence.place, line) for line in lines]
    return found


@pytest.mark.parametrize(("place", "line"), _typed())
def test_command_lines_in_the_pages_are_accepted(place: str, line: str) -> None:
    _, name, *words = shlex.split(line)
    if name not in LEAVES:
        name, words = f"{name} {words[0]}", words[1:]
    LEAVES[name].make_context(name, words)
