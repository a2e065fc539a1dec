"""Training of many small GANs as one program.

GANs of one shape are trained together: their weights are stacked to [members, …], so that a
step is a few dozen operations for all of them. Each member is what it would be alone.
"""

from dlcc.ensembles.convolutional.ensemble import ConvEnsemble, by_conv_shape
from dlcc.ensembles.ensemble import Ensemble, by_shape
from dlcc.ensembles.trajectories import Trajectories, train_ensemble

__all__ = [
    "ConvEnsemble",
    "Ensemble",
    "Trajectories",
    "by_conv_shape",
    "by_shape",
    "train_ensemble",
]
