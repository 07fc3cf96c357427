/**
 * Ports held for a RESERVATION-TOKEN (RFC 8656 §7.2): the odd neighbour of an even port, open and
 * waiting for a second allocation, which may arrive on another worker. Hence shared memory, and
 * sockets known by the token that their engine gave when it detached them.
 */
import { i32 } from '../wire/bytes.ts';
import type { TurnLimits } from './settings.ts';
import { locked } from './spin-lock.ts';

const HEADER_WORDS = 1; // lock
const ENTRY_WORDS = 7; // in use, token (2), socket, relay address, port, expiry in seconds

/** How long a reserved port waits (RFC 8656 §7.2 asks for at least 30 s). */
export const RESERVATION_SECONDS = 30;
export const RESERVATION_TOKEN_BYTES = 8;

export interface Reservation {
  /** Token of a detached socket. */
  readonly socketToken: number;
  /** Place in the relay addresses. */
  readonly relayAddress: number;
  readonly port: number;
}

export class Reservations {
  readonly #words: Int32Array;
  readonly #entries: number;

  constructor(words: Int32Array) {
    this.#words = words;
    this.#entries = (words.length - HEADER_WORDS) / ENTRY_WORDS;
  }

  static words(limits: TurnLimits): number {
    return HEADER_WORDS + limits.reservations * ENTRY_WORDS;
  }

  /** Holds a port under the 8-byte token; false if too many are held. */
  put(token: Uint8Array, reservation: Reservation, nowSeconds: number): boolean {
    return locked(this.#words, () => {
      for (let i = 0; i < this.#entries; i++) {
        const entry = HEADER_WORDS + i * ENTRY_WORDS;
        if (this.#words[entry] !== 0) continue;
        this.#words[entry] = 1;
        this.#words[entry + 1] = i32(token, 0);
        this.#words[entry + 2] = i32(token, 4);
        this.#words[entry + 3] = reservation.socketToken;
        this.#words[entry + 4] = reservation.relayAddress;
        this.#words[entry + 5] = reservation.port;
        this.#words[entry + 6] = nowSeconds + RESERVATION_SECONDS;
        return true;
      }
      return false;
    });
  }

  /** Takes what is held under the token at `offset`, once; undefined if nothing is, or no longer. */
  take(bytes: Uint8Array, offset: number, nowSeconds: number): Reservation | undefined {
    return locked(this.#words, () => {
      for (let i = 0; i < this.#entries; i++) {
        const entry = HEADER_WORDS + i * ENTRY_WORDS;
        if (this.#words[entry] === 0) continue;
        if (this.#words[entry + 1] !== i32(bytes, offset)) continue;
        if (this.#words[entry + 2] !== i32(bytes, offset + 4)) continue;
        if ((this.#words[entry + 6] as number) <= nowSeconds) return undefined;
        return this.#remove(entry);
      }
      return undefined;
    });
  }

  /** Takes out one expired reservation, so that its port can be given back; undefined if there is none. */
  takeExpired(nowSeconds: number): Reservation | undefined {
    return locked(this.#words, () => {
      for (let i = 0; i < this.#entries; i++) {
        const entry = HEADER_WORDS + i * ENTRY_WORDS;
        if (this.#words[entry] === 0 || (this.#words[entry + 6] as number) > nowSeconds) continue;
        return this.#remove(entry);
      }
      return undefined;
    });
  }

  #remove(entry: number): Reservation {
    this.#words[entry] = 0;
    return {
      socketToken: this.#words[entry + 3] as number,
      relayAddress: this.#words[entry + 4] as number,
      port: this.#words[entry + 5] as number,
    };
  }
}
