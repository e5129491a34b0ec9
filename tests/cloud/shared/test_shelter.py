"""Where the cluster of a root user lies whose data folder `nobody` cannot reach."""

from __future__ import annotations

import pwd
import shutil
from pathlib import Path

import pytest

from cloud.shared import server_account
from cloud.shared.server_account import Account


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder below a closed one; shelters go beside it."""
    monkeypatch.setattr(server_account, "SHELTER", tmp_path / "shelters")
    data = tmp_path / "closed" / "data"
    data.mkdir(parents=True)
    data.parent.chmod(0o700)
    return data


def test_a_closed_data_folder_finds_its_shelter_again(closed: Path) -> None:
    account = Account(pwd.getpwnam("nobody"))
    home = account.home(closed)
    assert not home.is_relative_to(closed)
    assert account.home(closed) == home


def test_a_data_folder_that_was_removed_does_not_find_the_old_cluster(closed: Path) -> None:
    """A demo stopped in its first seconds begins anew; so does a new checkout at the place of an old one."""
    account = Account(pwd.getpwnam("nobody"))
    (account.home(closed) / "postgresql-18").mkdir()
    shutil.rmtree(closed)
    closed.mkdir()
    assert list(account.home(closed).glob("postgresql-*")) == []
