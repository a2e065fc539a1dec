"""Samples beside foreign records: found, dated, cut, held against reals, hostile files."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcc import evaluate
from dlcc.diagnosis import diagnose
from dlcc.errors import OptionError, SnapshotError
from dlcc.records import Samples
from dlcc.runs import Run
from tests.command import assert_one_sentence, dlcc
from tests.conftest import example
from tests.runs.formats.pictures import DIGITS, Tiles, grid, losses, photos, save
from tests.test_diagnosis import BLOCK, NOT_NEEDED

Draw = Callable[[np.random.Generator], Tiles]


def judged(
    folder: Path, draw: Draw, steps: int = 20, name: str = "samples/epoch_{:03d}.png"
) -> Path:
    """A record with a grid of digits of each epoch."""
    rng = np.random.default_rng(1)
    for epoch in range(1, steps + 1):
        save(losses(folder) / name.format(epoch), grid(draw(rng)))
    return folder


def digits(rng: np.random.Generator) -> Tiles:
    return DIGITS[rng.integers(900, 1797, 64)]


@pytest.fixture(scope="module")
def reals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reals")
    for at, tile in enumerate(DIGITS[:900]):
        save(folder / f"{at:04d}.png", tile)
    return folder


def contents_of(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in (folder, *folder.rglob("*"))}


@pytest.mark.parametrize(
    ("draw", "healthy"),
    [
        (digits, True),
        (lambda rng: rng.integers(0, 256, (64, 8, 8)).astype(np.uint8), False),
        (lambda rng: np.repeat(DIGITS[7:8], 64, axis=0), False),
    ],
    ids=["digits", "noise", "one digit"],
)
@pytest.mark.usefixtures("in_process")
def test_the_verdict_is_by_samples(tmp_path: Path, reals: Path, draw: Draw, healthy: bool) -> None:
    folder = judged(tmp_path / "theirs", draw)
    before = contents_of(tmp_path)
    report = evaluate(Run.open(folder, reference=reals), only=["health"]).report
    assert contents_of(tmp_path) == before
    assert report.stages[0].details["judged_by"].startswith("samples against")
    p = report.verdict.p_healthy
    assert p is not None
    assert (p.mean > 0.5) == healthy
    assert (report.verdict.label == "healthy") == healthy


def test_stages_in_their_own_process_see_the_reference(tmp_path: Path, reals: Path) -> None:
    folder = judged(tmp_path / "theirs", digits)
    done = dlcc(
        "evaluate", folder, "--reference", reals, "--only", "health", "--json", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "samples against the training data (" in done.stdout
    assert "cut into tiles of 8 × 8 pixels" in done.stderr
    assert "dated by the epoch in their names" in done.stderr


def test_tiles_dates_and_reference(tmp_path: Path, reals: Path) -> None:
    folder = judged(tmp_path / "theirs", digits)
    run = Run.open(folder, reference=reals)
    rng = np.random.default_rng(1)
    first = digits(rng)
    assert run.sample_steps() == [*range(100, 2_000, 100), 1_991]  # the last is of the end
    assert np.allclose(run.samples(100), first / 255)
    assert run.samples(100).dtype == np.float32
    reference = run.reference()
    assert reference is not None
    assert np.allclose(reference, DIGITS[:900] / 255)
    assert run.contents.samples_place(100) == "samples/epoch_001.png"
    samples = Samples.of(run, until=1_000)
    assert samples is not None
    assert samples.steps == tuple(range(100, 1_001, 100))
    assert samples.comparable(100)
    again = Samples.of(Run.open(folder, reference=reals), until=1_000)
    assert again is not None
    assert again.digest() == samples.digest()
    fewer = Samples.of(Run.open(folder), until=1_000)
    assert fewer is not None
    assert fewer.digest() != samples.digest()


def test_the_grid_of_reals_beside_them(tmp_path: Path) -> None:
    folder = judged(tmp_path / "theirs", digits, steps=5, name="fakes{:06d}.png")
    save(folder / "reals.png", grid(DIGITS[:120], nrow=12))
    save(folder / "loss.png", photos(1, 64, np.random.default_rng(0))[0])
    run = Run.open(folder)
    reference = run.reference()
    assert reference is not None
    assert np.allclose(reference, DIGITS[:120] / 255)
    assert len(run.sample_steps()) == 5


def test_colours_and_large_tiles(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    folder = losses(tmp_path / "theirs")
    for epoch in range(1, 6):
        save(folder / f"image_{epoch}.png", grid(photos(20, 128, rng, channels=3), nrow=5))
    for at in range(30):
        save(tmp_path / "reals" / f"{at}.jpg", photos(1, 200, rng, channels=3)[0, :, :180])
    run = Run.open(folder, reference=tmp_path / "reals")
    step = run.sample_steps()[0]
    reference = run.reference()
    assert reference is not None
    assert run.samples(step).shape == (20, 3, 64, 64)
    assert reference.shape == (30, 3, 64, 64)
    assert any("averaged to 64 × 64 pixels in colour" in note for note in run.sample_notes)


def test_single_images_of_each_step(tmp_path: Path) -> None:
    folder = losses(tmp_path / "theirs")
    for epoch in (5, 10, 15, 20):
        for at in range(24):
            save(folder / "samples" / f"epoch_{epoch}" / f"{at}.png", DIGITS[epoch + at])
    run = Run.open(folder)
    assert run.sample_steps() == [500, 1_000, 1_500, 1_991]
    assert np.allclose(run.samples(500)[:3], DIGITS[[5, 6, 7]] / 255)  # sorted by number
    save(folder / "samples" / "epoch_5" / "3.png", np.zeros((9, 9), np.uint8))
    assert len(Run.open(folder).samples(500)) == 23


def test_arrays(tmp_path: Path, reals: Path) -> None:
    folder = losses(tmp_path / "theirs")
    rng = np.random.default_rng(0)
    for step in (500, 1_000, 1_500, 1_900):
        rows = DIGITS[rng.integers(0, 1797, 32)].astype(np.float32) / 127.5 - 1
        np.savez(folder / f"fake_{step}.npz", samples=rows[..., None], labels=np.zeros(32))
    run = Run.open(folder, reference=reals)
    assert run.sample_steps() == [500, 1_000, 1_500, 1_900]
    assert run.samples(500).shape == (32, 8, 8)
    reference = run.reference()
    assert reference is not None
    assert np.allclose(reference, DIGITS[:900] / 127.5 - 1, atol=1e-6)  # on the samples' scale
    np.save(tmp_path / "data.npy", DIGITS[:50] / 255.0)
    theirs = Run.open(folder, reference=tmp_path / "data.npy").reference()
    assert theirs is not None
    assert np.array_equal(theirs, DIGITS[:50] / 255.0)  # arrays are as they are


def test_pictures_that_cannot_be_cut_are_not_used(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    folder = losses(tmp_path / "theirs")
    for epoch in range(1, 6):
        save(folder / f"sample_{epoch}.png", photos(1, 100, rng)[0])
    run = Run.open(folder)
    assert run.sample_steps() == []
    assert any("no size of tiles fits" in note for note in run.sample_notes)


def test_few_tiles_are_said(tmp_path: Path) -> None:
    folder = judged(tmp_path / "theirs", lambda rng: digits(rng)[:16], steps=6)
    assert any("16 samples a step, and 20" in note for note in Run.open(folder).sample_notes)


def test_one_series_of_files_is_taken(tmp_path: Path) -> None:
    folder = judged(tmp_path / "theirs", digits, steps=5)
    judged(folder, digits, steps=3, name="images/other_{}.png")
    (notes,) = (n for n in Run.open(folder).notes if "not used as samples" in n)
    assert "images/other_#.png" in notes


def test_diagnose_notes_them_without_pillow(tmp_path: Path, reals: Path) -> None:
    folder = judged(tmp_path / "theirs", digits, steps=4)
    code = BLOCK.format(names=NOT_NEEDED, path=str(folder))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "4 files of samples" in done.stdout
    assert "--reference FOLDER" in done.stdout
    notes = diagnose(folder, reference=reals).notes
    assert any(f"holds them against {reals}" in note for note in notes)


def test_a_reference_that_cannot_be_used(tmp_path: Path, reals: Path) -> None:
    folder = judged(tmp_path / "theirs", digits, steps=4)
    (tmp_path / "empty").mkdir()
    for command in ("evaluate", "diagnose"):
        for place, words in (("nowhere", "no such file"), ("empty", "holds no pictures")):
            done = dlcc(command, folder, "--reference", tmp_path / place, cwd=tmp_path)
            assert_one_sentence(done, 2, f"--reference {tmp_path / place}", words)
    with pytest.raises(OptionError, match="leave --reference out"):
        Run.open(example("digits-healthy"), reference=reals)
    bare = losses(tmp_path / "bare")
    assert any("nothing to be held against" in n for n in Run.open(bare, reference=reals).notes)


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """A picture whose header may promise what it likes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def whole_png(folder: Path) -> bytes:
    return (folder / "samples" / "epoch_001.png").read_bytes()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: whole_png(f)[:-200], "no whole PNG"),
        (lambda f: b"", "no whole PNG"),
        (lambda f: b"GIF89a" + bytes(100), "no whole PNG"),
        (lambda f: png(2**31 - 1, 2**31 - 1), "pixels"),
        (lambda f: png(10_000, 10_000, zlib.compress(bytes(10**6))), "pixels"),
        (lambda f: png(5_000, 5_000, zlib.compress(bytes(10**6))), "no whole PNG"),
        (lambda f: png(90, 90, zlib.compress(bytes(91 * 90))), "do not fill"),
    ],
    ids=["cut", "empty", "other format", "huge header", "bomb", "large bomb", "other size"],
)
def test_hostile_pictures_are_left_out(
    tmp_path: Path, spoil: Callable[[Path], bytes], words: str
) -> None:
    folder = judged(tmp_path / "theirs", digits, steps=6)
    (folder / "samples" / "epoch_003.png").write_bytes(spoil(folder))
    run = Run.open(folder)
    with pytest.raises(SnapshotError, match=words):
        run.samples(300)
    samples = Samples.of(run, until=None)
    assert samples is not None
    assert samples.steps == (100, 200, 400, 500, 600)
    assert [*samples.damaged] == ["samples/epoch_003.png"]


