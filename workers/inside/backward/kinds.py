"""Torch's functions by what they do, under their plain names: what rules are chosen by."""

from __future__ import annotations

PROPERTIES = frozenset(f"{name}.__get__" for name in ("T", "mT", "H", "mH"))

MOVES = frozenset({
    "view", "reshape", "flatten", "unflatten", "view_as", "reshape_as", "_unsafe_view", "ravel",
    "transpose", "permute", "movedim", "t", "adjoint", "unsqueeze", "squeeze", "expand", "expand_as", "broadcast_to",
    "select", "narrow", "slice", "getitem", "index", "index_select", "gather", "take_along_dim", "diagonal",
    "split", "split_with_sizes", "chunk", "tensor_split", "unsafe_chunk", "unsafe_split", "unbind", "unfold",
    "cat", "stack", "hstack", "vstack", "roll", "flip", "repeat", "tile", "repeat_interleave",
    "pad", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d",
    "replication_pad1d", "replication_pad2d", "replication_pad3d", "_pad_circular",
    "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle", "im2col", "tril", "triu",
    "contiguous", "clone", "to", "_to_copy", "type", "type_as", "float", "double", "half", "bfloat16", "cpu", "cuda", "alias",
    "positive", "lift_fresh_copy", "requires_grad", "masked_fill",
    "setitem", "copy", "fill", "zero", "index_put", "slice_scatter", "select_scatter", "index_copy", "index_fill", "scatter",
    "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d",
})  # fmt: skip
"""The same elements, elsewhere, once or several times or not at all."""

DROPOUTS = frozenset({"dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout", "native_dropout"})
"""Nothing, in evaluation mode."""

SUMS = frozenset({
    "add", "sub", "rsub", "sum", "mean", "cumsum", "diff", "trace", "lerp",
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d",
    "upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d", "upsample_bicubic2d", "_upsample_bilinear2d_aa",
    "_upsample_bicubic2d_aa", "grid_sampler", "grid_sampler_2d", "col2im", "index_add", "scatter_add", "nansum",
})  # fmt: skip
"""Sums with fixed weights, but those of layers."""

CONVOLUTIONS = frozenset({
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "convolution",
})  # fmt: skip
NORMS_BY_NUMBERS = frozenset({"batch_norm", "native_batch_norm"})
"""Batch normalisation by its running statistics is a scale and a shift."""

PRODUCTS = frozenset({"mul", "matmul", "mm", "bmm", "mv", "dot", "inner", "outer", "einsum", "rmatmul"})
"""Linear in each of two factors."""

ACTIVATIONS = frozenset({
    "relu", "relu6", "elu", "selu", "celu", "leaky_relu", "prelu", "_prelu_kernel", "rrelu", "gelu", "sigmoid", "tanh", "silu",
    "mish", "softplus", "softsign", "hardtanh", "hardsigmoid", "hardswish", "hardshrink", "softshrink", "tanhshrink",
    "threshold", "logsigmoid", "logit",
})  # fmt: skip
ELEMENTWISE = ACTIVATIONS | frozenset({
    "exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sqrt", "rsqrt", "reciprocal", "square", "abs", "pow", "rpow",
    "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "erf", "erfc", "sinc",
    "sign", "sgn", "round", "floor", "ceil", "trunc", "frac", "clamp", "clamp_min", "clamp_max", "nan_to_num",
    "logaddexp", "logaddexp2", "remainder", "fmod", "float_power", "rdiv",
})  # fmt: skip
"""One number in, one number out, where the other arguments do not depend on the inputs."""

POOLS_OF_MAXIMA = frozenset(
    f"{adaptive}max_pool{rank}d{more}" for adaptive in ("", "adaptive_") for rank in (1, 2, 3) for more in ("", "_with_indices")
)
