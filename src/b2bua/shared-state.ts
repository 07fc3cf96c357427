/** What the workers' B2BUA cores must agree on, in shared memory: how many calls there are, which ports are taken. */
import { PortClaims } from '../wire/port-claims.ts';
import type { B2buaSettings } from './settings.ts';

const CALLS_WORD = 0;
const HEADER_WORDS = 1;

export class B2buaSharedState {
  readonly portClaims: PortClaims;
  readonly #words: Int32Array;
  readonly #callsMax: number;

  /** `buffer`: {@link B2buaSharedState.bytes} zeroed bytes; a SharedArrayBuffer where there are several workers. */
  constructor(settings: B2buaSettings, buffer: ArrayBufferLike) {
    this.#words = new Int32Array(buffer);
    this.#callsMax = settings.limits.calls;
    this.portClaims = new PortClaims(this.#words.subarray(HEADER_WORDS), settings.mediaPorts);
  }

  static bytes({ mediaPorts, mediaAddresses }: B2buaSettings): number {
    return 4 * (HEADER_WORDS + PortClaims.words(mediaPorts, mediaAddresses.length));
  }

  /** Calls of all workers. */
  get calls(): number {
    return Atomics.load(this.#words, CALLS_WORD);
  }

  /** Counts one call more; false where that would be too many. */
  admitCall(): boolean {
    if (Atomics.add(this.#words, CALLS_WORD, 1) < this.#callsMax) return true;
    this.releaseCall();
    return false;
  }

  releaseCall(): void {
    Atomics.sub(this.#words, CALLS_WORD, 1);
  }
}
