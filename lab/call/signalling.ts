/**
 * Offers and answers of one call through the media plane, as SIP proxies in a row would carry them: an offer goes
 * from hop to hop, each of which changes it, and the answer comes back the same way.
 */
import type { Hop } from '../media-plane/media-plane.ts';
import type { NgDictionary } from '../media-plane/ng-client.ts';

export type CallSide = 'caller' | 'callee';

export class Signalling {
  readonly #callId: string;
  readonly #hops: readonly Hop[];
  #isAnswered = false;

  /** @param hops from the caller to the callee */
  constructor(callId: string, hops: readonly Hop[]) {
    this.#callId = callId;
    this.#hops = hops;
  }

  /**
   * An exchange by either side.
   * @param answer what the other side says to the offer as it arrives there
   * @returns the answer as the offerer gets it
   * @throws Error (rejects) where a hop refuses, or does not answer
   */
  async exchange(by: CallSide, offer: string, answer: (offer: string) => Promise<string>): Promise<string> {
    const tags = by === 'caller' ? ['caller', 'callee'] : ['callee', 'caller'];
    const hops = by === 'caller' ? this.#hops : [...this.#hops].reverse();
    let sdp = offer;
    for (const hop of hops) {
      sdp = await this.#command(hop, {
        ...{ command: 'offer', 'from-tag': tags[0] },
        ...(this.#isAnswered ? { 'to-tag': tags[1] } : {}),
        direction: by === 'caller' ? hop.direction : [...hop.direction].reverse(),
        ...hop.offer,
        sdp,
      });
    }
    sdp = await answer(sdp);
    for (const hop of [...hops].reverse()) {
      sdp = await this.#command(hop, {
        ...{ command: 'answer', 'from-tag': tags[0], 'to-tag': tags[1], ...hop.answer, sdp },
      });
    }
    this.#isAnswered = true;
    return sdp;
  }

  /** Tells every hop that the call is over; one that knows nothing of it any more, or is down, does not matter. */
  async end(): Promise<void> {
    await Promise.allSettled(
      this.#hops.map((hop) =>
        hop.client.command({
          ...{ command: 'delete', 'call-id': this.#callId + hop.suffix, 'from-tag': 'caller' },
          'delete-delay': 0,
        }),
      ),
    );
  }

  async #command(hop: Hop, dictionary: NgDictionary): Promise<string> {
    const reply = await hop.client.command({ 'call-id': this.#callId + hop.suffix, ...dictionary });
    if (reply.result !== 'ok' || typeof reply.sdp !== 'string') {
      const reason = reply['error-reason'] ?? JSON.stringify(reply);
      throw new Error(
        `${String(dictionary.command)} refused (${hop.direction.join(' to ')}): ${String(reason)}`,
      );
    }
    return reply.sdp;
  }
}
