"""The operators against torchvision, against convolution, and against loops, on 5 x 9 maps in float64."""

import pytest
import torch
import torch.nn.functional as F
from torchvision.ops import deform_conv2d

from backends.deform import operators
from backends.deform.sampling import Window, corners, pack, sample, unpack
from tests.backends.deform import naive

WINDOWS = (
    Window(),
    Window((3, 3), (2, 1), (1, 2), (1, 2)),
    Window((2, 3), (1, 2), (0, 1), (1, 1)),
    Window((3, 1), (1, 1), (2, 0), (2, 1)),
)


def draw(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize(("groups", "offset_groups"), [(1, 1), (2, 1), (1, 2), (4, 4)])
@pytest.mark.parametrize("modulated", [False, True])
def test_torchvision_equals_grid_sample(window, groups, offset_groups, modulated):
    x, (ho, wo) = draw(0, 2, 4, 5, 9), window.size(5, 9)
    offset = 3 * draw(1, 2, 2 * offset_groups * window.taps, ho, wo)
    mask = draw(2, 2, offset_groups * window.taps, ho, wo).sigmoid() if modulated else None
    weight, bias = draw(3, 8, 4 // groups, *window.kernel), draw(4, 8)
    ours = operators.dcn_sampled(x, offset, weight, window, mask, bias)
    theirs = deform_conv2d(x, offset, weight, bias, window.stride, window.padding, window.dilation, mask)
    assert (ours - theirs).abs().max() < 1e-12
    assert torch.equal(operators.dcn(x, offset, weight, window, mask, bias), theirs)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_zero_offsets_are_a_convolution(window):
    x, weight = draw(0, 1, 4, 5, 9), draw(1, 6, 2, *window.kernel)
    zero = torch.zeros(1, 2 * window.taps, *window.size(5, 9), dtype=torch.float64)
    plain = F.conv2d(x, weight, None, window.stride, window.padding, window.dilation, 2)
    assert (operators.dcn(x, zero, weight, window) - plain).abs().max() < 1e-12


def test_half_modulation_is_half_a_convolution():
    x, weight = draw(0, 1, 2, 5, 9), draw(1, 2, 2, 3, 3)
    half = operators.dcn(x, torch.zeros(1, 18, 5, 9).double(), weight, Window(),
                         torch.zeros(1, 9, 5, 9).double().sigmoid())
    assert (2 * half - F.conv2d(x, weight, padding=1)).abs().max() < 1e-12


def test_a_translation_is_a_shifted_convolution_inside():
    x, weight = draw(0, 1, 2, 9, 12), draw(1, 3, 2, 3, 3)
    offset = torch.zeros(1, 9, 2, 9, 12).double()
    offset[:, :, 0], offset[:, :, 1] = 1, -2
    moved = operators.dcn(x, offset.flatten(1, 2), weight, Window())
    plain = F.conv2d(x, weight, padding=1)
    assert (moved[..., 1:-2, 3:-1] - plain[..., 2:-1, 1:-3]).abs().max() < 1e-12


@pytest.mark.parametrize(("at", "value"), [(-0.25, 0.75), (-0.5, 0.5), (-1.0, 0.0), (4.5, 0.5), (5.0, 0.0), (2.3, 1.0)])
def test_the_border_is_one_cell_soft(at, value):
    ones = torch.ones(1, 1, 5, 9).double()
    assert abs(sample(ones, torch.tensor([[[at, 4.0]]]).double()).item() - value) < 1e-12
    offset = torch.zeros(1, 2, 5, 9).double()
    offset[0, 0, 2, 4] = at - 2
    found = operators.dcn(ones, offset, torch.ones(1, 1, 1, 1).double(), Window((1, 1), padding=(0, 0)))
    assert abs(found[0, 0, 2, 4].item() - value) < 1e-12


@pytest.mark.parametrize("tap", range(9))
def test_channels_are_dy_then_dx_row_by_row(tap):
    x, offset = draw(0, 1, 1, 5, 9), torch.zeros(1, 18, 5, 9).double()
    weight = torch.zeros(1, 1, 3, 3).double()
    weight.view(-1)[tap] = 1
    offset[:, 2 * tap] = 1
    down = operators.dcn(x, offset, weight, Window())[0, 0, 1:3, 2:7]
    row, column = tap // 3 - 1, tap % 3 - 1
    assert torch.equal(down, x[0, 0, 2 + row : 4 + row, 2 + column : 7 + column])
    assert torch.equal(pack(unpack(draw(1, 2, 36, 5, 9), Window())), draw(1, 2, 36, 5, 9))


def test_bfloat16_works_on_a_cpu_and_bad_channels_are_told():
    x, weight = draw(0, 1, 2, 5, 9), draw(1, 2, 2, 3, 3)
    offset = draw(2, 1, 18, 5, 9)
    low = operators.dcn(*(t.bfloat16() for t in (x, offset, weight)), Window())
    assert low.dtype == torch.bfloat16 and low.isfinite().all()
    with pytest.raises(ValueError, match="multiple of 18"):
        operators.dcn_sampled(x, offset[:, :17], weight, Window())
    with pytest.raises(ValueError, match="does not fit"):
        Window((3, 3), padding=(0, 0), dilation=(3, 3)).size(5, 9)


def test_four_neighbours_share_one():
    for y, x in draw(0, 50, 2).mul(4).tolist():
        four = corners(y, x, 5, 9)
        plane = draw(1, 5, 9)
        assert abs(sum(c.weight for c in four) - 1) < 1e-12
        found = sum(c.weight * plane[c.row, c.column].item() for c in four if c.inside)
        assert abs(found - sample(plane[None, None], torch.tensor([[[y, x]]], dtype=torch.float64)).item()) < 1e-12


@pytest.mark.parametrize("window", WINDOWS[:2], ids=str)
@pytest.mark.parametrize(("scale", "center"), [(1.0, False), (1.7, False), (0.6, True)])
def test_dcnv3_equals_loops(window, scale, center):
    ho, wo = window.size(5, 9)
    taps = window.taps - center
    x, offset, logits = draw(0, 1, 4, 5, 9), 2 * draw(1, 1, ho, wo, 4 * taps), draw(2, 1, ho, wo, 2 * taps)
    ours = operators.dcnv3(x, offset, logits, window, 2, scale, center)[0]
    settings = window.kernel, window.stride, window.padding, window.dilation, 2, scale, center
    loops = naive.dcnv3(x[0].tolist(), offset[0].tolist(), logits[0].tolist(), *settings)
    assert (ours - torch.tensor(loops, dtype=torch.float64)).abs().max() < 1e-12


def test_dcnv3_of_a_constant_is_the_constant_inside():
    flat, offset = torch.full((1, 2, 9, 9), 7.0).double(), draw(0, 1, 9, 9, 18).clamp(-1, 1)
    found = operators.dcnv3(flat, offset, draw(1, 1, 9, 9, 9), Window(), 1)
    assert (found[..., 2:-2, 2:-2] - 7).abs().max() < 1e-12


@pytest.mark.parametrize("sides", [2, 4])
def test_msda_equals_loops(sides):
    sizes = [(5, 9), (3, 5)]
    values = [draw(i, 1, 2, 3, *size) for i, size in enumerate(sizes)]
    reference = draw(5, 1, 4, 2, sides).sigmoid()
    offset, raw = 2 * draw(6, 1, 4, 2, 2, 3, 2), draw(7, 1, 4, 2, 6)
    weights = raw.softmax(-1).unflatten(-1, (2, 3))
    assert (weights.sum((-1, -2)) - 1).abs().max() < 1e-12
    ours = operators.msda(values, operators.locations(reference, offset, sizes), weights)[0]
    loops = naive.msda([v[0].tolist() for v in values], reference[0].tolist(), offset[0].tolist(), weights[0].tolist())
    assert (ours - torch.tensor(loops, dtype=torch.float64)).abs().max() < 1e-12


def test_the_star_is_that_of_the_paper():
    star = operators.star(8, 4, 4)
    assert star.shape == (8, 4, 4, 2) and (star[:, 0] == star[:, 3]).all()
    expected = {0: (1, 0), 1: (1, 1), 2: (0, 1), 3: (-1, 1), 4: (-1, 0), 5: (-1, -1), 6: (0, -1), 7: (1, -1)}
    for head, way in expected.items():
        for point in range(4):
            assert (star[head, 0, point] - (point + 1) * torch.tensor(way)).abs().max() < 1e-12


@pytest.mark.parametrize("window", WINDOWS[:2], ids=str)
@pytest.mark.parametrize(("scale", "center"), [(1.0, False), (1.7, False), (0.6, True)])
def test_dcnv4_equals_loops(window, scale, center):
    ho, wo = window.size(5, 9)
    x, given = draw(0, 1, 4, 5, 9), 2 * draw(1, 1, ho, wo, 6 * (window.taps - center) + 2)
    ours = operators.dcnv4(x, given, window, 2, scale, center)[0]
    settings = window.kernel, window.stride, window.padding, window.dilation, 2, scale, center
    loops = naive.dcnv4(x[0].tolist(), given[0].tolist(), *settings)
    assert (ours - torch.tensor(loops, dtype=torch.float64)).abs().max() < 1e-12


def test_dcnv4_is_torchvision_s_operator_with_a_kernel_of_ones_and_is_linear_in_its_weights():
    x, given = draw(0, 1, 2, 5, 9), 2 * draw(1, 1, 5, 9, 27)
    moves, masks = (t.unflatten(-1, (3, 3, -1)).transpose(-3, -2) for t in (given[..., :18], given[..., 18:]))
    offset, mask = (t.flatten(3).movedim(-1, 1).contiguous() for t in (moves.flip(-1), masks))
    ones = torch.ones(2, 1, 3, 3).double()
    ours = operators.dcnv4(x, given, Window(), 1)
    assert (ours - deform_conv2d(x, offset, ones, padding=1, mask=mask)).abs().max() < 1e-12
    given[..., 18:] *= -5
    assert (operators.dcnv4(x, given, Window(), 1) + 5 * ours).abs().max() < 1e-12
