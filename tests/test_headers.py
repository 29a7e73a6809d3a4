import pytest
import sound_files
import tensorflow as tf

from zoo.data.pipeline import headers

READERS = {"wav": headers.wav, "flac": headers.flac, "ogg": headers.ogg, "mp3": headers.mpeg}


def read(kind, contents):
    reader = next(reader for name, reader in READERS.items() if kind.startswith(name))
    return reader(tf.constant(contents), tf.constant("a.sound"))


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("kind", sound_files.KINDS)
def test_the_header_tells_the_sample_rate(kind, rate, tmp_path):
    path = sound_files.write(tmp_path, kind, sound_files.stereo(0.2, rate), rate)
    assert read(kind, path.read_bytes())[1] == rate


@pytest.mark.parametrize("kind", [kind for kind in sound_files.KINDS if kind[-1].isdigit()])
def test_the_header_tells_the_bit_depth(kind, tmp_path):
    depth = 0 if kind == "mp3" else int(kind.lstrip("wavflc")) // 8
    assert read(kind, sound_files.write(tmp_path, kind).read_bytes())[2] == depth


def test_the_sample_rate_of_a_mono_mp3_is_read_too(tmp_path):
    path = sound_files.write(tmp_path, "mp3", sound_files.stereo(0.2, 24000)[:, 0], 24000)
    assert read("mp3", path.read_bytes())[1] == 24000


@pytest.mark.parametrize("tags", [1, 2])
def test_tags_before_a_sound_are_cut_off(tags, tmp_path):
    contents = sound = sound_files.write(tmp_path, "mp3").read_bytes()
    for _ in range(tags):
        contents = sound_files.tagged(contents)
    assert headers.without_tags(tf.constant(contents)) == sound


def test_what_is_not_tagged_stays_as_it_is():
    assert headers.without_tags(tf.constant(b"\0\0RIFF")) == b"\0\0RIFF"


def test_chunks_before_and_after_the_format_of_a_wav_are_passed_over(tmp_path):
    wav = sound_files.write(tmp_path, "wav16").read_bytes()
    odd = b"LIST\x05\0\0\0datas\0"  # padded to an even length, and with a chunk's name in it
    size = (int.from_bytes(wav[4:8], "little") + 2 * len(odd)).to_bytes(4, "little")
    wav = b"RIFF" + size + b"WAVE" + odd + wav[12:36] + odd + wav[36:]
    assert read("wav", wav)[1] == sound_files.RATE


@pytest.mark.parametrize(("what", "words"), sound_files.WRONG.items())
def test_the_error_names_the_file_and_the_problem(what, words, tmp_path):
    contents = sound_files.spoiled(tmp_path)[what]
    kind = {b"RIFF": "wav", b"fLaC": "flac", b"OggS": "ogg"}.get(contents[:4], "mp3")
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"a\.sound: .*{words}"):
        read(kind, contents)


def test_a_flac_of_one_short_frame_is_not_taken_for_cut_off(tmp_path):
    path = sound_files.write(tmp_path, "flac16", sound_files.stereo(0.01))
    assert read("flac", path.read_bytes())[1] == sound_files.RATE
