// Change the sample rate of a sound with a windowed sinc, as close to soxr's quality HQ as matters:
// flat up to 91.3 % of the lower band, 120 dB down from its end on, no delay.

const PASS = 0.9133; // of the lower Nyquist frequency
const BETA = 0.1102 * (120 - 8.7); // Kaiser window
const MOST_PHASES = 8192; // enough for all common rates to be exact

function divisor(a, b) {
  return b === 0 ? a : divisor(b, a % b);
}

function bessel(x) {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > 1e-12 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** Return the filter's taps for each phase, (phases, width), each phase with the sum 1. */
function taps(phases, ratio) {
  const scale = Math.min(1, ratio); // the lower of the two bands, in the source's
  const cutoff = (scale * (1 + PASS)) / 2;
  const half = Math.ceil((120 - 8) / (2.285 * Math.PI * (1 - PASS) * scale) / 2);
  const width = 4 * Math.ceil(half / 2); // a multiple of 4 that holds 2 * half
  const norm = bessel(BETA);
  const table = new Float32Array(phases * width);
  for (let phase = 0; phase < phases; phase++) {
    const row = new Float64Array(width);
    let sum = 0;
    for (let k = 0; k < width; k++) {
      const t = k - half + 1 - phase / phases;
      const inside = 1 - (t / half) ** 2;
      const sinc = t === 0 ? 1 : Math.sin(Math.PI * cutoff * t) / (Math.PI * cutoff * t);
      row[k] = inside > 0 ? (sinc * bessel(BETA * Math.sqrt(inside))) / norm : 0;
      sum += row[k];
    }
    for (let k = 0; k < width; k++) table[phase * width + k] = row[k] / sum;
  }
  return { table, width, half };
}

/** Resample a sound in one go; see `steps`. */
export function resample(sound, from, to) {
  const all = steps(sound, from, to);
  let step;
  do step = all.next();
  while (!step.done);
  return step.value;
}

const PIECE = 1 << 18; // samples between two pauses

/**
 * Resample a sound, with pauses.
 * @param {Float32Array} sound
 * @param {number} from its rate in Hz
 * @param {number} to the rate wanted, in Hz
 * @yields {number} the share that is done
 * @returns {Float32Array} the same array if the rates are equal
 */
export function* steps(sound, from, to) {
  if (from === to) return sound;
  const common = divisor(from, to);
  const phases = Math.min(to / common, MOST_PHASES);
  const filter = taps(phases, to / from);
  const out = new Float32Array(Math.round((sound.length * to) / from));
  const step = from / to;
  for (let first = 0; first < out.length; first += PIECE) {
    const last = Math.min(first + PIECE, out.length);
    const begin = Math.floor(first * step) - filter.width;
    const part = between(sound, begin, Math.ceil(last * step) + filter.width);
    fill(out, first, last, part, begin, step, phases, filter);
    yield last / out.length;
  }
  return out;
}

/** Return a part of a sound, with zeros before its beginning and after its end. */
function between(sound, begin, end) {
  const out = new Float32Array(end - begin);
  const first = Math.max(begin, 0);
  out.set(sound.subarray(first, Math.min(end, sound.length)), first - begin);
  return out;
}

/** Compute some of the samples from the part of the sound that begins at the sample `origin`. */
function fill(out, begin, end, part, origin, step, phases, { table, width, half }) {
  for (let i = begin; i < end; i++) {
    const place = i * step;
    let whole = Math.floor(place + 1e-9);
    let phase = Math.round((place - whole) * phases);
    if (phase === phases) {
      whole += 1;
      phase = 0;
    }
    const first = whole - half + 1 - origin;
    const row = phase * width;
    let [a, b, c, d] = [0, 0, 0, 0]; // four sums: each addition need not wait for the one before
    for (let k = 0; k < width; k += 4) {
      a += part[first + k] * table[row + k];
      b += part[first + k + 1] * table[row + k + 1];
      c += part[first + k + 2] * table[row + k + 2];
      d += part[first + k + 3] * table[row + k + 3];
    }
    out[i] = a + b + c + d;
  }
}
