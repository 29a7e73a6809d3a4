// Decode a long file piece by piece: `decodeAudioData` takes a file whole, with all its channels.
// Mediabunny reads the container and the browser's WebCodecs decode.

/** The browser lacks what this needs, or the file is of another kind. */
export class NotInPieces extends Error {}

/**
 * Decode a file to mono. Only the result and a second or so of the channels are in memory.
 * @param {Blob} file
 * @param {{samples: number, seconds: number}} limits most that is allowed
 * @param {(share: number) => void} step called with the share that is done; what it throws ends it
 * @returns {Promise<{samples: Float32Array, rate: number}>}
 * @throws {NotInPieces} the file must be decoded otherwise
 * @throws {RangeError} more than allowed, or no memory
 */
export async function decodeInPieces(file, limits, step) {
  const { ALL_FORMATS, AudioSampleSink, BlobSource, Input } = await library();
  const input = new Input({ source: new BlobSource(file), formats: ALL_FORMATS });
  try {
    const track = await opened(input);
    const rate = track.sampleRate;
    const most = Math.min(limits.samples, limits.seconds * rate);
    const length = Math.round((await track.computeDuration()) * rate);
    if (length > most) throw new RangeError("too many samples");
    let samples = new Float32Array(length);
    let done = 0;
    for await (const sample of new AudioSampleSink(track).samples()) {
      const early = Math.max(0, Math.round(-sample.timestamp * rate)); // before the beginning
      const piece = mean(sample).subarray(early);
      sample.close();
      if (done + piece.length > samples.length) samples = longer(samples, done + piece.length, most);
      samples.set(piece, done);
      done += piece.length;
      step(Math.min(done / length, 1));
    }
    return { samples: done < samples.length ? samples.subarray(0, done) : samples, rate };
  } finally {
    input.dispose();
  }
}

async function library() {
  if (typeof AudioDecoder !== "function") throw new NotInPieces();
  try {
    return await import("./vendor/mediabunny.min.mjs");
  } catch {
    throw new NotInPieces(); // no network, and it has not been used before
  }
}

async function opened(input) {
  let track = null;
  try {
    track = await input.getPrimaryAudioTrack();
    if (track && !(await track.canDecode())) track = null;
  } catch {
    // no container that it knows
  }
  if (!track) throw new NotInPieces();
  return track;
}

/** Return the mean of the channels of a piece. */
function mean(sample) {
  const { numberOfChannels: channels, numberOfFrames: frames } = sample;
  const out = new Float32Array(frames);
  const plane = channels > 1 ? new Float32Array(frames) : out;
  for (let planeIndex = 0; planeIndex < channels; planeIndex++) {
    sample.copyTo(plane, { planeIndex, format: "f32-planar" });
    if (channels > 1) for (let i = 0; i < frames; i++) out[i] += plane[i] / channels;
  }
  return out;
}

function longer(samples, needed, most) {
  if (needed > most) throw new RangeError("too many samples");
  const out = new Float32Array(Math.min(most, Math.ceil(1.2 * needed)));
  out.set(samples);
  return out;
}
