"""Eigen-CAM: the first principal component of a layer's maps. No class and no gradient is in it.

Places are samples and channels are features, centred as usual; a component's sign is free: it is chosen so that the map grows
with the layer's total activation.

"""

from __future__ import annotations

import numpy as np

from workers.game import Explaining, Game, Params
from workers.maps import cam, channels_of, drawn, look

SPEC = cam(
    name="eigen_cam",
    title="Eigen-CAM",
    summary="What a layer sees, whatever the target: the first principal component of its maps.",
    reference="Muhammad & Yeasin, Eigen-CAM, IJCNN 2020",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: one look at the layer."""
    answer = yield look(game, gradients=False)
    layer = game.layers[0]
    activation = channels_of(layer, answer.activations[layer.path])
    places = activation.reshape(len(activation), -1).T
    centred = places - places.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    raw = (centred @ directions[0]).reshape(activation.shape[1:])
    raw = raw if (raw * activation.sum(axis=0)).sum() >= 0 else -raw
    return drawn(game, raw, params)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
