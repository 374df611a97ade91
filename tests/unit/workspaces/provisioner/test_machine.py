"""Two roots are two machines, one root is one, whoever begins when."""

import threading

import pytest

from workspaces.protocol import MACHINE
from workspaces.provisioner.drivers.local import LocalDriver, stop_all_workspaces
from workspaces.provisioner.drivers.machine import FILE, BadMachineFile, find_machine


def test_a_root_has_an_id_for_good(tmp_path):
    root = tmp_path / "data" / "workspaces"

    first = LocalDriver(root).find_machine()

    assert MACHINE.fullmatch(first)
    assert LocalDriver(root).find_machine() == first
    assert [path.name for path in root.iterdir()] == [FILE]


def test_two_roots_are_two_machines(tmp_path):
    assert find_machine(tmp_path / "a") != find_machine(tmp_path / "b")


def test_those_that_begin_at_once_agree(tmp_path):
    barrier, found = threading.Barrier(8), []

    def begin():
        barrier.wait()
        found.append(find_machine(tmp_path / "workspaces"))

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_draft_that_a_crash_left_behind_does_no_harm(tmp_path):
    (tmp_path / f"{FILE}.new").write_text("half of an i")

    assert find_machine(tmp_path) == find_machine(tmp_path)


@pytest.mark.parametrize("content", ["", "\n", "two words", "../up", "x" * 65, "\x00", "a\nb"])
def test_a_file_that_holds_no_id_is_never_replaced(tmp_path, content):
    (tmp_path / FILE).write_text(content)

    with pytest.raises(BadMachineFile, match="does not hold the id"):
        find_machine(tmp_path)

    assert (tmp_path / FILE).read_text() == content


def test_an_id_somebody_chose_is_taken(tmp_path):
    (tmp_path / FILE).write_text("rack-7.example\n")

    assert find_machine(tmp_path) == "rack-7.example"


def test_the_id_is_no_workspace(tmp_path):
    find_machine(tmp_path)

    assert stop_all_workspaces(tmp_path) == 0
