"""Players that break at extremes are found with their input; sound ones are left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.execution import PLAYERS, codes_of, tried
from dlcc.sandbox import Level
from dlcc.sandbox.recorded_call import CallTensor
from dlcc.stages.execution.inputs import Variant, one_row, variants
from dlcc.stages.execution.slopes import NOISES, measure_slopes
from tests.sandbox.in_process import InProcessSession

CONFIG = {"width": 8, "side": 8, "batch": 6, "seed": 3}


def outcome(file: str, case: str, **config: Any) -> Any:
    files = {f"source/{path.name}": path for path in PLAYERS.glob("*.py")}
    with InProcessSession(files, Level.NONE) as session:
        return tried(session, file, {**CONFIG, **config, "case": case})


@pytest.mark.parametrize(
    ("case", "code", "name"),
    [
        ("contrast_without_epsilon", "EXE011", "least"),
        ("squeezed_batch", "EXE011", "batch of one"),
        ("missing_class", "EXE011", "class 9"),
        ("condition_without_epsilon", "EXE011", "0 in [0]['condition']"),
        ("unclamped_vae", "EXE006", "1e6"),
        ("batch_norm_of_one", "EXE012", "batch of one in training"),
        ("dead_generator", "EXE013", "as recorded"),
        ("jagged_judge", "EXE014", ""),
    ],
)
def test_a_fault_is_found_with_its_input(case: str, code: str, name: str) -> None:
    (found,) = outcome("faulty", case)
    assert code in codes_of([found]), found
    broken = {*found.failing, *found.overflowing, *found.errors, *found.same}
    assert not name or name in broken


@pytest.mark.parametrize(
    "case",
    [
        "conditional_generator",
        "transformer",
        "unet",
        "vae",
        "from_dict",
        "denoiser",
        "recurrent_tokens",
    ],
)
def test_a_sound_player_is_left_alone(case: str) -> None:
    (found,) = outcome("sound", case)
    assert codes_of([found]) == []
    assert found.reason is None
    assert len(found.finite) > 30
    if case == "recurrent_tokens":  # nothing to differentiate by
        return
    assert found.slopes is not None
    assert found.slopes.norms.keys() == {"0", *(f"{size:g}" for size in NOISES)}


def test_rubbish_is_named() -> None:
    (found,) = outcome("hostile", "returns_another_shape")
    assert codes_of([found]) == ["EXE011", "EXE012"]
    assert "shapes [()], not [(6, 2)]" in found.errors["0"]
    (found,) = outcome("hostile", "returns_words")
    assert "not [(6, 2)]" in found.errors["mean"]


def floats(values: Any, name: str = "[0]") -> CallTensor:
    return CallTensor(name, "float32", None, np.asarray(values, np.float32))


def test_inputs_near_the_recorded_ones_lie_in_their_range() -> None:
    recorded = [floats(np.linspace(0.5, 2, 24).reshape(4, 6)), floats([[1.0], [2], [3], [4]], "y")]
    made = list(variants(recorded, np.random.default_rng(0)))
    for variant in made:
        inside = all(
            (a >= t.values.min()).all() and (a <= t.values.max()).all()
            for a, t in zip(variant.tensors, recorded, strict=True)
        )
        assert inside == variant.near, variant.name
        for array, tensor in zip(variant.tensors, recorded, strict=True):
            assert array.shape == tensor.values.shape
            assert array.dtype == tensor.values.dtype
            assert variant.beyond or (array > 0).all()  # what has no other sign is not asked for
    names = [variant.name for variant in made]
    assert len(names) == len(set(names))


def test_classes_are_those_of_the_table_and_of_the_batch() -> None:
    labels = np.array([0, 2, 2, 5])

    def classes(tensor: CallTensor) -> set[int]:
        made: list[Variant] = list(variants([tensor], np.random.default_rng(0)))
        assert all(variant.near for variant in made)
        return {int(value) for variant in made for value in variant.tensors[0]}

    assert classes(CallTensor("y", "int64", 7, labels)) == set(range(7))
    assert classes(CallTensor("y", "int64", None, labels)) == {0, 2, 5}


def test_what_is_told_of_classes_and_types_is_not_trusted() -> None:
    rng = np.random.default_rng(0)
    bytes_ = CallTensor("y", "uint8", 10**15, np.array([1, 2], np.uint8))
    assert max(int(v.tensors[0].max()) for v in variants([bytes_], rng)) == 255
    half = CallTensor("x", "float16", None, np.linspace(-1, 1, 6, dtype=np.float32))
    beyond = {v.name for v in variants([half], rng) if v.beyond}
    assert {"1e6", "-1e6", "inf"} <= beyond
    assert "1e3" not in beyond


def test_a_mask_is_left_as_it_is_and_has_no_single_row() -> None:
    mask = floats(np.where(np.eye(3) > 0, -np.inf, 0.0), "mask")
    assert list(variants([mask], np.random.default_rng(0))) == []
    assert one_row([mask], 3) is None
    assert one_row([floats(np.ones((3, 2)))], 3) is not None


def test_slopes_are_those_of_a_linear_map() -> None:
    rng = np.random.default_rng(1)
    matrix = rng.standard_normal((5, 3))

    def call(inputs: Any, weights: Any) -> Any:
        return [inputs[0] @ matrix], [w @ matrix.T for w in weights]

    slopes = measure_slopes(call, [rng.standard_normal((16, 5))], rng)
    assert slopes is not None
    largest = np.linalg.norm(matrix, 2)
    assert slopes.local == pytest.approx(largest, rel=0.02)
    assert slopes.pairs is not None
    assert 0.5 * largest < slopes.pairs <= largest * (1 + 1e-9)
    assert {round(norm.mean or 0.0, 9) for norm in slopes.norms.values()} != {0.0}
    assert slopes.growth is None  # of an ordinary size
