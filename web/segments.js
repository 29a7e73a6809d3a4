// How a sound is cut, predicted and averaged: the same as zoo/audio/segmentation.py,
// zoo/inference/onsets.py and the mean of zoo/inference/results.py.

/**
 * List the segments of a sound.
 * @param {number} total samples of the sound, at the model's rate
 * @param {{segment: number, hop: number, pad: number, sample_rate: number}} cut
 * @returns {{begin: number, start: number, fresh: number}[]} begin in the padded sound, in samples;
 *   start and the newly covered part in seconds
 */
export function list(total, { segment, hop, pad, sample_rate: rate }) {
  if (total < segment - 2 * pad) return [{ begin: 0, start: 0, fresh: total / rate }];
  const found = [];
  let covered = 0;
  for (let begin = 0; begin + segment <= total + 2 * pad; begin += hop) {
    const reached = Math.min(begin + segment - pad, total);
    found.push({ begin, start: begin / rate, fresh: (reached - covered) / rate });
    covered = reached;
  }
  if (covered < total) {
    const begin = total + 2 * pad - segment;
    found.push({ begin, start: begin / rate, fresh: (total - covered) / rate });
  }
  return found;
}

/** Return the samples of a segment; a sound that is too short is repeated. */
export function samples(sound, begin, { segment, pad }) {
  const out = new Float32Array(segment);
  if (sound.length < segment - 2 * pad) {
    for (let i = pad; i < segment - pad; i++) out[i] = sound[(i - pad) % sound.length];
    return out;
  }
  const first = Math.max(begin - pad, 0);
  const last = Math.min(begin - pad + segment, sound.length);
  out.set(sound.subarray(first, last), first - (begin - pad));
  return out;
}

/** Return the mean over segments, each weighted by the part that it newly covers. */
export function mean(rows, seconds) {
  const total = seconds.reduce((a, b) => a + b, 0);
  return rows[0].map((_, k) => rows.reduce((sum, row, i) => sum + row[k] * seconds[i], 0) / total);
}

// --- onsets ---

const CHUNK = 256; // frames that the network takes at once
const THRESHOLD = 0.54 / 2.24;
const SMOOTH = 0.05;
const COMBINE = 0.03;

/**
 * List the chunks of a sound for a network with one output a frame.
 * @returns {{start: number, frames: number, from: number, to: number}[]} first frame and number of
 *   frames of the chunk; the part of its result that counts
 */
export function chunks(total, { hop_length: hop, context }) {
  const end = Math.ceil(total / hop);
  const found = [];
  let start = 0;
  let done = 0;
  while (total > (start + CHUNK) * hop) {
    found.push({ start, frames: CHUNK, from: done - start, to: CHUNK - context });
    done = start + CHUNK - context;
    start = done - context;
  }
  start = Math.max(0, end - CHUNK);
  found.push({ start, frames: end - start, from: done - start, to: end - start });
  return found;
}

/** Return the times of the peaks of an activation, in seconds. */
export function pick(activation, frameRate) {
  const size = Math.max(1, Math.round(SMOOTH * frameRate));
  const kernel = Array.from({ length: size }, (_, i) =>
    size === 1 ? 1 : 0.54 - 0.46 * Math.cos((2 * Math.PI * i) / (size - 1)),
  );
  const sum = kernel.reduce((a, b) => a + b);
  const shift = Math.floor((size - 1) / 2);
  const smooth = Array.from(activation, (_, i) => {
    let value = 0;
    for (let k = 0; k < size; k++) value += (activation[i + shift - k] ?? 0) * kernel[k];
    return value / sum;
  });
  const times = [];
  smooth.forEach((value, i) => {
    const peak = value >= THRESHOLD && value >= Math.max(smooth[i - 1] ?? 0, smooth[i + 1] ?? 0);
    const time = i / frameRate;
    if (peak && (!times.length || time - times.at(-1) > COMBINE + 1e-9)) times.push(time);
  });
  return times;
}
