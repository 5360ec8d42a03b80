"""Deconvolution: at a ReLU the gradient passes where it is positive, whatever the input was.

Zeiler & Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014. Only ReLUs are changed; ReLU6, leaky and
smooth activations keep their derivative. Without a ReLU the answer is the gradient.
"""

from __future__ import annotations

from workers.inside.backward.rectified import Rectifying


class Mode(Rectifying):
    """R_in = R_out [R_out > 0]."""

    method = "deconvolution"
    guided = False
