"""`--help` of the main command: its flags in groups, in plain text that needs no import."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from entropyguard.cli.options import GROUPS


class GroupedHelp(TyperGroup):
    """A command with sub-commands that shows its flags by the group that each of them names."""

    def format_usage(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # typer's own click
        """Both ways to call it: what is without a command is a command of its own."""
        formatter.write_usage(ctx.command_path, "--input PATH --output FILE [OPTIONS]")
        formatter.write_usage(ctx.command_path, "COMMAND [OPTIONS]", prefix=" " * len("Usage: "))

    def format_options(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # typer's own click
        """One section for each group, then the commands, all with their texts in one column."""
        sections: dict[str, list[tuple[str, str]]] = {group: [] for group in GROUPS}
        for option in self.get_params(ctx):
            flag, text = option.get_help_record(ctx)  # type: ignore[misc]  # None where it is hidden; none is
            # click's own --help names no group: it is about the running of the program.
            sections[getattr(option, "rich_help_panel", None) or GROUPS[-1]].append((flag, text))
        sections["Commands"] = [(name, self.commands[name].get_short_help_str(limit=80)) for name in self.commands]
        width = max(len(flag) for rows in sections.values() for flag, _ in rows)
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl([(flag.ljust(width), text) for flag, text in rows])
