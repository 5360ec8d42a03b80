"""Layer-wise relevance propagation: the score is shared out among the inputs, layer by layer, backwards.

LRP is claimed by patents: whoever offers a service with it should know. An operator takes it out of the catalogue with
`EXPLAINERY_METHODS_OFF=lrp`.
"""

from __future__ import annotations

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec, Param
from explainery.contract.errors import InvalidParameter
from workers.game import Explaining, Game, Params
from workers.questions import Internals, Probe, Rules, Solution

COMPOSITES = (
    "epsilon", "zero", "gamma", "alpha_beta", "epsilon_plus", "epsilon_plus_flat", "epsilon_gamma_box",
    "epsilon_alpha2_beta1", "epsilon_alpha2_beta1_flat",
)  # fmt: skip
SPEC = MethodSpec(
    name="lrp",
    title="Layer-wise relevance propagation",
    summary=(
        "The output's score is handed back layer by layer, to each input what it contributed; without biases the relevances "
        "sum to the score. Explain logits, not probabilities. LRP is claimed by patents: an operator can switch it off "
        "(EXPLAINERY_METHODS_OFF)."
    ),
    asks=("internals",),
    smooth_inputs=True,
    params=(
        Param(
            name="composite",
            type="string",
            default="epsilon",
            choices=COMPOSITES,
            help=(
                "Rules by layer: one for all, or dense layers by epsilon, convolutions by plus (alpha 1, beta 0), gamma or "
                "alpha 2 beta 1, and the first layer flat or by box; epsilon_plus_flat suits pictures."
            ),
        ),
        Param(
            name="epsilon",
            type="number",
            default=1e-9,
            minimum=0,
            maximum=1e6,
            help="What absorbs weak relevance, in units of a layer's output.",
        ),
        Param(
            name="gamma",
            type="number",
            default=0.25,
            minimum=0,
            maximum=1e6,
            help="How much more a contribution of the output's own sign counts.",
        ),
        Param(
            name="alpha",
            type="number",
            default=2.0,
            minimum=1,
            maximum=1e3,
            help="The weight of positive contributions under alpha_beta; beta is alpha - 1.",
        ),
        Param(name="low", type="number", help="The lowest value an input may have, for box; the row's own when not given."),
        Param(name="high", type="number", help="The highest value an input may have, for box; the row's own when not given."),
    ),
    calls=Calls(gradients="1", shows="instance"),
    completeness=False,
    reference="Bach et al., Pixel-Wise Explanations by Layer-Wise Relevance Propagation, PLOS ONE 2015; Montavon et al. 2019",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: the relevance that arrives at x. Raises InvalidParameter."""
    low, high = params["low"], params["high"]
    if low is not None and high is not None and low >= high:
        errors = [{"loc": "params.low", "msg": "must be below high"}]
        raise InvalidParameter("Parameters of lrp cannot be used: low must be below high.", errors)
    answer = yield Internals(Probe(inputs=True, rules=Rules("lrp", tuple(sorted(params.items())))))
    return Solution(per_element=answer.sums)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
