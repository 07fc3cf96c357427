import type { LinkStatus, LinkTotals } from './call-status.ts';
import type { TrafficRates, TrafficTotals } from './source.ts';

/** Samples kept: with one a second, rates are averages over the last five seconds. */
const SAMPLES_MAX = 6;

/** Makes rates of totals that are sampled about once a second; each total is known by its place. */
class RateMeter {
  readonly #samples: { readonly atMs: number; readonly totals: readonly number[] }[] = [];

  /** @param nowMs monotonic; a sample at the time of the last one is left out. */
  sample(nowMs: number, totals: readonly number[]): void {
    const last = this.#samples.at(-1);
    if (last && nowMs <= last.atMs) return;
    this.#samples.push({ atMs: nowMs, totals });
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
  }

  get windowSeconds(): number {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    return first && last ? (last.atMs - first.atMs) / 1000 : 0;
  }

  /** The average between the oldest and the newest sample, of as many units as each of the total is; 0 before the second. */
  perSecond(place: number, units: number): number {
    const first = this.#samples[0]?.totals[place] ?? 0;
    const last = this.#samples.at(-1)?.totals[place] ?? 0;
    const { windowSeconds } = this;
    return windowSeconds > 0 ? Math.round(((last - first) * units) / windowSeconds) : 0;
  }
}

const BITS = 8;

/** Rates of what TURN relays. */
export class TrafficMeter {
  readonly #meter = new RateMeter();

  sample(nowMs: number, totals: TrafficTotals): void {
    const { packetsClientToPeer, bytesClientToPeer, packetsPeerToClient, bytesPeerToClient } = totals;
    this.#meter.sample(nowMs, [
      packetsClientToPeer,
      bytesClientToPeer,
      packetsPeerToClient,
      bytesPeerToClient,
    ]);
  }

  rates(): TrafficRates {
    const meter = this.#meter;
    return {
      windowSeconds: Math.round(meter.windowSeconds * 10) / 10,
      packetsPerSecondClientToPeer: meter.perSecond(0, 1),
      bitsPerSecondClientToPeer: meter.perSecond(1, BITS),
      packetsPerSecondPeerToClient: meter.perSecond(2, 1),
      bitsPerSecondPeerToClient: meter.perSecond(3, BITS),
    };
  }
}

/** Rates of what goes over the links of the B2BUA's zones. */
export class LinkMeter {
  readonly #meter = new RateMeter();

  /** The links and their order stay the same while a node runs. */
  sample(nowMs: number, links: readonly LinkTotals[]): void {
    this.#meter.sample(
      nowMs,
      links.flatMap(({ packetsReceived, bytesReceived, packetsSent, bytesSent }) => [
        packetsReceived,
        bytesReceived,
        packetsSent,
        bytesSent,
      ]),
    );
  }

  /** @param links as they are now */
  status(links: readonly LinkTotals[]): LinkStatus[] {
    return links.map((link, i) => ({
      ...link,
      packetsPerSecondReceived: this.#meter.perSecond(4 * i, 1),
      bitsPerSecondReceived: this.#meter.perSecond(4 * i + 1, BITS),
      packetsPerSecondSent: this.#meter.perSecond(4 * i + 2, 1),
      bitsPerSecondSent: this.#meter.perSecond(4 * i + 3, BITS),
    }));
  }
}
