"""The repository sees what is there now: versions, faults, digests, and every kind of change."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
import repos

from explainery.contract.errors import ModelChanged
from workers.repository import Repository

CARD = f'title = "m"\nformat = "onnx"\nfile = "model.onnx"\n{repos.tensor_input("input", [4])}{repos.output(1)}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    repos.write(tmp_path, "m", CARD, {"model.onnx": b"first"})
    return tmp_path


def test_versions_are_sorted_as_numbers(tmp_path: Path) -> None:
    for name, version in (("b", 10), ("b", 9), ("a", 2)):
        repos.write(tmp_path, name, CARD, {"model.onnx": b"x"}, version)
    assert [(found.name, found.version) for found in Repository(str(tmp_path)).scan()] == [("a", 2), ("b", 9), ("b", 10)]


def test_what_is_no_version_is_left_alone(folder: Path) -> None:
    (folder / "notes.txt").write_text("no model")
    for stray in ("m/draft", "m/01", "m/-1", "m/1.5", ".hidden/1", "bad name/1"):
        (folder / stray).mkdir(parents=True)
    assert [found.version for found in Repository(str(folder)).scan()] == [1]


@pytest.mark.parametrize("url", ["{}", "{}/", "file://{}"])
def test_a_folder_by_any_of_its_names(folder: Path, url: str) -> None:
    found = Repository(url.format(folder)).find("m", 1)
    assert found.card is not None
    assert found.digest == Repository(str(folder)).find("m", 1).digest


def test_an_empty_or_missing_repository_has_no_models(tmp_path: Path) -> None:
    assert Repository(str(tmp_path)).scan() == []
    assert Repository(str(tmp_path / "nowhere")).scan() == []


def test_links_to_folders_are_followed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """As Kubernetes mounts volumes; and a link that is turned elsewhere is a change."""
    other = tmp_path_factory.mktemp("linked")
    (other / "linked").mkdir()
    (other / "linked" / "1").symlink_to(folder / "m" / "1")
    (other / "m").symlink_to(folder / "m")
    (other / "dangling").symlink_to(folder / "nowhere")
    repository = Repository(str(other))
    before = {found.name: found.digest for found in repository.scan()}
    assert set(before) == {"linked", "m"}
    newer = repos.write(tmp_path_factory.mktemp("newer"), "m", CARD, {"model.onnx": b"later"})
    (other / "linked" / "1").unlink()
    (other / "linked" / "1").symlink_to(newer)
    after = {found.name: found.digest for found in repository.scan()}
    assert after["linked"] != before["linked"]
    assert after["m"] == before["m"]


FAULTS = {
    "no card": (None, {}, "no readable card.toml"),
    "not TOML": ("title = ", {}, "not TOML"),
    "not UTF-8": (b"\xff\xfe", {}, "m/1/card.toml"),
    "an unknown key": (CARD + "colour = 1\n", {}, "colour"),
    "no file": (CARD, {}, "model.onnx, which is not in its folder"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_card_is_a_fault_and_mends(tmp_path: Path, name: str) -> None:
    card, files, words = FAULTS[name]
    place = repos.write(tmp_path, "m", "", files)
    (place / "card.toml").unlink()
    if card is not None:
        (place / "card.toml").write_bytes(card.encode() if isinstance(card, str) else card)
    repository = Repository(str(tmp_path))
    (found,) = repository.scan()
    assert found.card is None
    assert found.fault is not None
    assert words in found.fault
    assert str(tmp_path) not in found.fault
    repos.write(tmp_path, "m", CARD, {"model.onnx": b"x"})
    assert repository.find("m", 1).card is not None


def test_a_folder_in_the_place_of_a_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "m" / "1" / "card.toml").mkdir(parents=True)
    assert Repository(str(tmp_path)).scan()[0].fault is not None


def test_the_digest_is_over_card_and_every_file(tmp_path: Path) -> None:
    card = CARD + '[baseline]\ninput = "base.npy"\n[sample]\nfile = "s.npz"\n'
    files = {"model.onnx": b"1", "base.npy": b"2", "s.npz": b"3", "notes.txt": b"not named"}
    repos.write(tmp_path, "m", card, files)
    digests = [Repository(str(tmp_path)).find("m", 1).digest]
    for file in ("model.onnx", "base.npy", "s.npz"):
        repos.write(tmp_path, "m", card, {file: b"9"})
        digests.append(Repository(str(tmp_path)).find("m", 1).digest)
    repos.write(tmp_path, "m", card.replace('"m"', '"n"'), files)
    digests.append(Repository(str(tmp_path)).find("m", 1).digest)
    assert len(set(digests)) == 5
    repos.write(tmp_path, "m", card, {**files, "notes.txt": b"changed"})
    assert Repository(str(tmp_path)).find("m", 1).digest == digests[0]
    assert all(digest.startswith("sha256:") and len(digest) == 71 for digest in digests)


def test_files_do_not_run_into_each_other_in_the_digest(tmp_path: Path) -> None:
    card = CARD + '[sample]\nfile = "s.npz"\n'
    repos.write(tmp_path / "a", "m", card, {"model.onnx": b"12", "s.npz": b"3"})
    repos.write(tmp_path / "b", "m", card, {"model.onnx": b"1", "s.npz": b"23"})
    first, second = (Repository(str(tmp_path / name)).find("m", 1).digest for name in "ab")
    assert first != second


def test_a_file_is_read_again_only_when_it_changed(folder: Path) -> None:
    repository = Repository(str(folder))
    first = repository.find("m", 1)
    assert repository.find("m", 1) is first
    repos.write(folder, "m", CARD, {"model.onnx": b"other"})
    assert repository.find("m", 1).digest != first.digest


def test_a_change_that_keeps_size_and_time_is_seen(folder: Path) -> None:
    """Somebody copies a file over another one and restores its time: the time of change still tells."""
    repository, file = Repository(str(folder)), folder / "m" / "1" / "model.onnx"
    before, digest = file.stat(), repository.find("m", 1).digest
    file.write_bytes(b"FIRST")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = file.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)
    assert repository.find("m", 1).digest != digest


def linked(folder: Path, target: Path) -> Path:
    """The model's file as a link to `target`."""
    file = folder / "m" / "1" / "model.onnx"
    file.unlink()
    file.symlink_to(target)
    return target


