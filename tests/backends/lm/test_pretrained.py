"""Every family of real models, as tiny random networks: our attention from the q, k, v of a forward pass against
transformers' own eager one."""
import pytest
import torch

from backends.lm import pretrained
from tests.families import FAMILIES, TOKENS, network

TEXT = TOKENS[:1, :40]


@pytest.mark.parametrize("name", FAMILIES)
def test_attention_from_the_captured_parts_is_transformers_own(name):
    theirs = network(name)
    with torch.no_grad():
        truth = theirs(TEXT, use_cache=False, output_attentions=True)
    pretrained.register()
    theirs.set_attn_implementation(pretrained.NAME)
    ours = pretrained.held(theirs)
    heads, logits = pretrained.caught(ours, TEXT[0])
    assert (logits - truth.logits[0]).abs().max() < 1e-4 and truth.logits.std() > 0.1
    for one, weights in zip(heads, truth.attentions, strict=True):
        assert (pretrained.weights(one) - weights[..., :40]).abs().max() < 1e-4
    with torch.no_grad(), pretrained.attending(lambda h: pretrained.wide(h.v, h.q.shape[1])):
        assert (ours(TEXT, use_cache=False).logits - truth.logits).abs().max() > 0.1


@pytest.mark.parametrize("name", ["llama", "phi3-partial", "gpt_neox", "deepseek_v3", "olmo2"])
def test_clocks_are_held_still_or_set_to_other_rates(name):
    """At the model's own rates nothing changes; without any the order of the tokens before the last is not seen."""
    pretrained.register()
    theirs = network(name)
    theirs.set_attn_implementation(pretrained.NAME)
    ours = pretrained.held(theirs)
    own = ours.base_model.rotary_emb.own.inv_freq
    with torch.no_grad():
        truth = ours(TEXT, use_cache=False).logits
        for turned, same in ((own, True), (own / 2, False), (False, False)):
            with pretrained.attending(pretrained.attended, turned):
                gap = (ours(TEXT, use_cache=False).logits - truth).abs().max()
            assert (gap < 1e-4) == same


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("window", [None, 1, 3, 9, 64])
@pytest.mark.parametrize("n", [12, 31])
def test_attention_in_pieces_that_fit_a_cache_is_the_whole(n, window, dtype, monkeypatch):
    """The naive weights in float64; 12 queries in pieces of 5, after other keys and as the whole text."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, heads, m, d) for heads, m, d in ((6, 12, 8), (3, n, 8), (3, n, 4)))
    exact = pretrained.Heads(0, q.double(), k.double(), v.double(), 8**-0.5, window)
    truth = pretrained.weights(exact).double() @ pretrained.wide(exact.v, 6)
    asked = pretrained.Heads(0, q.to(dtype), k.to(dtype), v.to(dtype), 8**-0.5, window)
    found = torch.cat([pretrained.near(asked, a, min(a + 5, 12)) for a in (0, 5, 10)], 2)
    bound = 1e-5 if dtype == torch.float32 else 0.05
    assert found.shape == (2, 6, 12, 4) and (found - truth).abs().max() < bound
    monkeypatch.setattr(pretrained, "NEAR", 5)
    assert (pretrained.attended(asked) - truth).abs().max() < bound
