import pytest
import torch

from automl.ranking.blocks.plus_product import plus_product


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_is_addcmul_to_the_last_bit_and_so_are_its_gradients(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    given = [torch.randn(17, 33, generator=generator).to(dtype) for _ in range(4)]
    ours = [part.clone().requires_grad_() for part in given[:3]]
    theirs = [part.clone().requires_grad_() for part in given[:3]]
    out, expected = plus_product(*ours), torch.addcmul(*theirs)
    out.backward(given[3])
    expected.backward(given[3])
    assert torch.equal(out, expected)
    for one, other in zip(ours, theirs, strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert torch.equal(one.grad, other.grad)


def test_a_factor_that_is_also_what_is_added_gets_both_gradients() -> None:
    x = torch.tensor([[3.0]], requires_grad=True)
    plus_product(x, x, x).backward()
    assert x.grad is not None
    assert x.grad.item() == 1 + 2 * 3
