/**
 * The media of one line of a test phone: its sockets on the simulated network, RTP and RTCP that it makes,
 * SRTP by {@link PlainSrtp}, connectivity checks of a controlling full ICE agent, and all that it receives.
 */

import { A, type Attribute, BINDING, encode, REQUEST } from '../../lab/phone/plain-stun.ts';
import type { PlainSrtp } from './b2bua-srtp.ts';
import type { Place, SimNetwork, SimSocket } from './sim-network.ts';

const SEQUENCE_NUMBERS = 0x10000;
const PRIORITY = 0x0024;
const USE_CANDIDATE = 0x0025;
const ICE_CONTROLLING = 0x802a;

export interface RawPacket {
  readonly bytes: Buffer;
  readonly from: Place;
  readonly component: 'rtp' | 'rtcp';
}

/** ufrag and pwd of one side (RFC 8839 §5.4). */
export interface PhoneIce {
  readonly ufrag: string;
  readonly pwd: string;
}

export class PhoneStream {
  ssrc: number;
  payloadType = 0;
  /** Of the packet sent next: ROC and sequence number. */
  index = 1000;
  timestamp = 5000;
  /** Whatever comes is raw: a line that is no RTP, or is passed through untouched. */
  isOpaque = false;
  isMuxed = false;
  /** Where the far end said to send to. */
  remoteRtp: Place | undefined;
  remoteRtcp: Place | undefined;
  outbound: PlainSrtp | undefined;
  inbound: PlainSrtp | undefined;
  localIce: PhoneIce | undefined;
  remoteIce: PhoneIce | undefined;
  /** Plain RTP and RTCP, oldest first. */
  heard: Buffer[] = [];
  reports: Buffer[] = [];
  /** Everything, as it came. */
  raw: RawPacket[] = [];
  /** STUN messages. */
  stun: Buffer[] = [];
  /** Packets that the key, or its absence, does not explain. */
  unreadable = 0;
  /** What no phone may ever see: two packets under one key and index. */
  readonly faults: string[] = [];
  rtpPlace: Place;
  rtcpPlace: Place;
  readonly #network: SimNetwork;
  #rtp: SimSocket;
  #rtcp: SimSocket;
  #rtcpIndex = 0;
  #checks = 0;
  readonly #newest = new Map<number, number>();
  /** By key, SSRC and index. */
  readonly #seen = new Map<string, string>();
  readonly #keyNames = new Map<PlainSrtp, number>();

  constructor(network: SimNetwork, place: Place, ssrc: number) {
    this.#network = network;
    this.ssrc = ssrc;
    this.rtpPlace = place;
    this.rtcpPlace = { ...place, port: place.port + 1 };
    [this.#rtp, this.#rtcp] = this.#bind();
  }

  /** Packets come from, and are heard at, this place from now on. The far end is not told. */
  move(place: Place): void {
    this.close();
    this.rtpPlace = place;
    this.rtcpPlace = { ...place, port: place.port + 1 };
    [this.#rtp, this.#rtcp] = this.#bind();
  }

  close(): void {
    this.#network.unbind(this.#rtp);
    this.#network.unbind(this.#rtcp);
  }

  /** The next RTP packet, plain and as it is sent. */
  next(payload: string | Buffer): { readonly plain: Buffer; readonly sent: Buffer } {
    const plain = rtpPacket(this, payload);
    const roc = Math.floor(this.index / SEQUENCE_NUMBERS);
    this.index++;
    this.timestamp += 160;
    return { plain, sent: this.outbound ? this.outbound.protectRtp(plain, roc) : plain };
  }

  /** Sends an RTP packet; returns it plain. */
  say(payload: string | Buffer): Buffer {
    const { plain, sent } = this.next(payload);
    this.transmit(sent);
    return plain;
  }

  /** Sends a sender report with a BYE-less SDES behind; returns it plain. */
  report(): Buffer {
    const plain = rtcpPacket(this.ssrc, `report ${this.#rtcpIndex}`);
    const sent = this.outbound ? this.outbound.protectRtcp(plain, this.#rtcpIndex) : plain;
    this.#rtcpIndex++;
    this.transmit(sent, this.isMuxed ? 'rtp' : 'rtcp', this.remoteRtcp);
    return plain;
  }

  /** Sends bytes as they are, from the component's socket. */
  transmit(bytes: Uint8Array, component: 'rtp' | 'rtcp' = 'rtp', to?: Place): void {
    const target = to ?? (component === 'rtp' ? this.remoteRtp : this.remoteRtcp);
    if (!target) throw new Error('nowhere to send to');
    this.#network.send(component === 'rtp' ? this.#rtp : this.#rtcp, bytes, target);
  }

  /** A connectivity check (RFC 8445 §7.2.4); what is given replaces what would be right. */
  check(
    options: {
      readonly nominates?: boolean;
      readonly component?: 'rtp' | 'rtcp';
      readonly username?: string;
      readonly password?: string;
    } = {},
  ): void {
    const { localIce, remoteIce } = this;
    if (!localIce || !remoteIce) throw new Error('no ICE here');
    const username = options.username ?? `${remoteIce.ufrag}:${localIce.ufrag}`;
    const attributes: Attribute[] = [
      { type: A.username, value: Buffer.from(username) },
      { type: PRIORITY, value: Buffer.from('6e0001ff', 'hex') },
      { type: ICE_CONTROLLING, value: Buffer.from('932ff9b151263b36', 'hex') },
      ...(options.nominates ? [{ type: USE_CANDIDATE, value: Buffer.alloc(0) }] : []),
    ];
    const transactionId = Buffer.alloc(12, 7);
    transactionId.writeUInt32BE(++this.#checks, 0);
    const key = Buffer.from(options.password ?? remoteIce.pwd);
    const message = { method: BINDING, kind: REQUEST, transactionId, attributes };
    const component = options.component ?? 'rtp';
    this.transmit(encode(message, { integrity: { algorithm: 'sha1', key }, fingerprint: true }), component);
  }

  /** Forgets what was received so far. */
  clear(): void {
    this.heard = [];
    this.reports = [];
    this.raw = [];
    this.stun = [];
    this.unreadable = 0;
  }

  #bind(): [SimSocket, SimSocket] {
    const sockets = [this.rtpPlace, this.rtcpPlace].map((place, i) => {
      const component = i === 0 ? 'rtp' : 'rtcp';
      const receive = (bytes: Uint8Array, from: Place): void => {
        this.#receive(Buffer.from(bytes), from, component);
      };
      return this.#network.bind(place, { receive });
    });
    const [rtp, rtcp] = sockets;
    if (!rtp || !rtcp) throw new Error(`port ${this.rtpPlace.port} of ${this.rtpPlace.address} is taken`);
    return [rtp, rtcp];
  }

  #receive(bytes: Buffer, from: Place, component: 'rtp' | 'rtcp'): void {
    this.raw.push({ bytes, from, component });
    if (this.isOpaque) return;
    if (bytes.readUInt8(0) < 4) {
      this.stun.push(bytes);
      return;
    }
    const type = bytes.readUInt8(1) & 0x7f;
    if (type >= 64 && type < 96) this.#receiveRtcp(bytes);
    else this.#receiveRtp(bytes);
  }

  #receiveRtp(bytes: Buffer): void {
    const { inbound } = this;
    if (!inbound) {
      this.heard.push(bytes);
      return;
    }
    const ssrc = bytes.readUInt32BE(8);
    const newest = this.#newest.get(ssrc);
    const index = nearestIndex(newest ?? 0, bytes.readUInt16BE(2), newest === undefined);
    const plain = inbound.unprotectRtp(bytes, Math.floor(index / SEQUENCE_NUMBERS));
    if (!plain) {
      this.unreadable++;
      return;
    }
    this.#newest.set(ssrc, Math.max(index, newest ?? 0));
    this.#note(inbound, `RTP ${ssrc} ${index}`, bytes);
    this.heard.push(plain);
  }

  #receiveRtcp(bytes: Buffer): void {
    const { inbound } = this;
    if (!inbound) {
      this.reports.push(bytes);
      return;
    }
    const opened = inbound.unprotectRtcp(bytes);
    if (!opened) {
      this.unreadable++;
      return;
    }
    this.#note(inbound, `RTCP ${bytes.readUInt32BE(4)} ${opened.index}`, bytes);
    this.reports.push(opened.packet);
  }

