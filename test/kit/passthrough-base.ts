/** Where a test agent sends from: a socket of its host, and a relay that a TURN server has given it there. */

import { placeText, type SimSite, type SiteSocket } from './passthrough-site.ts';
import type { Place, SimNetwork } from './sim-network.ts';
import { type Credentials, TurnTestClient } from './turn-client.ts';

export interface TurnServer {
  readonly server: Place;
  readonly credentials: Credentials;
}

/** A way out, on which checks and media are sent and heard. */
export interface Base {
  readonly kind: 'host' | 'relay';
  /** The address that candidates of it have. */
  readonly place: Place;
  send(bytes: Uint8Array, to: Place): void;
}

export type OnPacket = (base: Base, bytes: Buffer, from: Place) => void;

const FIRST_CHANNEL = 0x4000;

/** One component of an agent: its host base, and its relay if it wants one. */
export class Bases {
  readonly host: Base;
  relay: Base | undefined;
  /** What the TURN server saw the host's packets come from. */
  mapped: Place | undefined;
  readonly #socket: SiteSocket;
  readonly #server: Place | undefined;
  readonly #turn: TurnTestClient | undefined;
  readonly #onPacket: OnPacket;
  readonly #channels = new Map<string, number>();
  readonly #peers = new Map<number, Place>();
  readonly #permitted = new Set<string>();

  constructor(
    network: SimNetwork,
    site: SimSite,
    place: Place,
    turn: TurnServer | undefined,
    onPacket: OnPacket,
  ) {
    this.#onPacket = onPacket;
    this.#socket = site.bind(place, (bytes, from) => this.#received(Buffer.from(bytes), from));
    this.host = { kind: 'host', place, send: (bytes, to) => this.#socket.send(bytes, to) };
    if (!turn) return;
    const wire = {
      place,
      onMessage: (_: Uint8Array): void => {},
      send: (bytes: Uint8Array): void => this.#socket.send(bytes, turn.server),
    };
    this.#turn = new TurnTestClient(network, wire, turn.credentials);
    this.#server = turn.server;
  }

  /** Asks the TURN server for a relay, which tells the reflexive address too; virtual time passes. */
  allocate(): void {
    const turn = this.#turn;
    if (turn?.allocate().code !== 0) throw new Error(`no relay for ${placeText(this.host.place)}`);
    this.mapped = turn.mapped;
    this.relay = {
      kind: 'relay',
      place: turn.relay,
      send: (bytes, to) => {
        const channel = this.#channels.get(placeText(to));
        if (channel === undefined) turn.send(to, bytes);
        else turn.sendChannel(channel, bytes);
      },
    };
  }

  /** Lets peers send to the relay; a server that refuses one is not asked for it again. Virtual time passes. */
  permit(peers: readonly Place[]): void {
    for (const peer of peers) {
      if (!this.relay || this.#permitted.has(peer.address)) continue;
      this.#permitted.add(peer.address);
      this.#turn?.permit(peer);
    }
  }

  /** Has the relay send to the peer by a channel; virtual time passes. */
  bindChannel(peer: Place): void {
    if (!this.relay || this.#channels.has(placeText(peer))) return;
    const channel = FIRST_CHANNEL + this.#channels.size;
    if (this.#turn?.bind(channel, peer).code !== 0) throw new Error(`no channel to ${placeText(peer)}`);
    this.#channels.set(placeText(peer), channel);
    this.#peers.set(channel, peer);
  }

  /** Gives the relay back. */
  close(): void {
    if (this.relay) this.#turn?.refresh(0);
    this.#socket.close();
  }

  #received(bytes: Buffer, from: Place): void {
    if (!this.#server || placeText(from) !== placeText(this.#server)) {
      this.#onPacket(this.host, bytes, from);
      return;
    }
    const turn = this.#turn as TurnTestClient;
    turn.wire.onMessage(bytes);
    for (const { channel, peer, data } of turn.take()) {
      const sender = channel === undefined ? peer : this.#peers.get(channel);
      if (sender && this.relay) this.#onPacket(this.relay, Buffer.from(data, 'latin1'), sender);
    }
  }
}

/** Whether these bytes are STUN rather than media (RFC 7983 §7). */
export function isStun(bytes: Buffer): boolean {
  return bytes.length >= 20 && bytes.readUInt8(0) < 4;
}
