/**
 * Transport addresses (IP and port) as rows of one byte array.
 *
 * A row is laid out as Linux's `struct sockaddr_in` / `sockaddr_in6`, so that the kernel fills the
 * source of a received packet and reads the destination of a sent one in place, and a flow's
 * destination is built once, not per packet. Engines that make no system calls use the same layout.
 *
 *      byte  0        2        4          8                        24          28      32
 *      IPv4  family 2 | port BE | address  | zero                  |           | spare |
 *      IPv6  family 10| port BE | flow 0   | address               | scope     | spare |
 *
 * The first `scratchRows` rows belong to the engine (sources of the current batch); the others are
 * acquired and released by their owners. Host byte order is little endian (x64, arm64).
 */
import { formatAddress, formatEndpoint, parseAddress } from './address.ts';

export const INET = 2;
export const INET6 = 10;
export const ENDPOINT_BYTES = 32;
export const ENDPOINT_WORDS = 8;

const SPARE_WORD = 7; // link of the free list, in rows nobody owns
const FAMILY_MASK = 0xffff;

export class EndpointBook {
  readonly bytes: Uint8Array;
  /** The same memory as 32-bit words, {@link ENDPOINT_WORDS} a row: for comparing and hashing. */
  readonly words: Int32Array;
  readonly capacity: number;
  readonly scratchRows: number;
  #untouched: number;
  #free = -1;
  /** Rows released since the last {@link recycle}, first and last of a list. */
  #releasedFirst = -1;
  #releasedLast = -1;
  #acquired = 0;

  /** `buffer` holds `capacity` rows of {@link ENDPOINT_BYTES} and must be zeroed. */
  constructor(capacity: number, scratchRows: number, buffer?: ArrayBuffer) {
    const memory = buffer ?? new ArrayBuffer(capacity * ENDPOINT_BYTES);
    this.bytes = new Uint8Array(memory, 0, capacity * ENDPOINT_BYTES);
    this.words = new Int32Array(memory, 0, capacity * ENDPOINT_WORDS);
    this.capacity = capacity;
    this.scratchRows = scratchRows;
    this.#untouched = scratchRows;
  }

  /** Rows in use beyond the scratch rows. */
  get acquired(): number {
    return this.#acquired;
  }

  /** A row of one's own, contents undefined; -1 if the book is full. */
  acquire(): number {
    let row = this.#free;
    if (row >= 0) this.#free = this.words[row * ENDPOINT_WORDS + SPARE_WORD] as number;
    else if (this.#untouched < this.capacity) row = this.#untouched++;
    else return -1;
    this.#acquired++;
    return row;
  }

  /** A row of one's own with the contents of another; -1 if the book is full. */
  acquireCopy(of: number): number {
    const row = this.acquire();
    if (row >= 0) this.copy(of, row);
    return row;
  }

  /**
   * Gives a row up. Its address stays readable, and nobody else gets the row, until {@link recycle}: a
   * packet that is queued to it must not go to whoever comes next.
   */
  release(row: number): void {
    this.words[row * ENDPOINT_WORDS + SPARE_WORD] = this.#releasedFirst;
    this.#releasedFirst = row;
    if (this.#releasedLast < 0) this.#releasedLast = row;
    this.#acquired--;
  }

  /** Called by the engine when all that was queued has been sent: released rows may be acquired again. */
  recycle(): void {
    if (this.#releasedFirst < 0) return;
    this.words[this.#releasedLast * ENDPOINT_WORDS + SPARE_WORD] = this.#free;
    this.#free = this.#releasedFirst;
    this.#releasedFirst = this.#releasedLast = -1;
  }

  copy(from: number, to: number): void {
    const base = from * ENDPOINT_WORDS;
    this.words.copyWithin(to * ENDPOINT_WORDS, base, base + SPARE_WORD);
  }

  /** {@link INET} or {@link INET6}. */
  family(row: number): number {
    return (this.words[row * ENDPOINT_WORDS] as number) & FAMILY_MASK;
  }

  port(row: number): number {
    const word = (this.words[row * ENDPOINT_WORDS] as number) >>> 16;
    return ((word & 0xff) << 8) | (word >>> 8);
  }

  setPort(row: number, port: number): void {
    const base = row * ENDPOINT_BYTES;
    this.bytes[base + 2] = port >>> 8;
    this.bytes[base + 3] = port;
  }

  /** Offset in {@link bytes} of the row's address: 4 bytes of IPv4, 16 of IPv6. */
  addressOffset(row: number): number {
    return row * ENDPOINT_BYTES + (this.family(row) === INET ? 4 : 8);
  }

  /** Writes an address of `length` 4 or 16 bytes found at `offset` of `source`. */
  set(row: number, source: Uint8Array, offset: number, length: number, port: number): void {
    const base = row * ENDPOINT_WORDS;
    for (let i = 1; i < SPARE_WORD; i++) this.words[base + i] = 0;
    this.words[base] = (length === 4 ? INET : INET6) | (((port & 0xff) << 24) | ((port >>> 8) << 16));
    const to = row * ENDPOINT_BYTES + (length === 4 ? 4 : 8);
    for (let i = 0; i < length; i++) this.bytes[to + i] = source[offset + i] as number;
  }

  /** Same family, address and port. */
  equals(a: number, b: number): boolean {
    return this.words[a * ENDPOINT_WORDS] === this.words[b * ENDPOINT_WORDS] && this.sameAddress(a, b);
  }

  /** Same family and address, whatever the ports. */
  sameAddress(a: number, b: number): boolean {
    const { words } = this;
    const left = a * ENDPOINT_WORDS;
    const right = b * ENDPOINT_WORDS;
    const family = (words[left] as number) & FAMILY_MASK;
    if (family !== ((words[right] as number) & FAMILY_MASK)) return false;
    if (family === INET) return words[left + 1] === words[right + 1];
    for (let i = 2; i < 6; i++) if (words[left + i] !== words[right + i]) return false;
    return true;
  }

  /** The address's bytes, copied (control plane). */
  address(row: number): Uint8Array {
    const offset = this.addressOffset(row);
    return this.bytes.slice(offset, offset + (this.family(row) === INET ? 4 : 16));
  }

  addressText(row: number): string {
    return formatAddress(this.address(row));
  }

  /** `address:port` (control plane). */
  text(row: number): string {
    return formatEndpoint(this.addressText(row), this.port(row));
  }

  /** Writes an address given as text; false (and nothing written) if it is not one. */
  setText(row: number, address: string, port: number): boolean {
    const bytes = parseAddress(address);
    if (bytes) this.set(row, bytes, 0, bytes.length, port);
    return bytes !== undefined;
  }
}
