"""Operations of torch's aten library: which may be run again outside, and which make chance."""

from __future__ import annotations

_ARITHMETIC = """
abs add addcdiv addcmul addmm addmv addr atan atan2 baddbmm bmm ceil clamp clamp_max clamp_min cos
cosh cumsum div dot erf erfc exp exp2 expm1 floor fmod hypot lerp linalg_vector_norm log log10 log1p
log2 logaddexp logsumexp maximum mean minimum mm mul mv neg norm pow prod reciprocal remainder round
rsqrt rsub sgn sign sin sinh sqrt square std sub sum tan trace trunc var var_mean std_mean vdot
xlogy inner outer ger kron linalg_vecdot
amax amin max min median kthvalue argmax argmin cumprod cross linalg_cross positive frac
_cdist_forward _euclidean_dist _linalg_svd _linalg_det linalg_inv_ex trapezoid
_linalg_slogdet linalg_solve_triangular linalg_lu_factor_ex linalg_cholesky_ex
"""
_NETWORKS = """
_adaptive_avg_pool2d _adaptive_avg_pool1d adaptive_max_pool2d _log_softmax _softmax avg_pool2d
avg_pool1d binary_cross_entropy binary_cross_entropy_with_logits celu convolution col2im im2col elu
embedding gelu glu hardshrink hardsigmoid hardswish hardtanh huber_loss kl_div l1_loss leaky_relu
log_sigmoid log_sigmoid_forward max_pool2d_with_indices mish mse_loss multi_margin_loss
native_batch_norm _native_batch_norm_legit native_group_norm native_layer_norm nll_loss_forward
nll_loss2d_forward pixel_shuffle pixel_unshuffle prelu _prelu_kernel reflection_pad1d
reflection_pad2d relu relu6 replication_pad2d selu sigmoid silu smooth_l1_loss soft_margin_loss
softplus softshrink tanh threshold upsample_bilinear2d upsample_nearest1d upsample_nearest2d
upsample_bicubic2d constant_pad_nd _scaled_dot_product_flash_attention_for_cpu grid_sampler_2d
native_channel_shuffle channel_shuffle _weight_norm_interface
"""
_SHAPES = """
_reshape_alias _to_copy _unsafe_view alias cat chunk clone contiguous copy detach diagonal
diagonal_copy expand fill flatten flip gather index index_select lift lift_fresh lift_fresh_copy
masked_fill narrow permute repeat reshape roll select slice split split_with_sizes squeeze stack t
to transpose tril triu unbind unfold unsqueeze view view_as_real where zero unsafe_split
unsafe_chunk index_put scatter scatter_add index_add repeat_interleave expand_as one_hot
"""
_FACTORIES = """
arange empty_like eye full full_like linspace new_empty new_full new_ones new_zeros ones ones_like
scalar_tensor zeros zeros_like empty new_empty_strided empty_strided
"""
_LOGIC = """
any all bitwise_and bitwise_not bitwise_or bitwise_xor eq ge gt isfinite isinf isnan le logical_and
logical_not logical_or lt ne sort topk
"""
_CHANCE = """
bernoulli cauchy exponential geometric log_normal multinomial native_dropout normal
normal_functional poisson rand rand_like randint randint_like randn randn_like randperm random
uniform rrelu_with_noise
"""

PURE = frozenset("".join([_ARITHMETIC, _NETWORKS, _SHAPES, _FACTORIES, _LOGIC]).split())
"""Operations whose results follow from their arguments, and which touch nothing else."""
UNSET = frozenset(("empty_like", "new_empty", "empty", "new_empty_strided", "empty_strided"))
"""Operations whose numbers are whatever lay in the memory."""
LAYOUT = frozenset((*_SHAPES.split(), "index")) - {"fill", "zero", "masked_fill", "where"}
"""Operations that move numbers and change none."""
PICKS = frozenset(
    ("index", "index_select", "gather", "slice", "select", "narrow", "split", "unbind", "chunk")
)
"""Operations that take rows or parts out of a tensor."""
CHANCE = frozenset(_CHANCE.split())
"""Operations that draw random numbers."""
WITHOUT_SOURCE = frozenset(
    [*_FACTORIES.split(), "fill", "zero", "randn_like", "rand_like", "randint_like"]
)
"""Operations whose numbers do not depend on those of the tensor that they are asked of."""


def base_name(name: str) -> str:
    """Take the plain name of an operation: without library, overload, and sign of writing in place.

    >>> base_name("aten::add_.Tensor"), base_name("aten::mean"), base_name("mine::cost")
    ('add', 'mean', 'mine::cost')
    """
    library, _, rest = name.partition("::")
    if library != "aten":
        return name
    plain = rest.partition(".")[0]
    return plain.removesuffix("_") if not plain.endswith("__") else plain


def writes(name: str) -> bool:
    """Tell whether an operation writes its result into its first argument."""
    return name.partition("::")[2].partition(".")[0].endswith("_")
