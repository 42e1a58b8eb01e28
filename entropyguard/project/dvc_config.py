"""DVC's settings in a checkpoint dir: ours, and beside them what `dvc remote add` has put there."""

from __future__ import annotations

import configparser
import io

_OURS = {
    "core": {"no_scm": "True", "analytics": "false", "check_update": "false"},
    "cache": {"type": '"hardlink,copy"'},
}


def with_our_settings(text: str) -> str:
    """A `.dvc/config` in which our settings hold and all others stay; the very same text where they hold already.

    One that cannot be read is replaced: DVC would refuse it.
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error:
        parser = configparser.ConfigParser(interpolation=None)
    if all(parser.get(section, name, fallback=None) == value for section, name, value in _settings()):
        return text
    for section, name, value in _settings():
        if not parser.has_section(section):
            parser.add_section(section)
        parser.set(section, name, value)
    written = io.StringIO()
    parser.write(written)
    return written.getvalue()


def _settings() -> list[tuple[str, str, str]]:
    return [(section, name, value) for section, values in _OURS.items() for name, value in values.items()]
