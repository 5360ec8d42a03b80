"""A method that does what native code can do to a worker: kill its process, or hang in C for ever."""

from __future__ import annotations

import ctypes
import os
import signal

import numpy as np

from explainery.contract.catalogue import MethodSpec, Param
from workers.game import Explaining, Game, Params
from workers.questions import Solution, Values

FOR_EVER_S = 10**6

SPEC = MethodSpec(
    name="treacherous",
    title="Treacherous",
    summary="What each feature adds to the baseline alone, if the worker lives to tell.",
    asks=("values",),
    params=(
        Param(name="deadly", type="boolean", default=False, help="Whether it kills its process."),
        Param(
            name="hangs",
            type="string",
            default="no",
            choices=("no", "released", "held"),
            help="Whether it sleeps for ever in C, with the interpreter's lock released or held.",
        ),
    ),
    completeness=False,
    reference="The tests of faults.",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: v({i}) - v({})."""
    if params["deadly"]:
        os.kill(os.getpid(), signal.SIGKILL)
    if params["hangs"] == "released":
        ctypes.CDLL(None).sleep(FOR_EVER_S)
    if params["hangs"] == "held":
        ctypes.PyDLL(None).sleep(FOR_EVER_S)
    values = yield Values(np.eye(game.players, dtype=bool))
    return Solution(per_player=values - game.baseline_output)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return players
