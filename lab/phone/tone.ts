/** A phone's voice, one sine, and the ear that tells which sine it hears. */
import { muLawOf, SAMPLES_PER_SECOND, sampleOf } from './mu-law.ts';

const AMPLITUDE = 8000;

/** µ-law of a sine, continuous from packet to packet. @param firstSample since the tone began */
export function tonePayload(toneHz: number, firstSample: number, samples: number): Buffer {
  const payload = Buffer.alloc(samples);
  const step = (2 * Math.PI * toneHz) / SAMPLES_PER_SECOND;
  for (let i = 0; i < samples; i++) payload[i] = muLawOf(AMPLITUDE * Math.sin(step * (firstSample + i)));
  return payload;
}

/** Half a second of packets of 20 ms, and as few as tell a tone. */
const PACKETS_MAX = 25;
const PACKETS_MIN = 10;
/** RMS of a sample: less is silence. */
const SILENCE = 50;
/** Of the energy, what one sine does not explain: 0.0003 with the noise of µ-law alone. */
const RESIDUE_MAX = 0.01;
/** Packets whose own frequency is another: two voices in one stream. */
const DEVIATION_HZ = 20;
const DEVIANTS_MAX = 0.1;

/**
 * Sums over a packet. The samples of a sine obey x[n-1] + x[n+1] = 2 cos(ω) x[n], with one ω for its frequency;
 * the sums are what a least-squares fit of it needs, and lost packets do not disturb it.
 */
interface Sums {
  /** Of (x[n-1] + x[n+1])². */
  readonly neighbours: number;
  /** Of (x[n-1] + x[n+1]) x[n]. */
  readonly product: number;
  /** Of x[n]². */
  readonly energy: number;
  readonly count: number;
}

export class ToneMeter {
  readonly #packets: Sums[] = [];

  /** A packet's payload. */
  hear(payload: Uint8Array): void {
    this.#packets.push(sumsOf(payload));
    if (this.#packets.length > PACKETS_MAX) this.#packets.shift();
  }

  /** Whole Hz; null where it is no clear tone, or too little was heard. */
  get toneHz(): number | null {
    if (this.#packets.length < PACKETS_MIN) return null;
    const all = this.#packets.reduce(plus);
    if (all.count === 0 || Math.sqrt(all.energy / all.count) < SILENCE) return null;
    const residue = all.neighbours - all.product ** 2 / all.energy;
    if (residue > RESIDUE_MAX * all.energy) return null;
    const toneHz = frequencyOf(all);
    const deviants = this.#packets.filter((sums) => !(Math.abs(frequencyOf(sums) - toneHz) < DEVIATION_HZ));
    return deviants.length > DEVIANTS_MAX * this.#packets.length ? null : Math.round(toneHz);
  }
}

function sumsOf(payload: Uint8Array): Sums {
  let [neighbours, product, energy] = [0, 0, 0];
  const samples = Float64Array.from(payload, sampleOf);
  const count = Math.max(0, samples.length - 2);
  for (let i = 1; i <= count; i++) {
    const around = (samples[i - 1] ?? 0) + (samples[i + 1] ?? 0);
    const sample = samples[i] ?? 0;
    neighbours += around * around;
    product += around * sample;
    energy += sample * sample;
  }
  return { neighbours, product, energy, count };
}

function plus(a: Sums, b: Sums): Sums {
  return {
    neighbours: a.neighbours + b.neighbours,
    product: a.product + b.product,
    energy: a.energy + b.energy,
    count: a.count + b.count,
  };
}

/** NaN where there is no energy, or no sine fits. */
function frequencyOf({ product, energy }: Sums): number {
  return (Math.acos(product / energy / 2) * SAMPLES_PER_SECOND) / (2 * Math.PI);
}
