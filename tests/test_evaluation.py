"""What `dlcc.evaluate` gives back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import dlcc
from dlcc.records import HealthRecord, Reruns
from dlcc.report import Report
from tests.command import dlcc as dlcc_command


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> dlcc.Evaluation:
    """An evaluation of a bundled run by its health alone."""
    return dlcc.evaluate(
        Path(__file__).parent.parent / "runs" / "digits-collapsed", only=["health"]
    )


def test_it_has_the_report_and_the_records(evaluation: dlcc.Evaluation) -> None:
    assert isinstance(evaluation.report, Report)
    health = evaluation.record(HealthRecord)
    assert health is not None
    assert health.label == evaluation.report.verdict.label == "collapsed"
    assert evaluation.record(Reruns) is None


def test_its_texts_are_those_of_the_files(evaluation: dlcc.Evaluation, tmp_path: Path) -> None:
    again = dlcc.evaluate(evaluation.evaluated_run, only=["health"], out=tmp_path)
    assert (tmp_path / "report.json").read_text() == again.to_json()
    assert (tmp_path / "report.html").read_text() == again.to_html()
    read = Report.from_json(evaluation.to_json())
    assert read.verdict.sentence == evaluation.report.verdict.sentence


def test_a_notebook_shows_the_page_in_a_frame(evaluation: dlcc.Evaluation) -> None:
    shown = evaluation._repr_html_()  # the name that notebooks ask for
    assert shown.startswith("<iframe srcdoc=")
    assert "<h1" not in shown  # escaped: no tag of the page stands outside of the frame
    assert "Collapsed since step" in shown
    assert "script" not in shown.replace("script-src &#x27;none&#x27;", "")
    assert len(shown) < 500_000


def test_it_fits_a_line(evaluation: dlcc.Evaluation) -> None:
    assert (
        repr(evaluation)
        == f"<Evaluation of digits-collapsed: {evaluation.report.verdict.sentence}>"
    )


def test_attributes_of_the_report_can_be_read_for_a_version(evaluation: dlcc.Evaluation) -> None:
    with pytest.warns(DeprecationWarning, match=r"Evaluation.verdict is Evaluation.report.verdict"):
        assert evaluation.verdict is evaluation.report.verdict
    with pytest.warns(DeprecationWarning, match=r"report\.failed_stages"):
        assert evaluation.failed_stages == ()
    with pytest.warns(DeprecationWarning, match=r"Evaluation.run is Evaluation.report.run"):
        assert evaluation.run.recorded == evaluation.evaluated_run.length
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = evaluation.nonsense


CONFIG = {
    "data": "ring", "loss": "ns", "optimizer": "adam", "lr_g": 1e-3, "lr_d": 1e-3, "width": 32,
    "depth": 2,
}  # fmt: skip


def random_rows(folder: Path, seed: int) -> Path:
    """Record rows of random numbers around the equilibrium of the non-saturating game."""
    rng = np.random.default_rng(seed)
    with dlcc.Recorder(
        folder,
        config=CONFIG,
        objective={"kind": "gan", "loss": "ns"},
        data={"name": "ring"},
        length=1_000,
    ) as recorder:
        for step in range(1_000):
            d, g, dx, dz, real, fake = rng.normal(size=6)
            recorder.log(
                step,
                {
                    "discriminator/loss": 2 * np.log(2) + 0.1 * d,
                    "generator/loss": np.log(2) + 0.1 * g,
                    "discriminator/grad_norm": abs(1 + 0.1 * dx),
                    "generator/grad_norm": abs(1 + 0.1 * dz),
                    "discriminator/real": 0.5 + 0.05 * real,
                    "discriminator/fake": 0.5 + 0.05 * fake,
                },
            )
    return folder


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("seed", [0, 1])
def test_random_numbers_are_no_evidence(tmp_path: Path, seed: int) -> None:
    report = dlcc.evaluate(random_rows(tmp_path / "random", seed), only=["health"]).report
    assert (report.verdict.state, report.verdict.label) == ("unknown", None)
    assert report.value is None
    assert report.hyperscore is None
    assert report.diagnosis is not None
    assert report.diagnosis.to_know_more


@pytest.mark.usefixtures("in_process")
def test_what_lies_outside_of_the_domain_is_unknown_and_says_why(tmp_path: Path) -> None:
    """A log that names neither objective nor rates, as most do."""
    time = np.arange(400)
    rows = np.exp(-time / 100) + 0.05 * np.random.default_rng(0).normal(size=(2, 400))
    (tmp_path / "log.csv").write_text(
        "step,d_loss,g_loss\n"
        + "".join(f"{t},{1.3 + d},{0.8 + g}\n" for t, d, g in zip(time, *rows, strict=True))
    )
    verdict = dlcc.evaluate(tmp_path, only=["health"]).report.verdict
    assert verdict.state == "unknown"
    assert "outside of what was verified: the objective is not stated" in verdict.sentence


def bars(n: int, seed: int) -> np.ndarray:
    """Images [n, 1, 16, 16] of bars of any width and place."""
    rng = np.random.default_rng(seed)
    at, width = rng.uniform(0, 16, (2, n, 1, 1, 1))
    x = np.arange(16).reshape(1, 1, 1, 16)
    return np.asarray(np.tanh(width / 4 - np.abs(x - at)) + np.zeros((n, 1, 16, 16)))


def of_images(
    folder: Path, made: Callable[[int], np.ndarray], data: int = 400, every: int = 40
) -> Path:
    """Record a run whose samples at a step are made."""
    rng = np.random.default_rng(0)
    with dlcc.Recorder(
        folder, objective={"kind": "gan", "loss": "ns"}, length=400, reference=bars(data, 0)
    ) as recorder:
        for step in range(400):
            if step % every == every - 1:
                recorder.samples(step, made(step))
            recorder.log(step, {"generator/loss": 1 + rng.random(), "discriminator/loss": 1.2})
    return folder


@pytest.mark.usefixtures("in_process")
def test_images_are_judged_in_features_and_noise_over_them_is_seen(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    recorded = of_images(tmp_path / "good", lambda step: bars(80, step))
    spoilt = of_images(
        tmp_path / "noisy", lambda step: bars(80, step) + 0.5 * rng.normal(size=(80, 1, 16, 16))
    )
    good, noisy = (dlcc.evaluate(run, only=["health"]) for run in (recorded, spoilt))
    assert good.report.verdict.state == "healthy"
    assert noisy.report.verdict.state in ("suspect", "failed")
    p = noisy.report.verdict.p_healthy
    assert p is not None
    assert p.mean < 0.1
    [health] = [stage for stage in good.report.stages if stage.name == "health"]
    assert "untrained convolutional network" in str(health.details["judged_by"])


@pytest.mark.usefixtures("in_process")
def test_samples_that_still_get_better_are_untrained(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def nearer(step: int) -> np.ndarray:
        noise = 2.0 - step / 400
        return np.asarray(bars(80, step) + noise * rng.normal(size=(80, 1, 16, 16)))

    run = of_images(tmp_path / "run", nearer)
    verdict = dlcc.evaluate(run, only=["health"]).report.verdict
    assert (verdict.label, verdict.state) == ("untrained", "suspect")


def test_a_feature_function_of_ones_own_from_the_command_line(tmp_path: Path) -> None:
    of_images(tmp_path / "run", lambda step: bars(40, step), data=200, every=100)
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        "def rows(x): return x.mean(axis=2).reshape(len(x), -1)\n"
        "def lost(x): return np.full((len(x), 2), np.nan)\n"
    )

    def evaluated(function: str) -> subprocess.CompletedProcess[str]:
        asked = ("evaluate", "run", "--only", "health", "--features", function, "--json")
        return dlcc_command(*asked, cwd=tmp_path)  # the file is named as it lies there

    done = evaluated("mine.py:rows")
    assert done.returncode == 0, done.stderr
    assert "samples against the training data (mine.py:rows" in done.stdout
    if find_spec("efficientnet_lite_pytorch"):
        assert "EfficientNet-lite0 trained on ImageNet" in evaluated("pretrained").stdout
    for function, said in {
        "mine.py:lost": "values that are not finite",
        "mine.py:none": "has no function 'none'",
        "other.py:rows": "other.py cannot be read",
        "mine.py": "expected FILE.py:FUNCTION",
    }.items():
        refused = evaluated(function)
        assert refused.returncode == 2
        assert said in refused.stderr
        assert "Traceback" not in refused.stderr
