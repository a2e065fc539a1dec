"""Codebooks of which few codes are in use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlcc.detect import TrainingRecord, detect
from dlcc.diagnosis import diagnose
from dlcc.runs.series import Series
from dlcc.typing import Floats

N = 100
T = np.linspace(0, 1, N)


def codes(size: int | None = None, **series: Floats) -> set[str]:
    columns = {f"model/{name}": values for name, values in series.items()}
    settings: dict[str, object] = {} if size is None else {"model.num_embeddings": size}
    record = TrainingRecord(Series.from_start(columns), settings=settings)
    return {finding.code for finding in detect(record).findings} & {"VQC001", "VQC002"}


def perplexity(first: float, last: float, seed: int = 0) -> Floats:
    noise = np.exp(0.03 * np.random.default_rng(seed).normal(size=N))
    return np.maximum(1.0, (last + (first - last) * np.exp(-8 * T)) * noise)


@pytest.mark.parametrize("size", [None, 512])
def test_one_code_is_a_dead_codebook(size: int | None) -> None:
    assert codes(size, perplexity=perplexity(300, 1.0)) == {"VQC001"}
    assert codes(size, perplexity=np.full(N, 1.0)) == {"VQC001"}


def test_few_codes_are_told_where_the_size_is_known() -> None:
    steady = perplexity(20, 18)
    assert codes(1024, perplexity=steady) == {"VQC002"}
    assert codes(None, perplexity=steady) == set()
    assert codes(64, perplexity=steady) == set()
    assert codes(16384, perplexity=perplexity(900, 500)) == set()  # 64 % of the bits
    assert codes(32, perplexity=2.5 + 0.1 * np.sin(40 * T)) == {"VQC002"}


def test_a_codebook_that_was_once_in_use_needs_no_size() -> None:
    assert codes(None, perplexity=perplexity(400, 12)) == {"VQC002"}
    assert codes(None, perplexity=perplexity(400, 120)) == set()


def test_the_onset_is_where_the_codes_were_lost() -> None:
    lost = np.where(np.arange(N) < 60, 200.0, 1.0) + 0.01 * np.random.default_rng(0).random(N)
    (found,) = detect(TrainingRecord(Series.from_start({"model/perplexity": lost}))).findings[:1]
    assert (found.code, found.first_step) == ("VQC001", 60)


def test_codes_that_are_still_taken_into_use_are_no_fault() -> None:
    assert codes(8192, perplexity=np.linspace(1, 40, N)) == set()
    assert codes(512, perplexity=perplexity(1, 310)) == set()


def test_a_share_of_codes_in_use() -> None:
    assert codes(None, codebook_usage=perplexity(0.9, 0.4) / 3) == set()
    share = np.linspace(0.9, 0.4, N)
    assert codes(None, codebook_usage=share) == set()
    assert codes(None, codebook_usage=0.03 + 0.001 * np.sin(50 * T)) == {"VQC002"}
    assert codes(512, codebook_usage=np.full(N, 1 / 512)) == {"VQC001"}


def test_two_codes_are_all_of_a_codebook_of_two() -> None:
    assert codes(2, perplexity=np.full(N, 1.6)) == set()


@pytest.mark.parametrize("seed", range(20))
def test_noise_at_a_level_that_a_codebook_has_is_no_fault(seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert codes(512, perplexity=np.exp(rng.normal(5, 0.5, size=N))) == set()


def test_rows_at_their_codes_with_nothing_learnt() -> None:
    rng = np.random.default_rng(0)
    flat = 1 + 0.05 * rng.normal(size=N)
    distance = np.exp(-12 * T)
    assert codes(None, codebook=distance, reconstruction=flat, loss=flat) == {"VQC002"}
    assert codes(None, codebook=distance, loss=flat - T) == set()
    assert codes(None, codebook=distance + 0.1, loss=flat) == set()


def test_a_bare_perplexity_is_the_codebooks_beside_a_commitment_loss(tmp_path: Path) -> None:
    rows = [f"{i},{1 + 0.9**i},{0.25 * 0.9**i},{1 + 90 * 0.8**i}" for i in range(60)]
    (tmp_path / "log.csv").write_text("\n".join(["epoch,loss,commitment_loss,perplexity", *rows]))
    found = diagnose(tmp_path / "log.csv")
    assert "model/perplexity" in found.record.series
    assert [f.code for f in found.assessment.findings][:1] == ["VQC001"]


def test_the_size_is_read_from_the_configuration_beside_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model": {"n_embed": 4096}}')
    rng = np.random.default_rng(0)
    rows = [f"{i},{1 + 0.9**i},{20 + rng.random()}" for i in range(60)]
    (tmp_path / "log.csv").write_text("\n".join(["epoch,loss,vq_perplexity", *rows]))
    assert "VQC002" in {f.code for f in diagnose(tmp_path).assessment.findings}
