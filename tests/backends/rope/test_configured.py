"""A model's own rule: ten real configurations against what is right, whole kinds of others, and every block against
what transformers makes of the same file."""
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from transformers import AutoConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from backends.lm import rotary
from backends.plain import numbers
from backends.rope import answer, blocks, frequencies, spelling
from backends.rope.config import compact, read_config
from backends.rope.families import DEFAULTS
from backends.rope.params import OWN, RopeParams

REAL = json.loads(Path(__file__).with_name("configs.json").read_text("utf-8"))
PLAIN = {"hidden_size": 4096, "num_attention_heads": 32, "max_position_embeddings": 4096, "rope_theta": 10000.0}
LISTS = {"short_factor": [1.0] * 48, "long_factor": [1.0 + pair for pair in range(48)]}
PHI = {"hidden_size": 3072, "num_attention_heads": 32, "max_position_embeddings": 131072, "rope_theta": 10000.0}
YARN = {"factor": 4.0, "original_max_position_embeddings": 4096}
NESTED = {"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
          "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}


def read(config, **more):
    return read_config(json.dumps(config | more))


def params_of(model, **more):
    return RopeParams(**{"view": "calculator", "method": OWN, "own": compact(model), "head_dim": model.head_dim,
                         "base": model.base, "trained": model.trained, "target": model.target, "tau": 32.0,
                         "methods": ("none", "pi")} | more)


def theirs(config, layers=None):
    """(theta, factor on cos and sin) of transformers for the longest texts of a file's model."""
    text = json.dumps(config).replace('"su"', '"longrope"')    # transformers misses the length beside a block called su
    made = AutoConfig.for_model(**json.loads(text))
    block = made.rope_parameters[layers] if layers else made.rope_parameters
    if block["rope_type"] == "default":
        d = int((made.__dict__.get("head_dim") or made.hidden_size // made.num_attention_heads)
                * block.get("partial_rotary_factor", 1.0))
        return 1.0 / block["rope_theta"] ** (torch.arange(0, d, 2) / d), 1.0
    return ROPE_INIT_FUNCTIONS[block["rope_type"]](made, None, seq_len=1 << 18, layer_type=layers)


@pytest.mark.parametrize("name", REAL)
def test_a_real_configuration_is_read_as_it_is_meant(name):
    config, expected = REAL[name]["config"], dict(REAL[name]["expected"])
    model = read(config)
    found = {"trained": model.trained, "target": model.target, "rotated": model.head_dim, "of": model.width,
             "base": model.base}
    for key, value in found.items():
        assert key not in expected or expected.pop(key) == value, key
    said = {"attn_factor is named and its meaning said (vLLM reads it, transformers reads attention_factor); it is not "
            "dropped in silence": "attn_factor 0.87825 is not used here: vLLM reads it and multiplies its factor on "
            "cos and sin by it, 1.1386 to 1; transformers reads attention_factor instead."}
    for wanted in (expected.pop("own", ""), expected.pop("says", "")):
        assert said.get(wanted, wanted) in model.notice
    assert expected == {}


@pytest.mark.parametrize("name", REAL)
def test_a_real_configuration_s_row_has_the_frequencies_of_transformers(name):
    config = REAL[name]["config"]
    model = read(config)
    theta, factor = theirs(config, "full_attention" if "gemma" in name else None)
    row = next(row for row in answer(params_of(model)).body.rows if row.name == OWN)
    assert ((row.theta - theta) / theta).abs().max() < 1e-6 and row.attention == pytest.approx(factor, rel=1e-6)
    assert row.logit == pytest.approx(factor**2 * model.softmax, rel=1e-6)
    assert row.block.items() <= config.items() and "rope_scaling" not in set(config) - set(row.block)
    assert sum(row.states.count(state) for state in ("stretched", "squeezed", "safe")) == model.head_dim // 2


def test_deepseek_s_softmax_factor_is_that_of_its_attention():
    from transformers.models.deepseek_v3.modeling_deepseek_v3 import yarn_apply_mscale

    for strength in (1.0, 0.707):
        config = json.loads(json.dumps(REAL["deepseek-v3"]["config"]))
        config["rope_scaling"] |= {"mscale": strength, "mscale_all_dim": strength}
        made = AutoConfig.for_model(**json.loads(json.dumps(config)))
        assert read(config).softmax == pytest.approx(yarn_apply_mscale(made.rope_parameters, 1.0), rel=1e-9)
    assert read(PLAIN, rope_scaling=YARN | {"type": "yarn", "mscale_all_dim": 1.0}).softmax == 1


def test_the_sliding_layers_of_gemma_have_a_row_of_their_own():
    model = read(REAL["gemma-3-4b-text"]["config"])
    rows = answer(params_of(model)).body.rows
    assert [row.label for row in rows[:2]] == ["as configured: linear, factor 8",
                                               "as configured, sliding layers: default, base 10000"]
    assert torch.equal(rows[1].theta, rotary.frequencies(256, 1e4)) and rows[1].reach == 1023
    assert set(rows[1].states) == {"safe"}
    new = {"model_type": "gemma3_text", "head_dim": 256, "max_position_embeddings": 131072, "sliding_window": 1024}
    assert read(new, rope_parameters=NESTED).rules == model.rules
    assert read(new, num_hidden_layers=34, rope_scaling={"rope_type": "linear", "factor": 8.0}).rules == model.rules


KINDS = [
    ({"type": "linear", "factor": 4}, PLAIN), ({"type": "dynamic", "factor": 2.0}, PLAIN),
    ({"type": "yarn", "factor": 4.0}, PLAIN), ({"type": "yarn"} | YARN, PLAIN),
    ({"type": "yarn", "truncate": False, "beta_fast": 16, "beta_slow": 2} | YARN, PLAIN),
    ({"type": "yarn", "attention_factor": 1.1} | YARN, PLAIN),
    ({"type": "llama3", "low_freq_factor": 1.0, "high_freq_factor": 4.0} | YARN, PLAIN),
    ({"type": "su", "original_max_position_embeddings": 4096} | LISTS, PHI | {"model_type": "phi3"}),
    ({"type": "yarn", "original_max_position_embeddings": 4096} | LISTS, PHI | {"model_type": "phi3"}),
    ({"type": "longrope"} | LISTS, PHI | {"model_type": "phi3", "original_max_position_embeddings": 4096}),
    ({"rope_type": "default", "mrope_section": [16, 24, 24]}, PLAIN),
]


@pytest.mark.parametrize(("block", "config"), KINDS, ids=lambda one: one.get("type", one.get("rope_type", "")))
def test_old_new_and_nested_files_of_a_kind_mean_what_transformers_makes_of_them(block, config):
    config = {"model_type": "llama"} | config
    new = {"rope_type" if key == "type" else key: value for key, value in block.items()}
    spellings = [config | {"rope_scaling": block}, config | {"rope_scaling": new},
                 {key: value for key, value in config.items() if key != "rope_theta"}
                 | {"rope_parameters": {**new, "rope_theta": 10000.0}},
                 {"model_type": "other", "text_config": config | {"rope_scaling": block}},
                 config | {"rope_parameters": {"full_attention": new}}]
    found = [read(file) for file in spellings]
    assert len({(model.trained, model.target, model.longest) for model in found}) == 1
    assert all(model.block == found[0].block for model in found)
    theta, factor = theirs(spellings[0])
    n = max(found[0].target, 1 << 18)
    ours, one = frequencies.from_block(found[0].block, found[0].head_dim, n, found[0].longest)
    assert ((ours - theta) / theta).abs().max() < 1e-6 and one == pytest.approx(factor, rel=1e-6)


def test_both_factors_of_llama_4_make_a_step():
    block = {"rope_type": "llama3", "factor": 16.0, "low_freq_factor": 1.0, "high_freq_factor": 1.0,
             "original_max_position_embeddings": 8192}
    config = PLAIN | {"model_type": "llama", "rope_scaling": block, "max_position_embeddings": 131072}
    (theta, _), model = theirs(config), read(config)
    assert ((frequencies.from_block(model.block, 128, 131072, 131072)[0] - theta) / theta).abs().max() < 1e-6


SHARES = [({"rotary_pct": 0.25, "rotary_emb_base": 500.0}, "gpt_neox"), ({"rotary_dim": 32, "head_dim": 128},
                                                                        "minimax_m2"),
          ({"partial_rotary_factor": 0.25}, "phi"), ({}, "gpt_neox"), ({"partial_rotary_factor": 0.5}, "glm")]


@pytest.mark.parametrize(("more", "family"), SHARES)
def test_a_part_of_the_head_is_rotated_as_in_transformers(more, family):
    config = {key: value for key, value in PLAIN.items() if key != "rope_theta" or "rotary_emb_base" not in more}
    config |= {"model_type": family} | more
    model, (theta, _) = read(config), theirs(config)
    assert len(theta) == model.head_dim // 2 < model.width // 2 == 64
    assert ((frequencies.from_block(model.block, model.head_dim, 2, 4096)[0] - theta) / theta).abs().max() < 1e-6
    assert f"{model.head_dim} of 128 channels of a head are rotated." in model.notice


def test_sizes_in_the_words_of_gpt_j():
    model = read({"model_type": "gptj", "n_embd": 4096, "n_head": 16, "n_positions": 2048, "rotary_dim": 64})
    assert (model.head_dim, model.width, model.partial, model.trained) == (64, 256, 0.25, 2048)


@pytest.mark.parametrize(("more", "said"), [
    ({"no_rope_layers": [1, 0, 1, 0]}, "2 of 4"), ({"no_rope_layer_interval": 4, "num_hidden_layers": 36}, "9 of 36"),
    ({"no_rope_layers": [], "no_rope_layer_interval": 2, "num_hidden_layers": 8}, "4 of 8"),
    ({"model_type": "smollm3", "num_hidden_layers": 8}, "2 of 8"),
    ({"model_type": "cohere2", "layer_types": ["sliding_attention", "full_attention"]}, "1 of 2"),
    ({"layer_types": ["a_attention", "full_attention"],
      "rope_parameters": {"full_attention": {"rope_type": "default"}, "a_attention": None}}, "1 of 2")])
def test_layers_without_rotation_are_counted(more, said):
    assert f"{said} layers have no rotation (NoPE)." in read(PLAIN, **more).notice


@pytest.mark.parametrize(("more", "said"), [
    ({"rope_scaling": {"type": "linear", "factor": 4}}, "does not say whether it counts before or after scaling"),
    ({"rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}}, "mrope_section [16, 24, 24] shares the pairs"),
    ({"rope_scaling": YARN | {"type": "yarn", "finetuned": True}}, "also holds finetuned: not used here."),
    ({"rope_scaling": YARN | {"type": "yarn"}, "max_position_embeddings": 65536}, "disagree; the larger is taken."),
    ({"rope_theta": None, "model_type": "llama4_text"}, "as transformers does for llama4_text: rope_theta 500000"),
    ({"position_embedding_type": "absolute"}, "may be no rotation"),
    ({"rope_scaling": YARN | {"type": "yarn"}, "rope_parameters": {"rope_type": "default"}}, "rope_scaling is read"),
    ({"sliding_window": 1024}, "see 1024 tokens"), ({"model_type": "olmo3", "rope_scaling": YARN | {"type": "yarn"}},
                                                   "default with base 10000 in the sliding ones")])
def test_what_a_file_leaves_open_is_said(more, said):
    assert said in read(PLAIN, **more).notice


@pytest.mark.parametrize("family", DEFAULTS)
def test_what_is_taken_for_a_family_is_what_transformers_takes(family):
    made = AutoConfig.for_model(family)
    block = getattr(made, "rope_parameters", None) or {}
    full, sliding = block.get("full_attention", block), block.get("sliding_attention", {})
    theirs = {"rope_theta": full.get("rope_theta"), "partial_rotary_factor": full.get("partial_rotary_factor"),
              "rope_local_base_freq": sliding.get("rope_theta")}
    for key, value in DEFAULTS[family].items():
        assert theirs.get(key) or getattr(made, key) == value
        assert key not in theirs or theirs[key] == value


numbers_ = some.floats(1.0, 64.0, allow_nan=False)
blocks_ = some.one_of(
    some.fixed_dictionaries({"type": some.sampled_from(["linear", "dynamic"]), "factor": numbers_}),
    some.fixed_dictionaries({"type": some.just("yarn"), "factor": numbers_},
                            optional={"original_max_position_embeddings": some.integers(512, 8192),
                                      "attn_factor": numbers_, "truncate": some.booleans()}),
    some.fixed_dictionaries({"type": some.just("mrope"), "mrope_section": some.just([4, 2, 2])}))


@settings(max_examples=60, deadline=None)
@given(block=blocks_, base=some.floats(100.0, 1e7), longest=some.integers(512, 1 << 20), deep=some.booleans())
def test_the_short_text_of_a_model_gives_the_model_again(block, base, longest, deep):
    config = {"head_dim": 16, "max_position_embeddings": longest, "rope_theta": base, "rope_scaling": block}
    model = read({"text_config": config} if deep else config)
    again = read_config(compact(model))
    assert replace(again, assumed="") == replace(model, assumed="") and model.said in model.notice
    assert model.target >= model.trained and math.isfinite(model.softmax)
    row = answer(params_of(model)).body.rows[0]
    assert row.block["rope_scaling"] == block and all(check.ok for check in answer(params_of(model)).checks)


KEYS = [*spelling.SHAPE, *spelling.SHOWN]
INSIDE = [*blocks.COMMON, *(key for keys in blocks.READ.values() for key in keys), "full_attention", "type"]
odd_ = some.recursive(some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=9)
                      | some.sampled_from(["full_attention", *blocks.KNOWN, *DEFAULTS]),
                      lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.sampled_from(INSIDE), inner))


@settings(max_examples=200, deadline=None)
@given(more=some.dictionaries(some.sampled_from(KEYS), odd_, max_size=4), kind=some.sampled_from(blocks.KNOWN),
       block=some.dictionaries(some.sampled_from(INSIDE), odd_, max_size=4))
def test_whatever_stands_in_a_file_it_is_a_model_or_one_sentence(more, kind, block):
    config = {"head_dim": 64, "max_position_embeddings": 4096} | more
    config |= {"rope_scaling": {"rope_type": kind, "factor": 2.0, "short_factor": [2] * 32, "long_factor": [3] * 32,
                                "low_freq_factor": 1, "high_freq_factor": 4} | block}
    try:
        model = read(config)
        assert model.notice and (not compact(model) or answer(params_of(model, partial=1.0)).body.rows)
    except ValueError as error:
        assert str(error).count(". ") <= 1 and len(str(error)) < 250


def test_the_row_is_left_out_when_the_settings_are_another_model_s_and_says_so():
    params = params_of(read(PLAIN, rope_scaling=YARN | {"type": "yarn"}))
    for view in ("calculator", "clocks", "distance"):
        body = answer(replace(params, view=view, target=8192)).body
        assert (body if view == "distance" else body.rows)[0].label == "as configured: yarn, factor 4"
        result = answer(replace(params, view=view, head_dim=64, target=8192))
        rows = result.body if view == "distance" else result.body.rows
        assert all(row.name != OWN for row in rows) and "128 rotated channels and base 10000." in result.notice
    assert "load a model's config.json" in answer(replace(params, own="")).notice


@pytest.mark.parametrize(("own", "said"), [
    ("{", "cannot be read as JSON"), ("[]", "one JSON object"), ("{}", "max_position_embeddings|neither head_dim"),
    ('{"head_dim": 64, "max_position_embeddings": 4096, "rope_scaling": {"type": "linear"}}', "need factor"),
    ("x" * 20_000, "at most 16384 characters")])
def test_a_rule_that_cannot_be_used_is_one_sentence(own, said):
    with pytest.raises(ValueError, match=said) as caught:
        RopeParams(own=own)
    assert str(caught.value).count(". ") == 0


def test_a_file_with_more_than_a_link_can_carry_is_read_without_its_row():
    model = read(PLAIN, layer_types=["full_attention"] * 2000)
    assert model.known and compact(model) == "" and model.trained == 4096


def test_the_answer_s_numbers_hold_the_rule():
    found = numbers(answer(params_of(read(REAL["phi-3-mini-128k-su"]["config"]))))["body"]["rows"][0]
    assert found["block"]["rope_scaling"]["long_factor"][-1] == 24.5 and found["kind"] == "longrope"
