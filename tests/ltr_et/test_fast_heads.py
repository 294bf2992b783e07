import pytest
import torch

from ltr_et import fast_heads
from ltr_et.actors import ETActor

from .networks import feature_pairs, randomised


@pytest.fixture(scope="module")
def net():
    return randomised("et_tracker")


def gradients(module, inputs, output):
    weights = torch.linspace(-1, 1, output.numel()).view(output.shape)
    parameters = list(module.parameters())
    return torch.autograd.grad((output * weights).sum(), [inputs, *parameters], allow_unused=True)


@pytest.mark.parametrize(
    ("name", "channels"),
    [("cls_branch_1", 128), ("cls_branch_2", 256), ("cls_branch_3", 256), ("bbreg_branch_7", 192)],
    ids=["separable 5x5", "exemplar 5x5", "exemplar 3x3", "exemplar 5x5 narrow"],
)
def test_layers_equal_the_modules_in_value_and_gradient(net, name, channels):
    layer = getattr(net, name)
    x = torch.randn(3, channels, 8, 8, generator=torch.Generator().manual_seed(1))
    x.requires_grad_(True)
    fast = fast_heads.exemplar_layer if hasattr(layer, "V_dw") else fast_heads.separable
    expected = layer(x)
    actual = fast_heads.to_map(fast(layer, fast_heads.to_tokens(x)))
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=1e-4)
    for mine, theirs in zip(
        gradients(layer, x, actual), gradients(layer, x, expected), strict=True
    ):
        assert (mine is None) == (theirs is None)
        if mine is not None:
            assert (mine - theirs).norm() <= 1e-4 * theirs.norm() + 1e-6


@pytest.mark.parametrize("size", [3, 5])
def test_shifts_and_products_equal_the_grouped_convolution(size):
    generator = torch.Generator().manual_seed(2)
    tokens = torch.randn(2, 49, 6, generator=generator).requires_grad_()
    kernels = torch.randn(2, 6, size, size, generator=generator).requires_grad_()
    ways = fast_heads.shifted_depthwise, fast_heads.DepthwisePerSample.apply
    (mine, expected) = (way(tokens, kernels) for way in ways)
    torch.testing.assert_close(mine, expected, atol=1e-5, rtol=1e-5)
    weights = torch.linspace(-1, 1, mine.numel()).view(mine.shape)
    for first, second in zip(
        torch.autograd.grad((mine * weights).sum(), [tokens, kernels]),
        torch.autograd.grad((expected * weights).sum(), [tokens, kernels]),
        strict=True,
    ):
        torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("keep", [1.0, 0.5])
@pytest.mark.parametrize("name", ["cls_branch_2", "cls_branch_3"], ids=["5x5", "3x3"])
def test_autocast_is_near_in_value_and_gradient(net, name, keep, dtype):
    layer = getattr(net, name)
    x = torch.randn(2, 64, 256, generator=torch.Generator().manual_seed(1)).requires_grad_()
    expected = fast_heads.exemplar_layer(layer, x, keep=keep)
    with torch.autocast("cpu", dtype):
        actual = fast_heads.exemplar_layer(layer, x, keep=keep)
    torch.testing.assert_close(actual.float(), expected, atol=0.1, rtol=0.1)
    mine, theirs = (
        [g for g in gradients(layer, x, output) if g is not None] for output in (actual, expected)
    )
    assert {g.dtype for g in mine} == {torch.float32}
    ours, exact = (torch.cat([g.flatten() for g in found]) for found in (mine, theirs))
    assert torch.cosine_similarity(ours, exact, dim=0) > 0.99


@pytest.mark.parametrize("name", ["et_tracker", "et_s2", "et_template", "et_attention", "et_swin"])
def test_whole_heads_equal_the_network(name, net):
    net = net if name == "et_tracker" else randomised(name)
    data = feature_pairs(2, size=16)
    with torch.no_grad():
        fast = ETActor(net, fast=True).heads(data["z"], data["x"])
        plain = ETActor(net, fast=False).heads(data["z"], data["x"])
    torch.testing.assert_close(fast.logits, plain.logits, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(fast.distances, plain.distances, atol=1e-2, rtol=1e-3)
    assert len(fast.layers) == len(plain.layers) == 14


def test_batch_norm_in_train_mode_is_refused():
    norm = torch.nn.BatchNorm2d(4).train()
    with pytest.raises(RuntimeError, match="eval mode"):
        fast_heads.folded(norm)


@pytest.mark.parametrize("kind", [torch.nn.BatchNorm2d, torch.nn.SyncBatchNorm])
def test_frozen_batch_norm_is_folded(kind):
    scale, shift = fast_heads.folded(kind(4).eval())
    torch.testing.assert_close(scale, torch.ones(4))
    assert not shift.any()


def feed_forward_gradients(keep, grad):
    generator = torch.Generator().manual_seed(0)
    x, w1, b1, w2, b2 = (
        torch.randn(shape, generator=generator).requires_grad_(True)
        for shape in ((16, 6), (12, 6), (12,), (6, 12), (6,))
    )
    out = fast_heads.FeedForward.apply(x, w1, b1, w2, b2, keep)
    return torch.autograd.grad(out, [x, w1, b1, w2, b2], grad)


def test_sparse_backward_is_exact_where_the_gradient_is_sparse():
    grad = torch.zeros(16, 6)
    grad[[2, 7, 11]] = 1.0
    for part, whole in zip(
        feed_forward_gradients(0.25, grad), feed_forward_gradients(1.0, grad), strict=True
    ):
        torch.testing.assert_close(part, whole)


def test_sparse_backward_keeps_the_rows_with_the_largest_gradient():
    grad = torch.arange(1.0, 17.0)[:, None].expand(16, 6)
    kept = feed_forward_gradients(0.25, grad)[0].abs().sum(1) > 0
    assert kept.nonzero().flatten().tolist() == [12, 13, 14, 15]
