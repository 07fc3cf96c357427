/** Where a test agent sends from: a socket of its host, and a relay that a TURN server has given it there. */
import type { Base, Bases, OnPacket } from '../../lab/phone/ice-candidates.ts';
import { transportText } from '../../lab/phone/transport-address.ts';
import type { SimSite, SiteSocket } from './passthrough-site.ts';
import type { Place, SimNetwork } from './sim-network.ts';
import { type Credentials, TurnTestClient } from './turn-client.ts';

export interface TurnServer {
  readonly server: Place;
  readonly credentials: Credentials;
}

const FIRST_CHANNEL = 0x4000;

/** One component of an agent: its host base, and its relay if it wants one. */
export class SimBases implements Bases {
  readonly host: Base;
  relay: Base | undefined;
  mapped: Place | undefined;
  onPacket: OnPacket = () => {};
  readonly #socket: SiteSocket;
  readonly #server: Place | undefined;
  readonly #turn: TurnTestClient | undefined;
  readonly #channels = new Map<string, number>();
  readonly #peers = new Map<number, Place>();
  readonly #permitted = new Map<string, boolean>();

  constructor(network: SimNetwork, site: SimSite, place: Place, turn: TurnServer | undefined) {
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

  /** Asks the TURN server, if there is one, for a relay and the reflexive address; virtual time passes. */
  allocate(): void {
    const turn = this.#turn;
    if (!turn) return;
    if (turn.allocate().code !== 0) throw new Error(`no relay for ${transportText(this.host.place)}`);
    this.mapped = turn.mapped;
    this.relay = {
      kind: 'relay',
      place: turn.relay,
      send: (bytes, to) => {
        const channel = this.#channels.get(transportText(to));
        if (channel === undefined) turn.send(to, bytes);
        else turn.sendChannel(channel, bytes);
      },
    };
  }

  /** A server that refuses a peer is not asked for it again. Virtual time passes. */
  permit(peer: Place, onPermitted: () => void): void {
    if (!this.relay || !this.#turn) return;
    const { address } = peer;
    const isPermitted = this.#permitted.get(address) ?? this.#turn.permit(peer).code === 0;
    this.#permitted.set(address, isPermitted);
    if (isPermitted) onPermitted();
  }

  /** Has the relay send to the peer by a channel; virtual time passes. */
  bindChannel(peer: Place): void {
    if (!this.relay || this.#channels.has(transportText(peer))) return;
    const channel = FIRST_CHANNEL + this.#channels.size;
    if (this.#turn?.bind(channel, peer).code !== 0) throw new Error(`no channel to ${transportText(peer)}`);
    this.#channels.set(transportText(peer), channel);
    this.#peers.set(channel, peer);
  }

  /** Gives the relay back. */
  close(): void {
    if (this.relay) this.#turn?.refresh(0);
    this.#socket.close();
  }

  #received(bytes: Buffer, from: Place): void {
    if (!this.#server || transportText(from) !== transportText(this.#server)) {
      this.onPacket(this.host, bytes, from);
      return;
    }
    const turn = this.#turn as TurnTestClient;
    turn.wire.onMessage(bytes);
    for (const { channel, peer, data } of turn.take()) {
      const sender = channel === undefined ? peer : this.#peers.get(channel);
      if (sender && this.relay) this.onPacket(this.relay, Buffer.from(data, 'latin1'), sender);
    }
  }
}
