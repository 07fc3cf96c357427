/** A small TURN server that always says yes, for a generator in virtual time. */
import { SEND_AREA_BYTES } from '../../../src/bench/generator-io.ts';
import { setU16, u8, u16 } from '../../../src/wire/bytes.ts';
import * as stun from '../../../src/wire/stun.ts';
import { StunWriter } from '../../../src/wire/stun-writer.ts';
import { SimulatedIo } from './simulated-io.ts';

const RELAY_PORT_FIRST = 24_000;

export class SimulatedTurn extends SimulatedIo {
  /** Decides for the n-th relayed packet, counted from 1, how often it arrives. */
  copies: (packet: number) => number = () => 1;
  /** Refuses the n-th Allocate, counted from 1, with this code; 0 grants it. */
  refuseAllocate: (request: number) => number = () => 0;

  /** No answer to any request. */
  isMute = false;

  readonly methods: number[] = [];
  /** Relays that are allocated now, by client socket. */
  readonly relays: Map<number, { port: number; channel: number; peerPort: number }> = new Map();

  #allocates = 0;
  #relayed = 0;
  readonly #peerSockets = new Map<number, number>();
  readonly #reader = new stun.StunReader([0x0c, 0x0d, 0x12, 0x13, 0x19]);
  readonly #relayRow: number = this.endpoints.acquire();
  readonly #scratchRow: number = this.endpoints.acquire();

  protected override opened(socket: number, local: number): void {
    if (local >= 0) this.#peerSockets.set(40_000 + socket, socket);
  }

  protected sent(socket: number, packet: Uint8Array, destination: number): void {
    if (destination >= 0) this.#fromPeer(socket, this.endpoints.port(destination), packet);
    else if (u8(packet, 0) >= 0x40) this.#fromClient(socket, packet.subarray(4, 4 + u16(packet, 2)));
    else this.#stunMessage(socket, packet);
  }

  #relay(socket: number, packet: Uint8Array): void {
    const copies = this.copies(++this.#relayed);
    for (let i = 0; i < copies; i++) this.arrive(socket, packet);
  }

  #fromClient(socket: number, payload: Uint8Array): void {
    const relay = this.relays.get(socket);
    const peer = relay && this.#peerSockets.get(relay.peerPort);
    if (peer !== undefined) this.#relay(peer, payload.slice());
  }

  #fromPeer(peer: number, relayPort: number, payload: Uint8Array): void {
    for (const [client, relay] of this.relays) {
      if (relay.port !== relayPort || this.#peerSockets.get(relay.peerPort) !== peer) continue;
      const packet = new Uint8Array(payload.length + 4);
      setU16(packet, 0, relay.channel);
      setU16(packet, 2, payload.length);
      packet.set(payload, 4);
      this.#relay(client, relay.channel > 0 ? packet : this.#dataIndication(payload));
    }
  }

  #dataIndication(payload: Uint8Array): Uint8Array {
    const writer = new StunWriter(new Uint8Array(SEND_AREA_BYTES));
    writer.begin(0, stun.METHOD_DATA, stun.CLASS_INDICATION).transactionId(new Uint8Array(12), 0);
    writer.attribute(stun.ATTR_DATA, payload);
    return writer.bytes.slice(0, writer.length);
  }

  #stunMessage(socket: number, packet: Uint8Array): void {
    const reader = this.#reader;
    if (reader.parse(packet, 0, packet.length) !== stun.STUN_OK)
      throw new Error('the generator sent no STUN');
    if (reader.method === stun.METHOD_SEND) {
      const value = reader.value(stun.ATTR_DATA);
      this.#fromClient(socket, packet.slice(value, value + reader.valueLength(stun.ATTR_DATA)));
      return;
    }
    this.methods.push(reader.method);
    if (this.isMute) return;
    const code = this.#carryOut(socket);
    const writer = new StunWriter(new Uint8Array(256));
    writer.begin(0, reader.method, code === 0 ? stun.CLASS_SUCCESS : stun.CLASS_ERROR);
    writer.answering(packet, 0, false);
    if (code !== 0) writer.errorCode(code);
    else if (reader.method === stun.METHOD_ALLOCATE) {
      writer.xorAddress(stun.ATTR_XOR_RELAYED_ADDRESS, this.endpoints, this.#relayRow);
    }
    this.arrive(socket, writer.bytes.slice(0, writer.length));
  }

  /** Returns an error code or 0. */
  #carryOut(socket: number): number {
    const { bytes, method } = this.#reader;
    if (method === stun.METHOD_ALLOCATE) {
      const code = this.refuseAllocate(++this.#allocates);
      const port = RELAY_PORT_FIRST + this.#allocates;
      if (code === 0) this.relays.set(socket, { port, channel: 0, peerPort: 0 });
      this.endpoints.setText(this.#relayRow, '192.0.2.2', port);
      return code;
    }
    const relay = this.relays.get(socket);
    if (!relay) return 437;
    const lifetime = this.#reader.value(stun.ATTR_LIFETIME);
    if (method === stun.METHOD_REFRESH && lifetime >= 0 && u16(bytes, lifetime + 2) === 0)
      this.relays.delete(socket);
    const peer = this.#reader.value(stun.ATTR_XOR_PEER_ADDRESS);
    if (peer >= 0) {
      stun.readXorAddress(bytes, 0, peer, this.endpoints, this.#scratchRow);
      relay.peerPort = this.endpoints.port(this.#scratchRow);
    }
    if (method === stun.METHOD_CHANNEL_BIND)
      relay.channel = u16(bytes, this.#reader.value(stun.ATTR_CHANNEL_NUMBER));
    return 0;
  }
}
