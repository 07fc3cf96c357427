/** A session without ICE: media goes from a socket to where the other side says it listens. */
import type { AgentCandidate } from './ice-candidates.ts';
import type { ReadDescription } from './ice-sdp.ts';
import type { PhoneSession, SessionOptions } from './phone-session.ts';
import type { TransportAddress } from './protocol.ts';
import { UdpSocket } from './udp-socket.ts';

const PAIR_TRIES = 50;

export class PlainSession implements PhoneSession {
  readonly ice = 'none';
  readonly credentials = undefined;
  readonly iceOptions = undefined;
  readonly candidates: readonly AgentCandidate[] = [];
  readonly conclusion = undefined;
  readonly hasWay = true;
  readonly defaults: readonly [TransportAddress, TransportAddress];
  readonly #rtp: UdpSocket;
  readonly #rtcp: UdpSocket;
  #remote: ReadDescription | undefined;

  private constructor(rtp: UdpSocket, rtcp: UdpSocket, { media }: SessionOptions) {
    this.#rtp = rtp;
    this.#rtcp = rtcp;
    this.defaults = [rtp.place, rtcp.place];
    for (const socket of [rtp, rtcp]) socket.onDatagram = (bytes, from) => media.received(bytes, from);
  }

  /** @throws Error (rejects) where no two ports in a row are free */
  static async open(options: SessionOptions): Promise<PlainSession> {
    const { address, ports } = options;
    for (let left = PAIR_TRIES; ; left--) {
      const rtp = await UdpSocket.open(address, ports);
      try {
        const rtcp = await UdpSocket.openAt({ address, port: rtp.place.port + 1 });
        return new PlainSession(rtp, rtcp, options);
      } catch (error) {
        rtp.close();
        if (left === 0) throw error;
      }
    }
  }

  take(remote: ReadDescription): void {
    this.#remote = remote;
  }

  sendRtp(bytes: Buffer): boolean {
    if (!this.#remote) return false;
    this.#rtp.send(bytes, this.#remote.rtp);
    return true;
  }

  sendRtcp(bytes: Buffer): boolean {
    if (!this.#remote) return false;
    if (this.#remote.isRtcpMuxed) this.#rtp.send(bytes, this.#remote.rtp);
    else this.#rtcp.send(bytes, this.#remote.rtcp);
    return true;
  }

  async close(): Promise<void> {
    this.#rtp.close();
    this.#rtcp.close();
  }
}