def test_a_change_behind_a_link_is_seen(folder: Path) -> None:
    """As Kubernetes mounts volumes: files are links to a folder beside them, which is a link that is turned elsewhere."""
    place = folder / "m" / "1"
    for name in ("one", "two"):
        (place / name).mkdir()
        (place / name / "weights").write_bytes(name.encode())
    (place / "..data").symlink_to("one")
    linked(folder, Path("..data/weights"))
    repository = Repository(str(folder))
    digest = repository.find("m", 1).digest
    assert repository.find("m", 1).card is not None
    (place / "..data").unlink()
    (place / "..data").symlink_to("two")
    assert repository.find("m", 1).digest != digest


def test_a_link_that_leads_out_of_the_folder_is_not_followed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    target = tmp_path_factory.mktemp("files") / "weights"
    target.write_bytes(b"of somebody else")
    honest = Repository(str(folder)).find("m", 1)
    linked(folder, target)
    found = Repository(str(folder)).find("m", 1)
    assert found.card is None
    assert found.fault == "m/1: model.onnx is a link that leads out of the model's folder; put the file itself there"
    with pytest.raises(ModelChanged):
        Repository(str(folder)).files("m", 1, honest.digest)


def test_a_model_that_is_too_large_is_not_read(folder: Path) -> None:
    assert Repository(str(folder), 5).find("m", 1).card is not None
    found = Repository(str(folder), 4).find("m", 1)
    assert found.card is None
    assert found.fault == "m/1: its files have 5 bytes, more than the 4 of EXPLAINERY_MAX_MODEL_BYTES"


def test_a_card_that_is_no_file_of_a_sensible_size(folder: Path) -> None:
    card = folder / "m" / "1" / "card.toml"
    card.write_bytes(b"#" * (1 << 20) + card.read_bytes())
    assert Repository(str(folder)).find("m", 1).fault == "m/1 has no readable card.toml"
    card.unlink()
    card.symlink_to("/dev/zero")
    assert Repository(str(folder)).find("m", 1).fault == "m/1 has no readable card.toml"


def test_a_change_while_it_is_read_is_seen_the_next_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file changes between being read and being looked at again: the old digest must not stay."""
    repository, original, file = Repository(str(folder)), Repository._contents, folder / "m" / "1" / "model.onnx"

    def interrupted(self: Repository, place: str, card: object) -> dict[str, bytes]:
        files = original(self, place, card)  # type: ignore[arg-type]
        file.write_bytes(b"meanwhile")
        return files

    monkeypatch.setattr(Repository, "_contents", interrupted)
    stale = repository.find("m", 1)
    monkeypatch.undo()
    assert repository.find("m", 1).digest == Repository(str(folder)).find("m", 1).digest != stale.digest


def test_files_are_those_of_the_digest_or_none(folder: Path) -> None:
    repository = Repository(str(folder))
    digest = repository.find("m", 1).digest
    card, files = repository.files("m", 1, digest)
    assert files["model.onnx"] == b"first"
    assert card.file == "model.onnx"
    repos.write(folder, "m", CARD, {"model.onnx": b"other"})
    with pytest.raises(ModelChanged, match="submit it again"):
        repository.files("m", 1, digest)
    (folder / "m" / "1" / "model.onnx").unlink()
    with pytest.raises(ModelChanged):
        repository.files("m", 1, digest)
    (folder / "m" / "1" / "card.toml").write_text("broken")
    with pytest.raises(ModelChanged):
        repository.files("m", 1, digest)


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    """fsspec's store in memory: a repository that is no folder."""
    store = fsspec.filesystem("memory")
    yield store
    store.rm("/explainery-test", recursive=True)


def test_a_repository_by_url(memory: fsspec.AbstractFileSystem, folder: Path) -> None:
    root = "/explainery-test/m"
    memory.pipe_file(f"{root}/1/card.toml", CARD.encode())
    memory.pipe_file(f"{root}/1/model.onnx", b"first")
    repository = Repository("memory://explainery-test")
    (found,) = repository.scan()
    assert found.digest == Repository(str(folder)).find("m", 1).digest
    assert repository.files("m", 1, found.digest)[1]["model.onnx"] == b"first"
    memory.pipe_file(f"{root}/1/model.onnx", b"other")
    assert repository.find("m", 1).digest != found.digest
    memory.rm(f"{root}/1/model.onnx")
    assert repository.find("m", 1).fault is not None
