/** What is heard in a recording (WAV, 16 bits): how long, how loud, and whether it is a certain tone. */

/** Of G.711 (RFC 3551 §4.5.14). */
export const PCMU_RATE_HZ = 8000;

export interface Recording {
  readonly rateHz: number;
  readonly samples: Int16Array;
}

/** Sound of a while. */
export interface Sound {
  readonly seconds: number;
  /** Seconds in which nearly all of the energy is the tone. */
  readonly toneSeconds: number;
  /** Level of the loud parts in dB below full scale (dBFS of the RMS); -Infinity where all is silent. */
  readonly levelDb: number;
}

/** Windows of 0.1 s make bins of 10 Hz. */
const WINDOWS_PER_SECOND = 10;
/** What is quieter than this RMS counts as silence. */
const SILENCE = 300;
/** So much of a window's energy within 20 Hz of the tone makes it the tone. */
const TONE_SHARE_MIN = 0.8;

const WAV_HEADER_BYTES = 44;

/** Reads the first channel. A recording that is still being written has an unfinished header: its length is not read. */
export function readWav(wav: Buffer): Recording {
  if (wav.length < WAV_HEADER_BYTES) return { rateHz: PCMU_RATE_HZ, samples: new Int16Array() };
  const channels = wav.readUInt16LE(22);
  const count = Math.floor((wav.length - WAV_HEADER_BYTES) / (2 * channels));
  const samples = new Int16Array(count);
  for (let i = 0; i < count; i++) samples[i] = wav.readInt16LE(WAV_HEADER_BYTES + 2 * channels * i);
  return { rateHz: wav.readUInt32LE(24), samples };
}

/** Listens for a tone in samples. */
export function listen(samples: Int16Array, rateHz: number, toneHz: number): Sound {
  const size = Math.floor(rateHz / WINDOWS_PER_SECOND);
  let [windows, loud, tone, energy] = [0, 0, 0, 0];
  for (let at = 0; at + size <= samples.length; at += size) {
    const window = samples.subarray(at, at + size);
    const power = window.reduce((sum, value) => sum + value * value, 0) / size;
    windows++;
    if (power < SILENCE * SILENCE) continue;
    loud++;
    energy += power;
    const step = rateHz / size;
    const near = [toneHz - step, toneHz, toneHz + step].map((hz) => powerAt(window, hz, rateHz));
    if (near.reduce((sum, one) => sum + one, 0) > TONE_SHARE_MIN * power) tone++;
  }
  return {
    seconds: windows / WINDOWS_PER_SECOND,
    toneSeconds: tone / WINDOWS_PER_SECOND,
    levelDb: 10 * Math.log10(energy / loud / 32_768 ** 2),
  };
}

/** Mean power of one frequency in a window (Goertzel's algorithm). */
function powerAt(window: Int16Array, hz: number, rateHz: number): number {
  const factor = 2 * Math.cos((2 * Math.PI * hz) / rateHz);
  let [previous, beforePrevious] = [0, 0];
  for (const value of window) {
    [previous, beforePrevious] = [value + factor * previous - beforePrevious, previous];
  }
  const magnitude = previous ** 2 + beforePrevious ** 2 - factor * previous * beforePrevious;
  return (2 * magnitude) / window.length ** 2;
}
