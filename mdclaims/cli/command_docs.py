"""Turns the commands, their arguments and options into ``docs/commands.md``; a test keeps the file up to date."""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import typer.main

import mdclaims.cli  # noqa: F401  # its modules add the commands
from mdclaims.cli.app import app
from mdclaims.cli.output import write

_HEAD = """\
# Commands

Every command, with its arguments and options. `mdclaims COMMAND --help` shows the same. Each command also has
`--debug`, which shows the traceback of an error, and `--help`. This page is made from the program:
`python -m mdclaims.cli.command_docs > docs/commands.md`.
"""
_EVERYWHERE = {"debug", "help"}


def commands_markdown() -> str:
    """Return the page of all commands, in the order of the alphabet."""
    lines = [_HEAD]
    for name, command in _commands(typer.main.get_command(app), ""):
        lines += _section(name, command)
    return "\n".join(lines).rstrip() + "\n"


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def _section(name: str, command: Any) -> Iterator[str]:
    yield f"## `{name}`\n"
    yield re.sub(r"(?<!\n)\n(?!\n)", " ", (command.help or "").strip()) + "\n"
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and one.name not in _EVERYWHERE]
    usage = " ".join(["mdclaims", name, *map(_placeholder, arguments), "[OPTIONS]"])
    yield f"```text\n{usage}\n```\n"
    types = get_type_hints(inspect.unwrap(command.callback))
    if arguments:
        yield "| argument | meaning |\n|---|---|"
        yield from (f"| {_code(_placeholder(one))} | {_meaning(one)} |" for one in arguments)
        yield ""
    if options:
        yield "| option | meaning |\n|---|---|"
        yield from (f"| {_option(one, types[one.name])} | {_meaning(one)} |" for one in options)
        yield ""


def _placeholder(argument: Any) -> str:
    """Return an argument as a line of usage shows it: ``CASE``, ``[PATH]...``."""
    name = (argument.metavar or argument.name.upper()).removesuffix("...").strip("[]{}")
    several = "..." if argument.nargs == -1 else ""
    return f"{name}{several}" if argument.required else f"[{name}]{several}"


def _option(option: Any, annotation: Any) -> str:
    """Return an option's names, and what it takes: ``--mode``, ``-m`` ``balanced|edit|screen``."""
    names = ", ".join(_code(name) for name in sorted(option.opts, key=len, reverse=True))
    if option.is_flag:
        return names
    choices = [one.value for kind in _types(annotation) if issubclass(kind, enum.Enum) for one in kind]
    return f"{names} {_code(option.metavar or '|'.join(map(str, choices)) or 'VALUE')}"


def _types(annotation: Any) -> Iterator[type]:
    """Yield the classes of an annotation: of ``list[Mode] | None`` Mode and NoneType."""
    inner = get_args(annotation)
    if inner:
        for one in inner:
            yield from _types(one)
    elif isinstance(annotation, type):
        yield annotation


def _meaning(parameter: Any) -> str:
    text = _cell(" ".join((parameter.help or "").split()))
    default = parameter.default
    if parameter.required:
        return f"{text} Needed." if parameter.param_type_name == "option" else text
    if default in (None, False, (), "") or "default" in text:
        return text
    return f"{text} Default: {_code(str(default.value if isinstance(default, enum.Enum) else default))}."


def _code(text: str) -> str:
    return f"`{_cell(text)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    write(commands_markdown())
