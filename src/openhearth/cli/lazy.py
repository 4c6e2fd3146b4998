"""Groups whose commands are imported when they are called, so that help is instant."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

from openhearth.cli.frame import with_output_options


class LazyGroup(click.Group):
    """A group of commands named by `module:attribute`, each with a line for the help."""

    def __init__(
        self, *arguments: Any, lazy: Mapping[str, tuple[str, str]], **settings: Any
    ) -> None:
        super().__init__(*arguments, **settings)
        self.lazy = lazy

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.lazy)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.lazy:
            return None
        module, _, attribute = self.lazy[name][0].partition(":")
        return with_output_options(getattr(importlib.import_module(module), attribute))

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.lazy.items()])
