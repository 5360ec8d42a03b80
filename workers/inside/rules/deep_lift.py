"""DeepLIFT with the Rescale rule: multipliers (f(x) - f(b)) / (x - b) through every function that is not linear.

Shrikumar, Greenside & Kundaje, Learning Important Features Through Propagating Activation Differences, ICML 2017. The batch is
n instance rows followed by n reference rows. A multiplier flows backwards in the instance half alone; what reaches the other
half is never read. Multiplied with x - b, they sum to f(x) - f(b): elementwise functions by the Rescale rule, products of two
varying tensors by their midpoint, maxima by their winners, softmax by its mean probabilities; normalisations, attention and
recurrent layers are written out in these, so that transformers and recurrent nets are explained completely too. What has no
rule is refused by name, and so are numbers made of the inputs that no derivative sees (masks, places, detached tensors), where
they differ between the halves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from workers.inside.backward import kinds, maxima, recurrence, softmaxes, steps, written_out
from workers.inside.backward.paired import WRITING, Paired
from workers.inside.backward.ruled import Rule


class Mode(Paired):
    """See the file's text. Raises OperationWithoutRule where the model does what has no rule."""

    method = "deep_lift"
    rules: ClassVar[Mapping[str, Rule]] = {
        **dict.fromkeys(kinds.ELEMENTWISE, steps.elementwise),
        **dict.fromkeys(kinds.PRODUCTS, steps.product),
        **dict.fromkeys(("add", "sub", "rsub"), steps.linear),
        **dict.fromkeys(kinds.CONVOLUTIONS | {"linear"}, steps.layer),
        **dict.fromkeys(kinds.NORMS_BY_NUMBERS, steps.batch_norm),
        **dict.fromkeys(kinds.DROPOUTS, steps.dropout),
        **dict.fromkeys(kinds.POOLS_OF_MAXIMA, maxima.pool),
        **dict.fromkeys(
            ("where", "masked_fill", "gather", "getitem", "index", "index_select", "take_along_dim", "lerp"), steps.chosen
        ),
        **dict.fromkeys(WRITING, steps.written),
        "div": steps.quotient,
        "rdiv": steps.quotient,
        "pow": steps.power,
        "float_power": steps.power,
        "maximum": steps.larger,
        "fmax": steps.larger,
        "minimum": steps.smaller,
        "fmin": steps.smaller,
        "amax": maxima.maximum_over,
        "max": maxima.maximum_over,
        "amin": maxima.minimum_over,
        "min": maxima.minimum_over,
        "softmax": softmaxes.softmax,
        "log_softmax": softmaxes.log_softmax,
        "logsumexp": softmaxes.logsumexp,
        "logaddexp": steps.logaddexp,
        "detach": Paired.constant,
        "data.__get__": Paired.constant,
    }
    plain = kinds.MOVES | kinds.SUMS | kinds.PROPERTIES | {"neg"}
    parts: ClassVar[Mapping[str, Callable[..., Any]]] = {
        **written_out.PARTS,
        "lstm": recurrence.lstm,
        "gru": recurrence.gru,
        "rnn_tanh": recurrence.rnn_tanh,
        "rnn_relu": recurrence.rnn_relu,
    }
