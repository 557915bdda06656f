"""Signals: made, written, read from files, refused in a sentence."""

import io
import wave

import numpy as np
import pytest
from scipy.io import wavfile

from backends.memory import answer, signals
from backends.memory.params import MemoryParams


def wav(tmp_path, values, rate=8000):
    """A WAV file."""
    out = io.BytesIO()
    wavfile.write(out, rate, values)
    (tmp_path / "a.wav").write_bytes(out.getvalue())
    return tmp_path / "a.wav"


@pytest.mark.parametrize("name", ["waves", "chirp", "steps", "spike", "noise"])
@pytest.mark.parametrize("length", [2, 99, 1000])
def test_made_signals_have_their_length_and_size(name, length):
    values = signals.made(name, length, 3)
    assert values.shape == (length,) and np.abs(values).max() <= 1 + 1e-12
    assert np.array_equal(values, signals.made(name, length, 3))


def test_numbers_are_read_as_people_write_them():
    assert signals.parsed(" 1, 2;-3e-1\n4 ").tolist() == [1, 2, -0.3, 4]


@pytest.mark.parametrize(("text", "said"), [
    ("", "no signal"), ("5", "One sample"), ("0 0 0", "silent"), ("1 two 3", "'two' is not a number"),
    ("1 nan", "finite"),
    ("1 1e999", "finite"),
])
def test_what_is_no_signal_is_refused_in_a_sentence(text, said):
    with pytest.raises(ValueError, match=said):
        signals.parsed(text)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint8, np.float32])
def test_wav_files_of_any_plain_format_are_read(tmp_path, dtype):
    tone = np.sin(np.arange(400) / 9)
    values = ((tone * 100 + 128).astype(dtype) if dtype == np.uint8
              else (tone * (1 if dtype == np.float32 else 30000)).astype(dtype))
    found, said = signals.read(wav(tmp_path, values))
    assert np.abs(found - tone / np.abs(tone).max()).max() < 0.02 and "400 samples at 8000 Hz" in said


def test_channels_are_mixed_and_long_files_thinned(tmp_path):
    stereo = np.stack([np.linspace(-1, 1, 9000)] * 2, 1).astype(np.float32)
    found, said = signals.read(wav(tmp_path, stereo))
    assert len(found) == 2000 and "2 channels" in said and np.all(np.diff(found) > 0)
    assert "filtered and thinned to one in 4.5" in said


@pytest.mark.parametrize(("values", "said"), [(np.zeros(50, np.int16), "silent"), (np.ones(1, np.int16), "One sample"),
                                              (np.zeros(0, np.int16), "no signal")])
def test_empty_wav_files_are_refused(tmp_path, values, said):
    with pytest.raises(ValueError, match=said):
        signals.read(wav(tmp_path, values))


@pytest.mark.parametrize(("data", "said"), [
    (b"RIFF\x10\0\0\0WAVEfmt ", "cannot be read"), (b"\x89PNG\r\n\xff\0", "neither"), (b"ID3\0\0", "neither"),
    (b"hello there", "not a number"),
])
def test_wrong_files_are_refused(tmp_path, data, said):
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(ValueError, match=said):
        signals.read(tmp_path / "x")


def test_csv_files_may_have_a_heading_and_several_columns(tmp_path):
    (tmp_path / "a.csv").write_text("time,value\n0,1\n1,-2\n2,4\n")
    assert signals.read(tmp_path / "a.csv")[0].tolist() == [0.25, -0.5, 1]
    (tmp_path / "b.csv").write_text("1,2,3,4")
    assert len(signals.read(tmp_path / "b.csv")[0]) == 4


@pytest.mark.parametrize(("text", "values", "said"), [
    ("t;v\n0;1,5\n1;-2,5\n2;5,0\n", (0.3, -0.5, 1), "the last of 2 columns"),          # decimal commas
    ("0 1\n1 2\n2 4\n", (0.25, 0.5, 1), "the last of 2 columns"),
    ("0\t1\n1\t2\n2\t4\n", (0.25, 0.5, 1), "the last of 2 columns"),
    ('"t","v"\r\n"0","1"\r\n"1","2"\r\n', (0.5, 1), "the last of 2 columns"),
    ("1,\n2,\n4,\n", (0.25, 0.5, 1), "3 samples,"),
    ("1 2\n4", (0.25, 0.5, 1), "3 samples,"), ("1e308\n" * 3 + "-1e308", (1, 1, 1, -1), "4 samples,"),
])
def test_csv_files_as_spreadsheets_write_them(tmp_path, text, values, said):
    (tmp_path / "a.csv").write_text(text)
    found, sentence = signals.read(tmp_path / "a.csv")
    assert found.tolist() == pytest.approx(values) and said in sentence


