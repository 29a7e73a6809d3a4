// A picture of the sound: levels in mel bands over time, in decibels. For the eye only; the networks
// compute their own spectrograms.

const SIZE = 2048;
const BANDS = 80;
const RANGE = 70; // decibels below the loudest that are shown

/** Return (columns, BANDS) values in 0..1, the lowest band first, and the peaks of the waveform. */
export function picture(sound, rate, columns) {
  const window = Float32Array.from(
    { length: SIZE },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / SIZE),
  );
  const edges = bandEdges(rate);
  const image = new Float32Array(columns * BANDS);
  const peaks = new Float32Array(columns);
  const re = new Float32Array(SIZE);
  const im = new Float32Array(SIZE);
  const step = sound.length / columns;
  const spread = step > SIZE ? Math.min(4, Math.ceil(step / SIZE)) : 1; // frames in a column
  let most = 1e-12;
  for (let c = 0; c < columns; c++) {
    const first = Math.floor(c * step);
    const last = Math.min(Math.floor((c + 1) * step) + 1, sound.length);
    for (let i = first; i < last; i++) peaks[c] = Math.max(peaks[c], Math.abs(sound[i]));
    for (let s = 0; s < spread; s++) {
      const centre = Math.floor((c + (s + 0.5) / spread) * step);
      for (let i = 0; i < SIZE; i++) {
        re[i] = (sound[centre - SIZE / 2 + i] ?? 0) * window[i];
        im[i] = 0;
      }
      transform(re, im);
      for (let b = 0; b < BANDS; b++) {
        const [low, high] = [edges[b], Math.max(edges[b + 1], edges[b] + 1)];
        let power = 0;
        for (let k = low; k < high; k++) power = Math.max(power, re[k] ** 2 + im[k] ** 2);
        image[c * BANDS + b] += power / spread;
      }
    }
    for (let b = 0; b < BANDS; b++) most = Math.max(most, image[c * BANDS + b]);
  }
  for (let i = 0; i < image.length; i++) {
    const level = 10 * Math.log10(Math.max(image[i], 1e-20) / most);
    image[i] = most > 1e-9 ? Math.max(0, 1 + level / RANGE) : 0;
  }
  return { image, bands: BANDS, columns, peaks };
}

/** Return the first bin of each band, and the end. */
function bandEdges(rate) {
  const toMel = (hertz) => 2595 * Math.log10(1 + hertz / 700);
  const toHertz = (mel) => 700 * (10 ** (mel / 2595) - 1);
  const top = toMel(Math.min(rate / 2, 12000));
  const bottom = toMel(40);
  return Array.from({ length: BANDS + 1 }, (_, b) => {
    const hertz = toHertz(bottom + ((top - bottom) * b) / BANDS);
    return Math.min(Math.round((hertz * SIZE) / rate), SIZE / 2);
  });
}

const cosines = Float32Array.from({ length: SIZE / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / SIZE));
const sines = Float32Array.from({ length: SIZE / 2 }, (_, i) => -Math.sin((2 * Math.PI * i) / SIZE));

/** The fast Fourier transform of SIZE complex numbers, in place. */
function transform(re, im) {
  for (let i = 1, j = 0; i < SIZE; i++) {
    let bit = SIZE >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  for (let length = 2; length <= SIZE; length <<= 1) {
    const half = length >> 1;
    const stride = SIZE / length;
    for (let i = 0; i < SIZE; i += length) {
      for (let k = 0; k < half; k++) {
        const c = cosines[k * stride];
        const s = sines[k * stride];
        const a = i + k;
        const b = a + half;
        const x = re[b] * c - im[b] * s;
        const y = re[b] * s + im[b] * c;
        re[b] = re[a] - x;
        im[b] = im[a] - y;
        re[a] += x;
        im[a] += y;
      }
    }
  }
}
