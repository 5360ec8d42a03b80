"""HiResCAM: the maps of a layer times the gradient at each place.

M = ReLU(sum over channels k of dS/dA_k * A_k)

"""

from __future__ import annotations

from workers.game import Explaining, Game, Params
from workers.maps import cam, drawn, maps_and_gradients

SPEC = cam(
    name="hires_cam",
    title="HiResCAM",
    summary="Where a layer's maps speak for the target: maps times gradients, place by place.",
    reference="Draelos & Carin, Use HiResCAM instead of Grad-CAM, arXiv 2011.08891, 2020",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: one look at the layer."""
    activation, gradient = yield from maps_and_gradients(game)
    raw = (gradient * activation).sum(axis=0)
    return drawn(game, raw, params)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
