/**
 * Static NAT in front of the server: relays are bound to an internal address and known by an external
 * one. Peers that a client names by an external address are taken for the internal one behind it, so
 * that a relay reaches another relay of the node without a NAT that loops packets back (where the
 * appliance fails: CSCvf85709).
 */
import type { EndpointBook } from '../wire/endpoint.ts';
import type { RelayAddress } from './settings.ts';

export class StaticNat {
  /** Whether any relay address has an external one. */
  readonly active: boolean;
  readonly #book: EndpointBook;
  readonly #pairs: { internal: number; external: number }[] = [];
  readonly #shown: number; // scratch row

  constructor(book: EndpointBook, relayAddresses: readonly RelayAddress[]) {
    this.#book = book;
    this.#shown = book.acquire();
    for (const { address, external } of relayAddresses) {
      if (external === undefined) continue;
      const pair = { internal: book.acquire(), external: book.acquire() };
      if (!book.setText(pair.internal, address, 0) || !book.setText(pair.external, external, 0)) {
        throw new Error(
          `externalAddresses: must map IP addresses to IP addresses: got ${address}: ${external}`,
        );
      }
      this.#pairs.push(pair);
    }
    this.active = this.#pairs.length > 0;
  }

  /** Replaces an external address in the row by the internal one; the port stays. */
  toInternal(row: number): void {
    this.#replace(row, 'external', 'internal');
  }

  /** The row of an address as the world knows it: the row itself, or one that is valid until the next call. */
  shown(row: number): number {
    if (!this.active) return row;
    this.#book.copy(row, this.#shown);
    this.#replace(this.#shown, 'internal', 'external');
    return this.#shown;
  }

  #replace(row: number, from: 'internal' | 'external', to: 'internal' | 'external'): void {
    for (const pair of this.#pairs) {
      if (!this.#book.sameAddress(pair[from], row)) continue;
      const port = this.#book.port(row);
      this.#book.copy(pair[to], row);
      this.#book.setPort(row, port);
      return;
    }
  }
}
