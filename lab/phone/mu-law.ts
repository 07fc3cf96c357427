/** G.711 µ-law: a byte a sample of 8000 a second. */

export const SAMPLES_PER_SECOND = 8000;

const BIAS = 0x84;
const CLIP = 32_635;

/** @param sample 16-bit signed */
export function muLawOf(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(Math.round(sample)), CLIP) + BIAS;
  const exponent = 24 - Math.clz32(magnitude); // of the highest bit, 7 being the lowest that can be
  const mantissa = (magnitude >> (exponent + 3)) & 0xf;
  return ~(sign | (exponent << 4) | mantissa) & 0xff;
}

/** The 16-bit signed sample of a byte. */
export function sampleOf(byte: number): number {
  const bits = ~byte & 0xff;
  const magnitude = ((((bits & 0xf) << 3) + BIAS) << ((bits >> 4) & 7)) - BIAS;
  return bits & 0x80 ? -magnitude : magnitude;
}
