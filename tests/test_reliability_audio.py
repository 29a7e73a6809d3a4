"""Sound that is damaged, cut off, joined or announced wrongly: all of it, or a warning."""

import io
import struct
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from zoo import audio
from zoo.audio import mpeg
from zoo.data.probing import probe
from zoo.errors import AudioError, AudioWarning

av = pytest.importorskip("av", reason="PyAV has no wheel for this machine")

RATE = 22050
INPUTS = Path(__file__).parent / "inputs"


def noise(seconds: float, rate: int = RATE, channels: int = 2) -> np.ndarray:
    """Noise with a slow swell: no two parts are equal."""
    samples = round(seconds * rate)
    swell = 0.2 + 0.1 * np.sin(np.arange(samples) / rate * 3)
    shape = (samples, channels)
    return (swell[:, None] * np.random.default_rng(1).uniform(-1, 1, shape)).astype("float32")


def encoded(kind: str, subtype: str | None = None, sound=None, rate=RATE, **options):
    """Return the bytes of a sound in a format of libsndfile."""
    file = io.BytesIO()
    sound = noise(4) if sound is None else sound
    soundfile.write(file, sound, rate, subtype, format=kind, **options)
    return file.getvalue()


def by_ffmpeg(path: Path, codec: str, rate: int = 44100, seconds: float = 3, **tags: str) -> Path:
    """Write a sound by FFmpeg; the suffix gives the container."""
    with av.open(str(path), "w") as container:
        container.metadata.update(tags)
        stream = container.add_stream(codec, rate=rate)
        stream.layout = "mono"
        stream.codec_context.open()
        form, size = stream.format.name, stream.codec_context.frame_size or 1024
        sound = noise(seconds, rate, 1)[:, 0]
        for i in range(0, len(sound), size):
            part = sound[None, i : i + size]
            if "s16" in form:
                part = (part * 32767).astype("int16")
            elif "s32" in form:
                part = (part * 2**31).astype("int32")
            elif "u8" in form:
                part = (part * 127 + 128).astype("uint8")
            frame = av.AudioFrame.from_ndarray(part, format=form, layout="mono")
            frame.sample_rate, frame.pts = rate, i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def seconds(path: Path) -> tuple[float, list[str]]:
    """Return the decoded length, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        length = len(audio.load(path, RATE)) / RATE
    return length, [str(warning.message) for warning in caught]


def without_band(messages: list[str]) -> list[str]:
    return [message for message in messages if "recorded at" not in message]


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("RF64", "PCM_16"), ("AIFF", "PCM_16"), ("W64", "PCM_16"),
     ("CAF", "PCM_16"), ("AU", "PCM_16"), ("FLAC", None), ("MP3", None)],
)  # fmt: skip
def test_half_a_file_warns_of_the_length_announced(tmp_path, kind, subtype):
    path = tmp_path / "half.sound"
    data = encoded(kind, subtype)
    path.write_bytes(data)
    assert seconds(path) == (pytest.approx(4, abs=0.1), [])
    path.write_bytes(data[: len(data) // 2])
    length, messages = seconds(path)
    assert length == pytest.approx(2, abs=0.2)  # a FLAC loses its last frame
    assert len(messages) == 1
    assert "of the 4.0" in messages[0]


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_half_an_ogg_warns_of_its_missing_end(tmp_path, subtype):
    rate = 48000 if subtype == "OPUS" else RATE
    data = encoded("OGG", subtype, noise(4, rate), rate)
    path = tmp_path / "half.ogg"
    path.write_bytes(data)
    assert seconds(path) == (pytest.approx(4, abs=0.1), [])
    path.write_bytes(data[: len(data) // 2])
    length, messages = seconds(path)
    assert 0.9 < length < 3
    assert len(messages) == 1
    assert "may be cut off" in messages[0]


def test_a_part_before_the_cut_gives_no_warning(tmp_path):
    path = tmp_path / "half.wav"
    path.write_bytes(encoded("WAV")[:100_000])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(audio.load(path, RATE, 0.2, 0.7)) == RATE // 2


@pytest.mark.parametrize("tags", [b"", b"TAG" + bytes(125)])
def test_joined_mp3s_are_decoded_to_the_end(tmp_path, tags):
    path = tmp_path / "joined.mp3"
    path.write_bytes(encoded("MP3") + tags + encoded("MP3"))
    assert seconds(path)[0] == pytest.approx(8, abs=0.15)


@pytest.mark.parametrize("field", ["frames", "bytes"])
def test_an_mp3_whose_header_announces_a_quarter_is_decoded_to_the_end(tmp_path, field):
    data = bytearray(encoded("MP3"))
    place = max(data.find(b"Xing"), data.find(b"Info"))
    assert place > 0
    at = place + (8 if field == "frames" else 12)
    (value,) = struct.unpack(">I", data[at : at + 4])
    data[at : at + 4] = struct.pack(">I", value // 4)
    path = tmp_path / "quarter.mp3"
    path.write_bytes(data)
    assert seconds(path)[0] == pytest.approx(4, abs=0.15)


@pytest.mark.parametrize(("rate", "channels"), [(RATE, 1), (24000, 2)])
def test_an_mp3_that_changes_its_form_is_decoded_to_the_end(tmp_path, rate, channels):
    path = tmp_path / "changes.mp3"
    parts = [encoded("MP3"), encoded("MP3", None, noise(4, rate, channels), rate)]
    for i, part in enumerate(parts):  # a stream has no header in the middle
        parts[i] = part[mpeg._frame_bytes(part[:4], part[:4]) :]
    path.write_bytes(b"".join(parts))
    length, _ = seconds(path)
    assert length == pytest.approx(8, abs=0.2)


def test_an_mp3_with_a_hole_keeps_what_follows_it(tmp_path):
    data = bytearray(encoded("MP3", None, noise(8)))
    data[30_000:33_000] = bytes(3000)
    path = tmp_path / "hole.mp3"
    path.write_bytes(data)
    length, messages = seconds(path)
    assert length > 7.5
    assert len(messages) == 1


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_chained_oggs_are_decoded_to_the_end(tmp_path, subtype):
    rate = 48000 if subtype == "OPUS" else RATE
    path = tmp_path / "chained.ogg"
    sounds = noise(3, rate), noise(3, rate)[::-1]
    path.write_bytes(b"".join(encoded("OGG", subtype, sound, rate) for sound in sounds))
    assert seconds(path) == (pytest.approx(6, abs=0.1), [])


def test_an_ogg_chained_to_itself_is_decoded_to_the_end(tmp_path):
    path = tmp_path / "twice.ogg"
    path.write_bytes(encoded("OGG", "VORBIS") * 2)
    length, messages = seconds(path)
    assert length == pytest.approx(8, abs=0.1) or messages


def test_a_wav_whose_length_was_never_written_is_read_to_its_end(tmp_path):
    data = bytearray(encoded("WAV", "PCM_16"))
    data[40:44] = bytes(4)
    path = tmp_path / "killed.wav"
    path.write_bytes(data)
    assert seconds(path) == (pytest.approx(4, abs=0.01), [])


def test_an_empty_wav_with_chunks_after_its_sound_stays_empty(tmp_path):
    path = tmp_path / "empty.wav"
    path.write_bytes(encoded("WAV", "PCM_16", noise(0)) + b"LIST\x10\0\0\0INFOISFT\4\0\0\0abcd")
    with pytest.raises(AudioError, match="0 samples"):
        audio.load(path, RATE)


def test_bytes_after_the_sound_of_a_w64_are_not_sound(tmp_path):
    path = tmp_path / "more.w64"
    guid = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    chunk = b"junk" + guid + (24 + 40_000).to_bytes(8, "little") + bytes([99]) * 40_000
    path.write_bytes(encoded("W64", "PCM_16") + chunk)
    assert seconds(path) == (pytest.approx(4, abs=0.001), [])


def test_a_w64_with_an_impossible_length_does_not_stop_a_check(tmp_path):
    path = tmp_path / "damaged.w64"
    data = bytearray(encoded("W64", "PCM_16"))
    at = data.index(b"fmt ") + 16
    data[at : at + 8] = (2**63 + 64).to_bytes(8, "little")  # a place that no file has
    path.write_bytes(data)
    with pytest.raises(AudioError, match="no sound could be read"):
        audio.duration(path)
    (reason,) = probe([(path, 0.0, None)], 0.1)  # raised ValueError before
    assert "no sound could be read" in reason


def test_sound_after_the_length_of_a_wav_is_reported(tmp_path):
    data = bytearray(encoded("WAV", "PCM_16"))
    data[40:44] = (40_000).to_bytes(4, "little")
    path = tmp_path / "short.wav"
    path.write_bytes(data)
    assert "bytes after its sound" in seconds(path)[1][0]


def test_a_header_that_contradicts_itself_is_reported(tmp_path):
    data = bytearray(encoded("WAV", "PCM_16"))
    data[24:28] = (RATE + 256).to_bytes(4, "little")
    path = tmp_path / "rate.wav"
    path.write_bytes(data)
    assert "contradicts itself" in seconds(path)[1][0]


def test_zeros_before_an_mp3_are_skipped(tmp_path):
    path = tmp_path / "padded.mp3"
    path.write_bytes(b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + bytes(100_000) + encoded("MP3"))
    assert seconds(path) == (pytest.approx(4, abs=0.15), [])


def test_an_id3v1_tag_after_a_flac_is_no_damage():
    assert seconds(INPUTS / "id3v1_tail_1s.flac") == (pytest.approx(1, abs=0.001), [])


# What libsndfile refuses is given to FFmpeg, whatever the suffix.


@pytest.mark.parametrize(
    ("written", "named", "codec"),
    [
        ("a.caf", "a.caf", "alac"),
        ("a.ogg", "a.ogg", "flac"),
        ("a.wav", "a.wav", "ac3"),
        ("a.avi", "a.wav", "pcm_s16le"),
        ("a.tta", "a.mp3", "tta"),
        ("a.ts", "a.flac", "aac"),
        ("a.flv", "a.mp3", "aac"),
    ],
)
def test_ffmpeg_reads_what_libsndfile_refuses(tmp_path, written, named, codec):
    path = by_ffmpeg(tmp_path / written, codec).rename(tmp_path / f"x{named}")
    length, messages = seconds(path)
    assert length == pytest.approx(3, abs=0.1)
    assert without_band(messages) == []


def test_g726_in_a_wav_is_read():
    assert seconds(INPUTS / "g726.wav")[0] == pytest.approx(3, abs=0.01)


def test_the_error_names_both_decoders(tmp_path):
    path = tmp_path / "broken.wav"
    path.write_bytes(b"RIFF\x40\0\0\0WAVEfmt " + bytes(60))
    with pytest.raises(AudioError, match=r"broken.wav: no sound could be .* Nor does FFmpeg"):
        audio.load(path, RATE)


def test_without_pyav_a_refused_file_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioError, match=r"g726.wav: .* pip install av"):
        audio.load(INPUTS / "g726.wav", RATE)


def test_without_pyav_joined_mp3s_give_a_warning(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    path = tmp_path / "joined.mp3"
    path.write_bytes(encoded("MP3") * 2)
    with pytest.warns(AudioWarning, match="more sound follows"):
        audio.load(path, RATE)


def test_metadata_that_are_not_utf8_are_no_obstacle(tmp_path):
    path = by_ffmpeg(tmp_path / "a.m4a", "aac", title="Cafe du Nord, Cafe")
    path.write_bytes(path.read_bytes().replace(b"Cafe", b"Caf\xe9"))
    assert seconds(path)[0] == pytest.approx(3, abs=0.1)


def test_a_playlist_opens_nothing_else(tmp_path):
    soundfile.write(tmp_path / "secret.wav", noise(1), RATE)
    for name, text in {
        "a.mp3": "ffconcat version 1.0\nfile secret.wav\n",
        "a.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\nsecret.wav\n#EXT-X-ENDLIST\n",
    }.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(AudioError, match=name):
            audio.load(tmp_path / name, RATE)


def test_a_name_that_is_not_utf8_is_read(tmp_path):
    path = tmp_path / b"caf\xe9.wav".decode("utf-8", "surrogateescape")
    try:
        path.write_bytes(encoded("WAV"))
    except OSError:
        pytest.skip("this file system has no such names")
    assert seconds(path) == (pytest.approx(4, abs=0.01), [])


def test_whatever_a_decoder_raises_is_an_error_of_that_file(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("inside")

    path = tmp_path / "a.wav"
    path.write_bytes(encoded("WAV"))
    monkeypatch.setattr("zoo.audio.sndfile.blocks", fail)
    with pytest.raises(AudioError, match=r"a.wav: .*RuntimeError: inside"):
        audio.load(path, RATE)


def test_a_megabyte_of_empty_tags_is_skipped_at_once(tmp_path):
    path = tmp_path / "tags.mp3"
    path.write_bytes((b"ID3\4\0\0\0\0\0\0" * 100_000) + encoded("MP3"))
    assert seconds(path)[0] == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("bitrate", ["CONSTANT", "VARIABLE"])
def test_bytes_between_the_frames_of_an_mp3_are_a_warning(tmp_path, bitrate):
    data = bytearray(encoded("MP3", sound=noise(8), bitrate_mode=bitrate))
    whole, damaged = tmp_path / "whole.mp3", tmp_path / "damaged.mp3"
    whole.write_bytes(data)
    data[len(data) // 2 : len(data) // 2 + 300] = bytes(300)
    damaged.write_bytes(data)
    assert seconds(whole)[1] == []
    length, messages = seconds(damaged)
    assert length == pytest.approx(8, abs=0.5)
    (message,) = messages
    assert "damaged.mp3: damaged in places" in message
    assert "are no MPEG audio" in message


@pytest.mark.parametrize("end", [b"TAG" + bytes(125), b"APETAGEX" + bytes(200), bytes(500)])
def test_tags_and_zeros_after_the_last_frame_are_no_damage(tmp_path, end):
    path = tmp_path / "song.mp3"
    path.write_bytes(encoded("MP3", sound=noise(2)) + end)
    assert seconds(path)[1] == []
