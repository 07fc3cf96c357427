/**
 * The batch engine's sockets: small numbers for descriptors, one typed array a property. Numbers are
 * used again; the generation tells a socket from those that had its number before.
 */
import type { DatagramReceiver } from '../wire/datagram-io.ts';

const INITIAL_CAPACITY = 256;

export const LISTENER = 1;
export const RELAY = 2;

export class BatchSockets {
  /** The descriptor, or -1 for a number not in use. */
  fd: Int32Array = new Int32Array(INITIAL_CAPACITY).fill(-1);
  tag: Int32Array = new Int32Array(INITIAL_CAPACITY);
  family: Int32Array = new Int32Array(INITIAL_CAPACITY);
  /** {@link LISTENER} or {@link RELAY}. */
  role: Int32Array = new Int32Array(INITIAL_CAPACITY);
  generation: Int32Array = new Int32Array(INITIAL_CAPACITY);
  /** Reads for which a relay is asked for one packet alone (see batch-reader). */
  patience: Int32Array = new Int32Array(INITIAL_CAPACITY);
  /** Port of the last packet sent with DF, in case it was too big: the kernel's error leaves it out. */
  tooBigPort: Int32Array = new Int32Array(INITIAL_CAPACITY);
  /** First and last message of the send queue for this socket, or -1. */
  sendHead: Int32Array = new Int32Array(INITIAL_CAPACITY).fill(-1);
  sendTail: Int32Array = new Int32Array(INITIAL_CAPACITY).fill(-1);
  readonly receivers: (DatagramReceiver | undefined)[] = [];
  readonly #free: number[] = [];
  #used = 0;

  add(fd: number, family: number, role: number, receiver: DatagramReceiver, tag: number): number {
    const socket = this.#free.pop() ?? this.#used++;
    if (socket >= this.fd.length) this.#grow();
    this.fd[socket] = fd;
    this.family[socket] = family;
    this.role[socket] = role;
    this.tag[socket] = tag;
    this.patience[socket] = 0;
    this.receivers[socket] = receiver;
    return socket;
  }

  /** Gives the number back; returns the descriptor it had, or -1 if it was not in use. */
  remove(socket: number): number {
    const fd = this.isOpen(socket) ? (this.fd[socket] as number) : -1;
    if (fd < 0) return -1;
    this.fd[socket] = -1;
    this.generation[socket] = ((this.generation[socket] as number) + 1) | 0;
    this.receivers[socket] = undefined;
    this.#free.push(socket);
    return fd;
  }

  isOpen(socket: number): boolean {
    return socket >= 0 && socket < this.#used && (this.fd[socket] as number) >= 0;
  }

  /** The numbers in use. */
  open(): number[] {
    return [...this.fd.subarray(0, this.#used).keys()].filter((socket) => this.isOpen(socket));
  }

  #grow(): void {
    const size = this.fd.length * 2;
    this.fd = grown(this.fd, size, -1);
    this.tag = grown(this.tag, size, 0);
    this.family = grown(this.family, size, 0);
    this.role = grown(this.role, size, 0);
    this.generation = grown(this.generation, size, 0);
    this.tooBigPort = grown(this.tooBigPort, size, 0);
    this.patience = grown(this.patience, size, 0);
    this.sendHead = grown(this.sendHead, size, -1);
    this.sendTail = grown(this.sendTail, size, -1);
  }
}

function grown(column: Int32Array, size: number, fill: number): Int32Array {
  const larger = new Int32Array(size).fill(fill, column.length);
  larger.set(column);
  return larger;
}
