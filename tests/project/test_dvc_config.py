"""DVC's settings in a checkpoint dir: ours hold, the user's stay."""

from __future__ import annotations

import pytest

from entropyguard.project.dvc_config import with_our_settings

NEW = with_our_settings("")

REMOTE = """\
[core]
    no_scm = True
    analytics = false
    check_update = false
    remote = storage
[cache]
    type = "hardlink,copy"
['remote "storage"']
    url = s3://bucket/a%20folder
    endpointurl = http://127.0.0.1:9000
"""


def test_a_new_dir_has_our_settings() -> None:
    assert "no_scm = True" in NEW
    assert 'type = "hardlink,copy"' in NEW
    assert with_our_settings(NEW) == NEW


def test_what_dvc_has_added_stays_to_the_byte() -> None:
    assert with_our_settings(REMOTE) == REMOTE


@pytest.mark.parametrize(("ours", "other"), [("no_scm = True", "no_scm = False"), ("hardlink,copy", "symlink")])
def test_a_setting_of_ours_that_was_changed_is_put_back_and_a_remote_stays(ours: str, other: str) -> None:
    mended = with_our_settings(REMOTE.replace(ours, other))
    assert ours in mended
    assert other not in mended
    assert "url = s3://bucket/a%20folder" in mended
    assert "remote = storage" in mended
    assert with_our_settings(mended) == mended


@pytest.mark.parametrize("broken", ["[core", "no section", "[core]\n[core]\n"])
def test_one_that_cannot_be_read_is_replaced(broken: str) -> None:
    assert with_our_settings(broken) == NEW
