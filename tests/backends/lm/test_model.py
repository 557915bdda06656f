"""The decoder: any stack of mixers is causal, its trace tells what it did, and sizes are what they are said to be."""
import pytest
import torch
from torch.nn import functional as F

from backends.lm.model import Config, Decoder

SMALL = {"width": 32, "heads": 2, "hidden": 48}


def decoder(**given) -> Decoder:
    torch.manual_seed(0)
    return Decoder(Config(**SMALL | given)).eval()


@pytest.mark.parametrize("mixers", [("softmax", "diag"), ("elu1", "norm"), ("performer", "ssd"), ("lti", "softmax")])
def test_no_stack_of_mixers_sees_the_future(mixers):
    model, tokens = decoder(mixers=mixers, routed=(1,)), torch.arange(80)[None]
    before = model(tokens)
    changed = tokens.clone()
    changed[:, 60:] = 0
    assert torch.allclose(model(changed)[:, :60], before[:, :60], atol=1e-5)
    assert not torch.allclose(model(changed), before, atol=1e-3)


def test_a_short_convolution_stays_causal_and_sees_the_token_before():
    model, tokens = decoder(mixers=("diag",), conv=4), torch.arange(20)[None]
    changed = tokens.clone()
    changed[:, 10] = 200
    moved = (model(changed) - model(tokens)).abs().amax(-1)[0]
    assert (moved[:10] < 1e-5).all() and (moved[10:14] > 1e-4).all()


def test_the_trace_tells_loss_and_the_matrix_of_each_attention_layer():
    model, tokens = decoder(mixers=("softmax", "ssd", "norm")), torch.arange(40)
    trace = model.trace(tokens)
    assert torch.allclose(trace.loss, F.cross_entropy(model(tokens[None])[0, :-1], tokens[1:], reduction="none"),
                          atol=1e-5)
    assert [layer.kind for layer in trace.layers] == ["softmax", "norm"]
    for layer in trace.layers:
        assert (layer.matrix @ layer.v - layer.y).norm() < 1e-5 * layer.y.norm()
    at_one = model.trace(tokens[:1])
    assert at_one.loss.shape == (0,) and at_one.layers[0].matrix.shape == (1, 2, 1, 1)


def test_the_softmax_trace_holds_rotated_queries_and_keys():
    layer = decoder(mixers=("softmax",)).trace(torch.arange(30)).layers[0]
    y = F.scaled_dot_product_attention(layer.q, layer.k, layer.v, is_causal=True)
    assert torch.allclose(y, layer.y, atol=1e-5)


def test_experts_replace_the_feed_forward_where_asked_and_report_their_routing():
    model, tokens = decoder(mixers=("softmax", "softmax"), routed=(1,), experts=4), torch.arange(12)[None]
    logits, routings = model.run(tokens)
    assert logits.shape == (1, 12, 256) and len(routings) == 1 and routings[0].chosen.shape == (12, 2)


def test_the_tied_embedding_is_one_tensor_and_an_unknown_mixer_is_refused():
    assert sum(p.shape == (256, 32) for p in decoder().parameters()) == 1
    with pytest.raises(ValueError, match="no mixer called 'magic'"):
        decoder(mixers=("magic",))


def test_an_untrained_decoder_starts_near_the_uniform_loss():
    loss = decoder(width=128, heads=4).trace(torch.arange(200) % 256).loss.mean()
    assert 5.0 < loss < 6.5
