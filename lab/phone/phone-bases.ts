/** Where a phone's ICE agent sends from: a UDP socket, and a relay if there is a TURN server. */
import type { Base, Bases, OnPacket } from './ice-candidates.ts';
import type { PhonePorts } from './phone-ports.ts';
import type { TransportAddress, TurnAccess } from './protocol.ts';
import { transportText } from './transport-address.ts';
import { TurnRelay } from './turn-relay.ts';
import { tcpTransport, udpTransport } from './turn-transport.ts';
import { UdpSocket } from './udp-socket.ts';

export class PhoneBases implements Bases {
  readonly host: Base;
  readonly mapped: TransportAddress | undefined;
  readonly relay: Base | undefined;
  onPacket: OnPacket = () => {};
  readonly #socket: UdpSocket;
  readonly #relay: TurnRelay | undefined;

  private constructor(socket: UdpSocket, mapped: TransportAddress | undefined, relay: TurnRelay | undefined) {
    this.#socket = socket;
    this.#relay = relay;
    this.mapped = mapped;
    const host: Base = { kind: 'host', place: socket.place, send: (bytes, to) => socket.send(bytes, to) };
    this.host = host;
    socket.onDatagram = (bytes, from) => this.onPacket(host, bytes, from);
    if (!relay) return;
    const base: Base = { kind: 'relay', place: relay.place, send: (bytes, to) => relay.send(bytes, to) };
    this.relay = base;
    relay.onData = (bytes, from) => this.onPacket(base, bytes, from);
  }

  /** Without a relay, or a reflexive address, where the TURN server gives none. */
  static async gather(address: string, ports: PhonePorts, turn: TurnAccess | undefined): Promise<PhoneBases> {
    const socket = await UdpSocket.open(address, ports);
    if (!turn) return new PhoneBases(socket, undefined, undefined);
    const mapping = socket.askMapped(turn.server);
    const [mapped, relay] = await Promise.all([mapping, allocate(address, ports, turn, mapping)]);
    return new PhoneBases(socket, mapped, relay);
  }

  permit(peer: TransportAddress, onPermitted: () => void): void {
    void this.#relay?.permit(peer).then((isPermitted) => {
      if (isPermitted) onPermitted();
    });
  }

  bindChannel(peer: TransportAddress): void {
    this.#relay?.bindChannel(peer);
  }

  close(): void {
    void this.release();
  }

  /** Closes it, and waits until the relay is given back. */
  async release(): Promise<void> {
    this.#socket.close();
    await this.#relay?.release();
  }
}

/** @param mapping what the server says of the host's socket: where it says nothing, UDP does not get there */
async function allocate(
  address: string,
  ports: PhonePorts,
  turn: TurnAccess,
  mapping: Promise<TransportAddress | undefined>,
): Promise<TurnRelay | undefined> {
  const overTcp = async (): Promise<TurnRelay> => TurnRelay.allocate(turn, await tcpTransport(turn.server));
  const orNothing = (relay: Promise<TurnRelay>): Promise<TurnRelay | undefined> =>
    relay.catch((error: Error) => {
      console.error(`no relay from ${transportText(turn.server)}: ${error.message}`);
      return undefined;
    });
  if (turn.transport === 'tcp') return orNothing(overTcp());
  const transport = udpTransport(await UdpSocket.open(address, ports), turn.server);
  const overUdp = TurnRelay.allocate(turn, transport);
  if (turn.transport === 'udp' || (await mapping)) return orNothing(overUdp);
  overUdp.catch(() => {}); // of no interest any more
  await transport.close();
  return orNothing(overTcp());
}
