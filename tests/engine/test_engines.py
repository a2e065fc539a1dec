"""The same jobs give the same results in every engine, and a death costs nothing that is done."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dlcc.engine.engines import Engine, Local, Processes, RayCluster, engine_of
from dlcc.engine.jobs import Job
from dlcc.engine.results import complete
from dlcc.errors import LibraryError, LimitExceeded, OptionError, OutputError


def spectrum(seed: int, size: int) -> bytes:
    """Numbers whose last bits depend on how many threads add them up."""
    matrix = np.random.default_rng(seed).normal(size=(size, size))
    return np.linalg.eigvalsh(matrix @ matrix.T).tobytes()


def once_killed(marker: str) -> bytes:
    """A job during which its process is killed, the first time."""
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return b"done"


def always_killed() -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


def refused(number: int) -> bytes:
    raise LibraryError(f"job {number} cannot be done; leave it out")


def counted(folder: str, number: int) -> bytes:
    with (Path(folder) / "calls").open("a") as calls:
        calls.write(f"{number}\n")
    return str(number).encode()


@pytest.fixture
def cluster() -> Iterator[Engine]:
    """A cluster of this machine."""
    ray = pytest.importorskip("ray")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(
        num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error",
        runtime_env={"env_vars": {"PYTHONPATH": str(Path(__file__).parent.parent.parent)}},
    )  # fmt: skip
    yield RayCluster()
    ray.shutdown()


def test_processes_give_what_this_process_gives(tmp_path: Path) -> None:
    jobs = [Job(spectrum, {"seed": k, "size": 60}) for k in range(6)]
    here = complete(jobs, tmp_path / "here", Local())
    there = complete(jobs, tmp_path / "there", Processes(2))
    assert [file.name for file in here] == [file.name for file in there]
    assert [file.read_bytes() for file in here] == [file.read_bytes() for file in there]
    assert len({file.read_bytes() for file in here}) == 6


@pytest.mark.slow
def test_a_cluster_gives_what_this_process_gives(tmp_path: Path, cluster: Engine) -> None:
    jobs = [Job(spectrum, {"seed": k, "size": 60}) for k in range(20)]
    here = complete(jobs, tmp_path / "here", Local())
    there = complete(jobs, tmp_path / "there", cluster)
    assert [file.read_bytes() for file in here] == [file.read_bytes() for file in there]
    marker = str(tmp_path / "killed")
    (file,) = complete([Job(once_killed, {"marker": marker})], tmp_path, cluster)
    assert file.read_bytes() == b"done"
    with pytest.raises(LibraryError, match=r"^job 3 cannot be done; leave it out$"):
        complete([Job(refused, {"number": 3})], tmp_path, cluster)


def test_what_is_there_is_not_done_again(tmp_path: Path) -> None:
    def jobs(n: int) -> list[Job]:
        return [Job(counted, {"number": k}, {"folder": str(tmp_path)}) for k in range(n)]

    complete(jobs(3), tmp_path / "results", Local())
    said: list[str] = []
    files = complete(
        jobs(5), tmp_path / "results", Local(), lambda share, what: said.append(what), "numbers"
    )
    assert (tmp_path / "calls").read_text().split() == ["0", "1", "2", "3", "4"]
    assert [file.read_bytes() for file in files] == [b"0", b"1", b"2", b"3", b"4"]
    assert said[0] == "numbers: 0 of 2, in this process"
    assert said[-1].startswith("numbers: 2 of 2, ")
    assert said[-1].endswith(" a minute, 0 min left")


def test_another_argument_version_or_content_is_another_result() -> None:
    base = Job(spectrum, {"seed": 1, "size": 2}, {"folder": "a"})
    others = [
        Job(spectrum, {"seed": 1, "size": 3}),
        Job(refused, {"seed": 1, "size": 2}),
        Job(spectrum, {"seed": 1, "size": 2}, version="2"),
        Job(spectrum, {"seed": 1, "size": 2}, content="abc"),
    ]
    assert len({job.address for job in (base, *others)}) == 5
    assert Job(spectrum, {"size": 2, "seed": 1}, {"folder": "b"}).address == base.address


def test_a_killed_worker_costs_what_it_was_at(tmp_path: Path) -> None:
    jobs = [
        Job(once_killed, {}, {"marker": str(tmp_path / "marker")}),
        *(Job(spectrum, {"seed": k, "size": 5}) for k in range(4)),
    ]
    files = complete(jobs, tmp_path / "results", Processes(2))
    assert files[0].read_bytes() == b"done"
    assert all(file.exists() for file in files)


def test_a_worker_that_always_dies_ends_the_work_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(LimitExceeded, match="died three times in a row"):
        complete([Job(always_killed, {})], tmp_path, Processes(1))


@pytest.mark.parametrize("engine", [Local(), Processes(2)])
def test_an_error_of_a_job_ends_the_work_and_keeps_what_is_done(
    tmp_path: Path, engine: Engine
) -> None:
    jobs = [Job(spectrum, {"seed": 0, "size": 3}), Job(refused, {"number": 7})]
    with pytest.raises(LibraryError, match="job 7"):
        complete(jobs, tmp_path, engine)
    complete(jobs[:1], tmp_path, engine)
    assert [path.name for path in tmp_path.iterdir()] == [jobs[0].address]


def test_ctrl_c_leaves_whole_results_and_does_no_more(tmp_path: Path) -> None:
    def strike(share: float, what: str) -> None:
        if share > 0:
            raise KeyboardInterrupt

    jobs = [Job(counted, {"number": k}, {"folder": str(tmp_path)}) for k in range(30)]
    with pytest.raises(KeyboardInterrupt):
        complete(jobs, tmp_path / "results", Local(), strike)
    assert (tmp_path / "calls").read_text() == "0\n"
    assert [path.name for path in (tmp_path / "results").iterdir()] == [jobs[0].address]


def test_what_a_killed_driver_was_writing_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".some-result.999999999.writing").write_bytes(b"half")
    mine = tmp_path / f".other-result.{os.getpid()}.writing"
    mine.write_bytes(b"half")
    complete([], tmp_path, Local())
    assert [*tmp_path.iterdir()] == [mine]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        complete([], tmp_path / "file" / "results", Local())


@pytest.mark.parametrize("text", ["", "dask", "ray:/here", "ray://", "Local"])
def test_an_engine_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="expected local, processes, ray or ray://HOST:PORT"):
        engine_of(text)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Ray Client connection timed out")
def test_a_cluster_that_cannot_be_reached_is_named_in_a_sentence() -> None:
    pytest.importorskip("ray")
    started = time.monotonic()
    with pytest.raises(OptionError, match=r"ray://127\.0\.0\.1:1: no Ray cluster can be reached"):
        next(engine_of("ray://127.0.0.1:1").run([Job(always_killed, {})]))
    assert time.monotonic() - started < 120
