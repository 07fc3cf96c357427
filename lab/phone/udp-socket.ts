/** A UDP socket of a phone: bound to its address and a port of its range; sending never throws. */
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { isStun } from './ice-check.ts';
import type { PhonePorts } from './phone-ports.ts';
import { A, BINDING, decode, decodeXorAddress, encode, find, REQUEST, SUCCESS } from './plain-stun.ts';
import type { TransportAddress } from './protocol.ts';
import { transportText } from './transport-address.ts';

/** Of a port and the next, so that RTCP can have one. */
const PORTS_EACH = 2;
/** By tries, not by time: a process that has slept finds its answer waiting. */
const BINDING_TRIES = 6;
const BINDING_RETRANSMISSION_MS = 250;

export class UdpSocket {
  readonly place: TransportAddress;
  onDatagram: (bytes: Buffer, from: TransportAddress) => void = () => {};
  readonly #socket: Socket;
  readonly #asked = new Map<string, (mapped: TransportAddress | undefined) => void>();
  #isClosed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const { address, port } = socket.address();
    this.place = { address, port };
    socket.on('message', (bytes, { address: host, port: number }) =>
      this.#received(bytes, { address: host, port: number }),
    );
  }

  /** @throws Error (rejects) where no port of the range is free */
  static async open(address: string, ports: PhonePorts): Promise<UdpSocket> {
    let reason: unknown;
    for (let left = ports.rounds(PORTS_EACH); left > 0; left--) {
      try {
        return await UdpSocket.openAt({ address, port: ports.take(PORTS_EACH) });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
        reason = error;
      }
    }
    throw new Error(`no UDP port is free at ${address}`, { cause: reason });
  }

  /** @throws Error (rejects) where it is taken */
  static async openAt({ address, port }: TransportAddress): Promise<UdpSocket> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ address, port, exclusive: true }, () => {
        socket.off('error', reject);
        resolve();
      });
    }).catch((error) => {
      socket.close();
      throw error;
    });
    // What cannot be sent is lost, as on any network: no route, a firewall that says no.
    socket.on('error', () => {});
    return new UdpSocket(socket);
  }

  send(bytes: Uint8Array, { address, port }: TransportAddress): void {
    if (!this.#isClosed && port > 0) this.#socket.send(bytes, port, address);
  }

  /** Where a STUN server sees this socket; undefined where it does not answer. */
  async askMapped(server: TransportAddress): Promise<TransportAddress | undefined> {
    const transactionId = randomBytes(12);
    const key = keyOf(transactionId, server);
    const request = encode({ method: BINDING, kind: REQUEST, transactionId, attributes: [] });
    return new Promise((resolve) => {
      const done = (mapped?: TransportAddress): void => {
        this.#asked.delete(key);
        resolve(mapped);
      };
      const tryOnce = (left: number): void => {
        if (!this.#asked.has(key)) return;
        if (left === 0 || this.#isClosed) return done();
        this.send(request, server);
        setTimeout(() => tryOnce(left - 1), BINDING_RETRANSMISSION_MS);
      };
      this.#asked.set(key, done);
      tryOnce(BINDING_TRIES);
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
  }

  #received(bytes: Buffer, from: TransportAddress): void {
    if (this.#isClosed) return;
    const asked = isStun(bytes) ? this.#asked.get(keyOf(bytes.subarray(8, 20), from)) : undefined;
    if (asked) asked(mappedIn(bytes));
    else this.onDatagram(bytes, from);
  }
}

function keyOf(transactionId: Buffer, server: TransportAddress): string {
  return `${transactionId.toString('hex')} ${transportText(server)}`;
}

function mappedIn(bytes: Buffer): TransportAddress | undefined {
  try {
    const message = decode(bytes);
    const mapped = message.kind === SUCCESS ? find(message, A.xorMappedAddress) : undefined;
    return mapped && decodeXorAddress(mapped, message.transactionId);
  } catch {
    return undefined; // no STUN, or another's: as if nothing had come
  }
}
