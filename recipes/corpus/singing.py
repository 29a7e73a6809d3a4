"""Make recorded speech sing: the vowels of a real voice, on the notes of a melody.

The old source-filter model. `analyse` splits speech, 200 times a second, into a smooth spectral
envelope (what mouth and throat do), whether there is a pitch, and how high it is. `syllables` finds
the stretches of speech that have a pitch, each with the consonant before it. `sing` puts the
syllables on notes: the consonant keeps its time, the vowel is stretched, and where the voice
had its own pitch there are now pulses with the pitch of the note: gliding from the note before,
trembling (vibrato), drifting a little as people do. Every pulse sounds through the envelope of its
moment, and breath is noise through the same envelope.

Nothing is copied from anyone's song: the words are a recording's, the notes are ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter1d

SAMPLE_RATE = 16_000
HOP = 80  # samples: 200 frames a second
N_FFT = 1024
WINDOW = 400
LIFTER = 48  # cepstral coefficients that are kept of the envelope
LOWEST, HIGHEST = 65.0, 450.0  # Hz, of speaking voices
VOICED = 0.5  # height of the autocorrelation's peak above which there is a pitch
FLOOR = 1e-5


class Analysis(NamedTuple):
    """Speech, frame by frame."""

    envelopes: np.ndarray  # (frames, bins) log amplitude
    pitched: np.ndarray  # (frames,) bool
    pitch: np.ndarray  # (frames,) Hz; only meaningful where pitched
    level: np.ndarray  # (frames,) root mean square


class Syllable(NamedTuple):
    """A vowel of a voice and the consonant before it."""

    consonant: np.ndarray  # (frames, 48) cepstra of the envelopes of noise; may be empty
    vowel: np.ndarray  # (frames, 48) cepstra of its envelopes


class Sung(NamedTuple):
    """A note of a melody."""

    start: float  # seconds
    seconds: float
    pitch: float  # MIDI number; 69.5 is between A and B flat
    loudness: float  # 0 to 1


@dataclass(frozen=True)
class Singer:
    """How somebody sings.

    Attributes:
        vibrato: depth in semitones.
        rate: of the vibrato, Hz.
        glide: seconds from one note to the next.
        breath: level of the noise in vowels.
        formants: factor by which the resonances move; a longer throat has less than 1.
        ring: dB that the singer's formant, at about 2.9 kHz, is lifted, as in opera.
        tilt: dB per octave over 500 Hz; a soft voice loses its highs.
    """

    vibrato: float = 0.3
    rate: float = 5.5
    glide: float = 0.06
    breath: float = 0.05
    formants: float = 1.0
    ring: float = 0.0
    tilt: float = 0.0


def analyse(speech: np.ndarray) -> Analysis:
    """Split speech into envelopes, pitch and level.

    Args:
        speech: (samples,) at 16 kHz.

    Returns:
        A frame every 5 ms.
    """
    padded = np.pad(speech.astype(np.float32), N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]  # (frames, 1024)
    middle = slice((N_FFT - WINDOW) // 2, (N_FFT + WINDOW) // 2)
    short = frames[:, middle] * np.hanning(WINDOW).astype(np.float32)
    level = np.sqrt(np.mean(short**2, axis=1))
    power = np.abs(fft.rfft(short, N_FFT)) ** 2
    envelopes = envelope(0.5 * np.log(power + FLOOR**2))
    wide = frames * np.hanning(N_FFT).astype(np.float32)
    own = fft.irfft(np.abs(fft.rfft(wide, 2 * N_FFT)) ** 2)[:, :N_FFT]
    window = fft.irfft(np.abs(fft.rfft(np.hanning(N_FFT).astype(np.float32), 2 * N_FFT)) ** 2)[
        :N_FFT
    ]
    shortest, longest = int(SAMPLE_RATE / HIGHEST), int(SAMPLE_RATE / LOWEST)
    peaks = own[:, shortest:longest] / (own[:, :1] + FLOOR) * (window[0] / window[shortest:longest])
    lags = np.arange(shortest, longest)
    best = (peaks * lags**-0.08).argmax(axis=1)  # two periods are as alike as one: prefer one
    height = np.take_along_axis(peaks, best[:, None], 1)[:, 0]
    pitched = (height > VOICED) & (level > 0.08 * np.quantile(level, 0.95))
    return Analysis(envelopes, pitched, SAMPLE_RATE / (best + shortest), level)


def envelope(spectra: np.ndarray) -> np.ndarray:
    """Lay a smooth curve over the peaks of log spectra, (frames, bins): the "true envelope"."""
    keep = np.zeros(N_FFT, np.float32)
    keep[:LIFTER] = keep[-LIFTER + 1 :] = 1
    curve = target = spectra
    for _ in range(8):
        cepstra = fft.irfft(target) * keep
        curve = fft.rfft(cepstra).real
        target = np.maximum(spectra, curve)
    return curve.astype(np.float32)


def cepstra(envelopes: np.ndarray) -> np.ndarray:
    """Write envelopes, (frames, bins), with the 48 numbers that they have: float16."""
    return fft.irfft(envelopes)[:, :LIFTER].astype(np.float16)


def envelopes(cepstra: np.ndarray) -> np.ndarray:
    """Undo `cepstra`: (frames, bins) log amplitude."""
    both = np.zeros((len(cepstra), N_FFT), np.float32)
    both[:, :LIFTER] = cepstra
    both[:, -LIFTER + 1 :] = cepstra[:, :0:-1]
    return fft.rfft(both).real.astype(np.float32)


def syllables(
    cepstra: np.ndarray, pitched: np.ndarray, shortest: float = 0.06, before: float = 0.12
) -> list[Syllable]:
    """Return the pitched stretches of speech, each with what sounds just before it.

    Args:
        cepstra: (frames, 48) of speech.
        pitched: (frames,) where it has a pitch.
        shortest: seconds that a vowel has at least.
        before: seconds of consonant at most.
    """
    steps = np.diff(np.concatenate([[0], pitched.astype(int), [0]]))
    found, last = [], 0
    for start, end in zip(np.flatnonzero(steps == 1), np.flatnonzero(steps == -1), strict=True):
        if (end - start) * HOP / SAMPLE_RATE >= shortest:
            first = max(last, start - int(before * SAMPLE_RATE / HOP))
            found.append(Syllable(cepstra[first:start], cepstra[start:end]))
        last = end
    return found


def sing(
    notes: Sequence[Sung],
    words: Sequence[Syllable],
    singer: Singer,
    seconds: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Sing a melody.

    Args:
        notes: in the order of time, one at a time.
        words: sung one after the other, a syllable a note.
        singer: how.
        seconds: of the sound.
        rng: drifts and breath.

    Returns:
        (samples,) at 16 kHz, not normalised.
    """
    frames = int(seconds * SAMPLE_RATE / HOP) + 1
    shapes = np.full((frames, N_FFT // 2 + 1), np.log(FLOOR), np.float32)
    noisy = np.zeros(frames, np.float32)
    gain = np.zeros(frames, np.float32)
    for note, word in zip(notes, words, strict=False):
        place(note, word, shapes, noisy, gain)
    shapes = coloured(shapes, singer)
    pitch = course(notes, singer, frames, rng)
    voice = pulses(shapes, pitch, gain * (1 - noisy), rng)
    breath = noise(shapes, gain * (noisy + singer.breath * (1 - noisy)), rng)
    return (voice + breath)[: int(seconds * SAMPLE_RATE)]


def place(note: Sung, word: Syllable, shapes, noisy, gain) -> None:
    """Write a syllable over the frames of a note; its consonant comes before the beat."""
    frames = len(shapes)
    start = int(note.start * SAMPLE_RATE / HOP)
    length = max(int(note.seconds * SAMPLE_RATE / HOP), 8)
    first = max(start - len(word.consonant), 0)
    consonant = word.consonant[len(word.consonant) - (start - first) :]
    until = min(start + length, frames)
    if until <= start:
        return
    if start > first:
        shapes[first:start] = envelopes(consonant)
    noisy[first:start] = 1
    gain[first:start] = note.loudness
    # The first and the last 40 ms keep their time; the rest is stretched.
    sounded = envelopes(word.vowel)
    edge = min(8, len(sounded) // 3, length // 3)
    at = np.arange(length, dtype=np.float64)
    last = len(sounded) - 1
    stretched = np.interp(
        at, [0, edge, length - 1 - edge, length - 1], [0, edge, last - edge, last]
    )
    low = stretched.astype(int)
    part = (stretched - low)[:, None]
    vowel = sounded[low] * (1 - part) + sounded[np.minimum(low + 1, last)] * part
    # Speech falls away; sung notes are held: level the vowel out, but not altogether.
    loud = vowel.max(axis=1, keepdims=True)
    vowel += 0.8 * (loud.max() - loud)
    shapes[start:until] = vowel[: until - start]
    noisy[start:until] = 0
    hold = np.minimum(np.minimum((at + 2) / 10, (length - at) / 16), 1) * note.loudness
    gain[start:until] = hold[: until - start]


def coloured(shapes: np.ndarray, singer: Singer) -> np.ndarray:
    """Move the resonances, lift the singer's formant, tilt the spectrum."""
    bins = np.arange(shapes.shape[1])
    hertz = bins * SAMPLE_RATE / N_FFT
    if singer.formants != 1:
        source = np.clip(bins / singer.formants, 0, bins[-1] - 1)
        low = source.astype(int)
        part = (source - low).astype(np.float32)
        shapes = shapes[:, low] * (1 - part) + shapes[:, low + 1] * part
    decibels = singer.ring * np.exp(-0.5 * ((hertz - 2900) / 450) ** 2)
    decibels += singer.tilt * np.log2(np.maximum(hertz, 500) / 500)
    return shapes + (decibels * np.log(10) / 20).astype(np.float32)


def course(notes: Sequence[Sung], singer: Singer, frames: int, rng) -> np.ndarray:
    """Return the pitch of every frame in Hz: (frames,)."""
    seconds = np.arange(frames) * HOP / SAMPLE_RATE
    starts = np.array([note.start for note in notes])
    which = np.clip(np.searchsorted(starts, seconds + singer.glide / 2, side="right") - 1, 0, None)
    pitch = np.array([note.pitch for note in notes])[which]
    pitch = gaussian_filter1d(pitch, singer.glide / 3 * SAMPLE_RATE / HOP)
    since = seconds - starts[which]
    ends = np.array([note.seconds for note in notes])[which]
    depth = singer.vibrato * np.clip((since - 0.15) / 0.3, 0, 1) * np.clip(ends / 0.5, 0.2, 1)
    wander = gaussian_filter1d(rng.normal(size=frames), 20, mode="wrap") * 6
    phase = 2 * np.pi * singer.rate * seconds + 0.4 * np.cumsum(wander) * HOP / SAMPLE_RATE
    drift = gaussian_filter1d(rng.normal(size=frames), 40, mode="wrap")
    pitch = pitch + depth * np.sin(phase) + 0.15 * drift / (np.std(drift) + FLOOR)
    return 440 * 2 ** ((pitch - 69) / 12)


def pulses(shapes: np.ndarray, pitch: np.ndarray, gain: np.ndarray, rng) -> np.ndarray:
    """Sound a pulse a period, each through the envelope of its moment, of least phase."""
    frames = len(shapes)
    phase = np.cumsum(np.repeat(pitch, HOP)) / SAMPLE_RATE
    moments = np.flatnonzero(np.diff(np.floor(phase)))
    beyond = phase[moments + 1] % 1 / (np.repeat(pitch, HOP)[moments] / SAMPLE_RATE)
    at = np.minimum(moments // HOP, frames - 1)
    moments, beyond, at = (x[gain[at] > 0] for x in (moments, beyond, at))
    sound = np.zeros(frames * HOP + 2 * N_FFT, np.float32)
    bins = np.arange(N_FFT // 2 + 1)
    fold = np.zeros(N_FFT, np.float32)
    fold[0] = fold[N_FFT // 2] = 1
    fold[1 : N_FFT // 2] = 2
    for block in range(0, len(moments), 512):
        some = slice(block, block + 512)
        spectra = np.exp(fft.rfft(fft.irfft(shapes[at[some]]) * fold))
        shift = 1 - beyond[some] + 0.02 * rng.normal(size=len(beyond[some]))  # jitter
        spectra *= np.exp(-2j * np.pi / N_FFT * np.outer(shift, bins))
        answers = fft.irfft(spectra)
        # A pulse of 1 a period has a level that grows with the pitch: undo that.
        answers *= (gain[at[some]] * np.sqrt(SAMPLE_RATE / pitch[at[some]]))[:, None]
        for moment, answer in zip(moments[some], answers, strict=True):
            sound[moment : moment + N_FFT] += answer
    return sound[: frames * HOP]


def noise(shapes: np.ndarray, gain: np.ndarray, rng) -> np.ndarray:
    """Send white noise through the envelopes: (frames * 80,) samples."""
    frames = len(shapes)
    length = 2 * HOP
    window = np.hanning(length + 1)[:length].astype(np.float32)
    bursts = rng.normal(size=(frames, length)).astype(np.float32) * window
    spectra = fft.rfft(bursts, N_FFT) * np.exp(shapes) * gain[:, None]
    pieces = fft.irfft(spectra).astype(np.float32)
    sound = np.zeros(frames * HOP + 2 * N_FFT, np.float32)
    for step in range(frames):
        if gain[step] > 0:
            sound[step * HOP : step * HOP + N_FFT] += pieces[step]
    return sound[: frames * HOP]
