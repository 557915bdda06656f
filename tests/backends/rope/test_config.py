"""What a config.json says, in old and new spelling, and one clear sentence for what no model has."""
import json

import pytest
from transformers import LlamaConfig

from backends.rope.config import compact, read_config

PLAIN = {"hidden_size": 4096, "num_attention_heads": 32, "max_position_embeddings": 4096, "rope_theta": 10000.0}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 8192}
LONG = "1" + "0" * 400


def read(**more):
    return read_config(json.dumps(PLAIN | more))


def test_a_plain_config_says_its_four_numbers():
    model = read()
    assert (model.head_dim, model.base, model.trained, model.target, model.partial) == (128, 1e4, 4096, 4096, 1)
    assert model.notice == "max_position_embeddings is taken as the trained length. As configured: default."


def test_what_transformers_writes_is_read(tmp_path):
    block = LLAMA3 | {"rope_theta": 500000.0}
    sizes = {"hidden_size": 2048, "num_attention_heads": 32, "head_dim": 64, "max_position_embeddings": 131072}
    LlamaConfig(**sizes, rope_parameters=block).save_pretrained(tmp_path)
    model = read_config(tmp_path / "config.json")
    assert (model.head_dim, model.base, model.trained, model.target) == (64, 5e5, 8192, 131072)
    assert "slows 17 of 32 pairs at 131072 tokens" in model.notice


@pytest.mark.parametrize("spelling", [
    {"rope_scaling": {"type": "linear", "factor": 4}},
    {"rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4}},
    {"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 4}}},
])
def test_old_new_and_nested_spelling_mean_the_same(spelling):
    model = read(**spelling)
    assert (model.base, model.trained, model.target) == (1e4, 4096, 16384)
    assert "slows 64 of 64 pairs" in model.notice


def test_a_mark_at_the_start_of_the_file_is_no_part_of_it(tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(json.dumps(PLAIN).encode("utf-8-sig"))
    assert read_config(path) == read() == read_config("\ufeff" + json.dumps(PLAIN))


def test_a_rope_type_of_another_kind_is_left_out_and_said():
    model = read(rope_scaling={"type": "spiral"})
    assert "'spiral' is not known here" in model.notice and not model.known and compact(model) == ""


@pytest.mark.parametrize(("change", "sentence"), [
    ({"head_dim": 127}, "even number"), ({"head_dim": 0}, "which no model has"),
    ({"head_dim": "128"}, "should be a number"),
    ({"head_dim": True}, "should be a number"), ({"head_dim": 64.5}, "whole number"),
    ({"head_dim": 1e9}, "which no model has"),
    ({"num_attention_heads": 31}, "no multiple"), ({"hidden_size": None}, "neither head_dim"),
    ({"rope_theta": 1}, "larger than 1"), ({"rope_theta": 1e300}, "which no model has"),
    ({"rope_theta": [1]}, "should be a number"),
    ({"max_position_embeddings": None}, "trained length is unknown"),
    ({"max_position_embeddings": 1e18}, "which no model has"),
    ({"partial_rotary_factor": 2}, "which no model has"), ({"rope_scaling": "yarn"}, "JSON object"),
    ({"rope_scaling": {"type": 3}}, "short text"),
    ({"rope_scaling": {"type": "yarn", "factor": -1}}, "which no model has"),
    ({"rope_scaling": {"type": "linear"}}, "need factor"),
    ({"rope_scaling": {"type": "longrope"}}, "one number per pair"),
    ({"rope_scaling": {"type": "longrope", "short_factor": [1], "long_factor": [1]}}, "64 factors"),
    ({"rope_scaling": LLAMA3 | {"high_freq_factor": 0.5}}, "must not be smaller"),
])
def test_absurd_fields_are_one_sentence(change, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        read(**change)
    assert str(caught.value).count(". ") == 0


@pytest.mark.parametrize("text", [
    '{"head_dim": 64, "max_position_embeddings": 4096, "rope_scaling": {"x": ' + "[" * 500 + "]" * 500 + "}}",
    '{"head_dim": 64, "max_position_embeddings": 4096, "model_type": "\\ud800"}',
    "", "null", "[]", '{"a":', "[" * 100_000,
    '{"hidden_size": NaN, "num_attention_heads": 1, "max_position_embeddings": 9}',
    f'{{"hidden_size": {LONG}, "num_attention_heads": 32, "max_position_embeddings": 4096}}', " " * (1 << 21),
    '{"head_dim": 64, "max_position_embeddings": 4096, '
    f'"rope_scaling": {{"type": "longrope", "long_factor": [{LONG}]}}}}',
])
def test_other_files_and_numbers_without_end_are_one_sentence(text):
    with pytest.raises(ValueError) as caught:
        read_config(text)
    assert len(str(caught.value)) < 200