def npy_header(shape: str, descr: str = "<f8") -> bytes:
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head


def archive(body: bytes) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("samples.npy", body)
    return written.getvalue()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (npy_header("(1000000, 1000000)"), "its header states"),
        (npy_header("(40, 8)") + bytes(100), "its header states"),
        (npy_header("(2,)", "|O"), "rows"),
        (npy_header("(-5, 8)"), "expected rows"),
        (archive(npy_header("(4096, 65536)") + bytes(2**20)), "its header states"),
        (archive(npy_header("(40, 8)") + bytes(40 * 64))[:-30], "no whole"),
        (b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 60_000, "no whole"),
        (b"PK\x03\x04" + bytes(50), "no whole"),
    ],
    ids=["claims", "short", "pickles", "negative", "zipped claims", "cut zip", "nested", "no zip"],
)
def test_hostile_arrays_are_left_out(tmp_path: Path, body: bytes, words: str) -> None:
    folder = losses(tmp_path / "theirs")
    for step in (500, 1_000, 1_500):
        np.save(folder / f"samples_{step}.npy", np.zeros((32, 8)))
    (folder / "samples_1000.npy").write_bytes(body)
    run = Run.open(folder)
    with pytest.raises(SnapshotError, match=words):
        run.samples(1_000)
    assert run.samples(500).shape == (32, 8)


def test_thousands_of_files_links_and_pipes(tmp_path: Path) -> None:
    folder = losses(tmp_path / "theirs")
    (folder / "samples").mkdir()
    for at in range(5_200):
        (folder / "samples" / f"{at:05d}.png").touch()
    (folder / "images").symlink_to(folder / "samples")
    os.mkfifo(folder / "fakes000001.png")
    run = Run.open(folder)
    assert any("more than 5,000 pictures" in note for note in run.notes)
    assert run.sample_steps() == []
    assert run.contents.samples_digest([]) == run.contents.samples_digest([])


def test_data_sets_beside_a_record_are_no_samples(tmp_path: Path) -> None:
    folder = losses(tmp_path / "theirs")
    for at in range(30):
        save(folder / "data" / f"{at}.png", DIGITS[at])
    assert not any("files of samples" in note for note in Run.open(folder).notes)


def test_wrong_suffix_is_read_by_content(tmp_path: Path) -> None:
    folder = judged(tmp_path / "theirs", digits, steps=5)
    wrong = folder / "samples" / "epoch_002.png"
    with Image.open(wrong) as picture:
        picture.load()
        picture.save(wrong, "BMP")
    run = Run.open(folder)
    assert run.samples(200).shape == (64, 8, 8)
