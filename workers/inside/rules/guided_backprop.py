"""Guided backpropagation: at a ReLU the gradient passes where the input and the gradient itself are positive.

Springenberg et al., Striving for Simplicity: The All Convolutional Net, ICLR workshop 2015. Only ReLUs are changed; ReLU6,
leaky and smooth activations keep their derivative. Without a ReLU the answer is the gradient.
"""

from __future__ import annotations

from workers.inside.backward.rectified import Rectifying


class Mode(Rectifying):
    """R_in = R_out [R_out > 0] [x > 0]."""

    method = "guided_backprop"
    guided = True