@pytest.mark.parametrize(("text", "said"), [
    ("a,b\n1,2\n3\n", "same number of columns"), ("1,2\n2,\n3,4", "same number of columns"),
    ("v\n5\n", "One sample"), ("1\ntwo\n3", "'two' is not a number")])
def test_csv_files_with_holes_are_refused(tmp_path, text, said):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=said):
        signals.read(tmp_path / "a.csv")


def test_a_24_bit_wav_file_is_read(tmp_path):
    wanted = np.sin(np.arange(300) / 9)
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 3, 8000, 0, "NONE", ""))
        file.writeframes(b"".join(int(v * 2**22).to_bytes(3, "little", signed=True) for v in wanted))
    assert np.abs(signals.read(tmp_path / "a.wav")[0] - wanted / np.abs(wanted).max()).max() < 1e-6


def test_an_own_signal_is_scaled_and_fits():
    assert signals.source(MemoryParams(text="0, 2, -4", length=5))[0].tolist() == [0, 0.25, 0.5, -0.25, -1]
    assert signals.source(MemoryParams(text="1 3 5 7 9 11 13 15", length=4))[0].tolist() == pytest.approx(
        [2 / 14, 6 / 14, 10 / 14, 1])


def pitch(values):
    """The strongest frequency, in cycles per sample."""
    return np.abs(np.fft.rfft(values * np.hanning(len(values)), 16 * len(values))).argmax() / (16 * len(values))


@pytest.mark.parametrize("seconds", [1, 10])
def test_a_tone_keeps_its_pitch_however_long_the_file(tmp_path, seconds):
    """At one sample in 220 a tone of 440 Hz would come out as another wave, filtered first it would be gone."""
    tone = np.sin(2 * np.pi * 440 * np.arange(44100 * seconds) / 44100).astype(np.float32)
    found, said = signals.read(wav(tmp_path, tone, 44100))
    first, last = (int(word) for word in said.removesuffix(".").split(", samples ")[1].split(" to "))
    assert pitch(found) * 44100 * len(found) / (last - first) == pytest.approx(440, rel=0.01)
    text = ", ".join(f"{v:.4g}" for v in found)
    again, cut = signals.source(MemoryParams(text=text, length=300))
    assert pitch(again) == pytest.approx(pitch(found), rel=0.02) and "loudest stretch" in cut
    assert "loudest stretch" in answer(MemoryParams(text=text, length=300)).notice


def test_what_thinning_cannot_hold_is_filtered_out_and_does_not_fold_back():
    slow, fast = (np.sin(2 * np.pi * f * np.arange(8000)) for f in (0.002, 0.11))
    found = signals.thinned(slow + 0.2 * fast, 8)
    wanted, careless = np.sin(2 * np.pi * 0.002 * (8 * np.arange(1000) + 3.5)), 0.2 * fast[4::8]
    assert np.abs(found - wanted)[20:-20].max() < 0.002 < 0.15 < np.abs(careless).max()
    line = np.linspace(-1, 1, 900)
    assert np.abs(np.diff(signals.thinned(line, 4.5), 2)).max() < 1e-9


def test_of_what_is_too_long_the_loudest_stretch_is_kept():
    noise = np.random.default_rng(0).standard_normal(5000) * np.where(np.arange(5000) // 1000 == 3, 2.0, 1.0)
    found, said = signals.fitted(noise, 1000)
    start = int(said.split(", samples ")[1].split(" to ")[0])
    assert "not thinned" in said and abs(start - 3000) < 60
    assert found.tolist() == pytest.approx((noise / np.abs(noise[start : start + 1000]).max())[start : start + 1000])


def test_channels_that_cancel_are_not_silence(tmp_path):
    tone = np.sin(np.arange(400) / 9).astype(np.float32)
    found, said = signals.read(wav(tmp_path, np.stack([tone, -tone], 1)))
    assert np.abs(found - tone / np.abs(tone).max()).max() < 1e-6 and "which cancel when mixed" in said
    with pytest.raises(ValueError, match="silent"):
        signals.read(wav(tmp_path, np.zeros((400, 2), np.float32)))