  /** A two-time pad is one key and index for two different packets. */
  #note(key: PlainSrtp, name: string, bytes: Buffer): void {
    const number = this.#keyNames.get(key) ?? this.#keyNames.size;
    this.#keyNames.set(key, number);
    const text = bytes.toString('latin1');
    const before = this.#seen.get(`${number} ${name}`);
    if (before !== undefined && before !== text) this.faults.push(`two-time pad: key ${number}, ${name}`);
    this.#seen.set(`${number} ${name}`, text);
  }
}

/** A plain RTP packet of the stream's present state, with a marker on each tenth. */
function rtpPacket(stream: PhoneStream, payload: string | Buffer): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt8(0x80, 0);
  header.writeUInt8(stream.payloadType | (stream.index % 10 === 0 ? 0x80 : 0), 1);
  header.writeUInt16BE(stream.index % SEQUENCE_NUMBERS, 2);
  header.writeUInt32BE(stream.timestamp >>> 0, 4);
  header.writeUInt32BE(stream.ssrc, 8);
  return Buffer.concat([header, typeof payload === 'string' ? Buffer.from(payload) : payload]);
}

/** A sender report with one SDES chunk whose CNAME is the text (RFC 3550 §6.4, §6.5). */
export function rtcpPacket(ssrc: number, text: string): Buffer {
  const report = Buffer.alloc(28);
  report.writeUInt8(0x80, 0);
  report.writeUInt8(200, 1);
  report.writeUInt16BE(6, 2);
  report.writeUInt32BE(ssrc, 4);
  const name = Buffer.from(text);
  const chunk = Buffer.alloc(Math.ceil((4 + 2 + name.length + 1) / 4) * 4);
  chunk.writeUInt32BE(ssrc, 0);
  chunk.writeUInt8(1, 4);
  chunk.writeUInt8(name.length, 5);
  name.copy(chunk, 6);
  const header = Buffer.from([0x81, 202, 0, chunk.length / 4]);
  return Buffer.concat([report, header, chunk]);
}

/** The index with that sequence number that is nearest to the newest; the first one of a source is of ROC 0. */
function nearestIndex(newest: number, sequence: number, isFirst: boolean): number {
  if (isFirst) return sequence;
  const roc = Math.floor(newest / SEQUENCE_NUMBERS);
  const candidates = [roc - 1, roc, roc + 1]
    .map((one) => one * SEQUENCE_NUMBERS + sequence)
    .filter((index) => index >= 0);
  return candidates.reduce((best, one) => (Math.abs(one - newest) < Math.abs(best - newest) ? one : best));
}
