import type { TrafficRates, TrafficTotals } from './source.ts';

/** Samples kept: with one a second, rates are averages over the last five seconds. */
const SAMPLES_MAX = 6;

/** Makes rates of totals that are sampled about once a second. */
export class TrafficMeter {
  readonly #samples: { readonly atMs: number; readonly totals: TrafficTotals }[] = [];

  /** @param nowMs monotonic; a sample at the time of the last one is left out. */
  sample(nowMs: number, totals: TrafficTotals): void {
    const last = this.#samples.at(-1);
    if (last && nowMs <= last.atMs) return;
    this.#samples.push({ atMs: nowMs, totals });
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
  }

  /** Averages between the oldest and the newest sample; zeros before the second. */
  rates(): TrafficRates {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    const windowSeconds = first && last ? (last.atMs - first.atMs) / 1000 : 0;
    const perSecond = (pick: (totals: TrafficTotals) => number): number =>
      first && last && windowSeconds > 0
        ? Math.round((pick(last.totals) - pick(first.totals)) / windowSeconds)
        : 0;
    return {
      windowSeconds: Math.round(windowSeconds * 10) / 10,
      packetsPerSecondClientToPeer: perSecond((totals) => totals.packetsClientToPeer),
      bitsPerSecondClientToPeer: perSecond((totals) => totals.bytesClientToPeer * 8),
      packetsPerSecondPeerToClient: perSecond((totals) => totals.packetsPeerToClient),
      bitsPerSecondPeerToClient: perSecond((totals) => totals.bytesPeerToClient * 8),
    };
  }
}
