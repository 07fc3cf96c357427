/**
 * A TURN client on the simulated network: challenges, stale nonces, retransmission by the virtual
 * clock, and every method of RFC 8656. Calls are synchronous: they let virtual time pass until the
 * answer is there. It checks what it gets (integrity, fingerprint, padding) and throws at a fault.
 */
import { createHash } from 'node:crypto';
import {
  A,
  ALLOCATE,
  type Attribute,
  BINDING,
  CHANNEL_BIND,
  CREATE_PERMISSION,
  DATA_METHOD,
  decode,
  decodeXorAddress,
  encode,
  encodeXorAddress,
  errorCode,
  find,
  findAll,
  hasFingerprint,
  hasIntegrity,
  INDICATION,
  type Integrity,
  longTermKey,
  type Message,
  REFRESH,
  REQUEST,
  SEND,
  SUCCESS,
} from '../../lab/phone/plain-stun.ts';
import type { Place, SimNetwork } from './sim-network.ts';

const RETRANSMISSION_MS = 500; // RFC 8489 §6.2.1: doubling, seven requests, then 16 × 500 ms more
const REQUESTS_MAX = 7;
const LAST_WAIT_MS = 8000;

/** What carries a client's bytes: a UDP socket or a stream of the simulation. */
export interface Wire {
  readonly place: Place;
  send(bytes: Uint8Array): void;
  onMessage: (bytes: Uint8Array) => void;
}

export interface Credentials {
  readonly name: string;
  readonly password: string;
}

/** How a client proves itself: RFC 5389's way, or RFC 8489's with SHA-256, with or without its name. */
export type Security = 'md5' | 'sha256' | 'sha256-userhash';

export interface Received {
  /** Channel number, or undefined for a Data indication. */
  readonly channel?: number;
  readonly peer?: Place;
  readonly data: string;
}

export interface Answer {
  readonly message: Message;
  readonly bytes: Uint8Array;
  /** 0: success. */
  readonly code: number;
}

/** Attributes of a request; a function where they depend on its transaction ID (IPv6 addresses do). */
export type Attributes = readonly Attribute[] | ((transactionId: Uint8Array) => readonly Attribute[]);

export interface CallOptions {
  /** Attributes behind the integrity. */
  readonly after?: readonly Attribute[];
  /** False: answers 401 and 438 come back as they are. */
  readonly insist?: boolean;
  readonly transactionId?: Uint8Array;
  /** Credentials to use instead of the client's own, or none at all. */
  readonly as?: Credentials | 'nobody';
}

export class TurnTestClient {
  readonly network: SimNetwork;
  readonly wire: Wire;
  credentials: Credentials | undefined;
  security: Security = 'md5';
  fingerprint = false;
  realm = '';
  nonce: Uint8Array | undefined;
  /** PASSWORD-ALGORITHMS as the server sent it. */
  offered: Uint8Array | undefined;
  relayed: Place[] = [];
  mapped: Place | undefined;
  received: Received[] = [];
  icmp: { readonly peer: Place; readonly type: number; readonly code: number; readonly info: number }[] = [];
  /** Every response, in order of arrival, retransmitted ones too. */
  responses: Answer[] = [];
  requestsSent = 0;
  #nextTransaction = 1;

  constructor(network: SimNetwork, wire: Wire, credentials: Credentials | undefined) {
    this.network = network;
    this.wire = wire;
    this.credentials = credentials;
    wire.onMessage = (bytes) => this.#arrived(bytes);
  }

  /** The only relayed address, or the first of a dual allocation. */
  get relay(): Place {
    const [relay] = this.relayed;
    if (relay === undefined) throw new Error('the client has no relay');
    return relay;
  }

  /** What has arrived, and forgets it. */
  take(): Received[] {
    const { received } = this;
    this.received = [];
    return received;
  }

  /** Sends a request, again where need be, and answers challenges; throws if no answer comes at all. */
  call(method: number, attributes: Attributes, options: CallOptions = {}): Answer {
    let answer = this.attempt(method, attributes, options);
    if (options.insist === false) return this.#arrivedInTime(answer);
    // A challenge is met twice at most: first 401 for the nonce, then perhaps 438.
    for (let challenge = 0; challenge < 2 && (answer?.code === 401 || answer?.code === 438); challenge++) {
      const before = this.nonce;
      this.learn(answer.message);
      if (answer.code === 401 && before !== undefined) break;
      if (this.credentials === undefined && options.as === undefined) break;
      answer = this.attempt(method, attributes, { ...options, transactionId: this.newTransactionId() });
    }
    return this.#arrivedInTime(answer);
  }

  /** One request with its retransmissions; undefined if nobody answers. */
  attempt(method: number, attributes: Attributes, options: CallOptions = {}): Answer | undefined {
    const transactionId = options.transactionId ?? this.newTransactionId();
    const bytes = this.build(method, attributes, { ...options, transactionId });
    return this.exchange(bytes, transactionId);
  }

  /** Takes realm, nonce and password algorithms from a challenge. */
  learn(challenge: Message): void {
    this.realm = Buffer.from(find(challenge, A.realm) ?? []).toString();
    this.nonce = find(challenge, A.nonce);
    this.offered = find(challenge, A.passwordAlgorithms);
  }

  /** Asks once without credentials, to learn realm and nonce; returns the challenge. */
  challenged(transactionId: Uint8Array = this.newTransactionId()): Answer {
    const answer = this.call(ALLOCATE, [TRANSPORT_UDP], { as: 'nobody', insist: false, transactionId });
    this.learn(answer.message);
    return answer;
  }

  newTransactionId(): Uint8Array {
    const text = `${this.wire.place.address}|${this.wire.place.port}|${this.#nextTransaction++}`;
    return Uint8Array.from(createHash('sha256').update(text).digest().subarray(0, 12));
  }

  /** The bytes of a request, with credentials once there is a nonce. */
  build(method: number, attributes: Attributes, options: CallOptions = {}): Buffer {
    const credentials = options.as === 'nobody' ? undefined : (options.as ?? this.credentials);
    const transactionId = options.transactionId ?? this.newTransactionId();
    const wanted = typeof attributes === 'function' ? attributes(transactionId) : attributes;
    const isSigned = credentials !== undefined && this.nonce !== undefined;
    const proof = isSigned ? this.#proof(credentials) : [];
    return encode(
      { method, kind: REQUEST, transactionId, attributes: [...wanted, ...proof] },
      {
        integrity: isSigned ? this.integrity(credentials) : undefined,
        fingerprint: this.fingerprint,
        ...(options.after ? { after: options.after } : {}),
      },
    );
  }

  integrity({ name, password }: Credentials): Integrity {
    const hash = this.security === 'md5' ? 'md5' : 'sha256';
    const algorithm = this.security === 'md5' ? 'sha1' : 'sha256';
    return { algorithm, key: longTermKey(hash, name, this.realm, password) };
  }

  /** Sends bytes until a response with the transaction ID comes; undefined if none does. */
  exchange(bytes: Uint8Array, transactionId: Uint8Array): Answer | undefined {
    const before = this.responses.length;
    const answered = (): Answer | undefined =>
      this.responses.slice(before).find(({ message }) => sameBytes(message.transactionId, transactionId));
    for (let attempt = 0; attempt < REQUESTS_MAX; attempt++) {
      this.requestsSent++;
      this.wire.send(bytes);
      const waitMs = attempt === REQUESTS_MAX - 1 ? LAST_WAIT_MS : RETRANSMISSION_MS * 2 ** attempt;
      if (this.network.runUntil(() => answered() !== undefined, waitMs)) return answered();
    }
    return undefined;
  }

  binding(options: CallOptions = {}): Answer {
    return this.call(BINDING, [], options);
  }

  /** Allocates UDP relays; remembers addresses. Extra attributes ride along. */
  allocate(extra: readonly Attribute[] = [], options: CallOptions = {}): Answer {
    const answer = this.call(ALLOCATE, [TRANSPORT_UDP, ...extra], options);
    if (answer.code !== 0) return answer;
    const { message } = answer;
    this.relayed = findAll(message, A.xorRelayedAddress).map((value) =>
      decodeXorAddress(value, message.transactionId),
    );
    const mapped = find(message, A.xorMappedAddress);
    this.mapped = mapped && decodeXorAddress(mapped, message.transactionId);
    return answer;
  }

  /** `lifetimeSeconds` undefined: no LIFETIME attribute. */
  refresh(lifetimeSeconds?: number, extra: readonly Attribute[] = [], options: CallOptions = {}): Answer {
    const wanted = lifetimeSeconds === undefined ? [] : [lifetime(lifetimeSeconds)];
    return this.call(REFRESH, [...wanted, ...extra], options);
  }

  permit(peers: Place | readonly Place[], options: CallOptions = {}): Answer {
    const places: readonly Place[] = 'address' in peers ? [peers] : peers;
    return this.call(CREATE_PERMISSION, (id) => places.map((peer) => peerAddress(peer, id)), options);
  }

  bind(channel: number, peer: Place, options: CallOptions = {}): Answer {
    return this.call(CHANNEL_BIND, (id) => [channelNumber(channel), peerAddress(peer, id)], options);
  }

  /** A Send indication. */
  send(peer: Place, data: string | Uint8Array, extra: readonly Attribute[] = []): void {
    this.wire.send(sendIndication(this.newTransactionId(), peer, data, extra));
  }

  /** ChannelData. */
  sendChannel(channel: number, data: string | Uint8Array): void {
    const payload = Buffer.from(data);
    const header = Buffer.alloc(4);
    header.writeUInt16BE(channel, 0);
    header.writeUInt16BE(payload.length, 2);
    this.wire.send(Buffer.concat([header, payload]));
  }

  /** Lifetime that the answer grants, seconds. */
  static lifetimeOf({ message }: Answer): number {
    return Buffer.from(find(message, A.lifetime) ?? Buffer.alloc(4, 255)).readUInt32BE(0);
  }

  /** RESERVATION-TOKEN of the answer; throws if it has none. */
  static tokenOf({ message }: Answer): Attribute {
    const value = find(message, A.reservationToken);
    if (value === undefined) throw new Error('the answer has no RESERVATION-TOKEN');
    return { type: A.reservationToken, value };
  }

  #proof({ name }: Credentials): Attribute[] {
    const hashed = createHash('sha256').update(`${name}:${this.realm}`).digest();
    const who: Attribute =
      this.security === 'sha256-userhash'
        ? { type: A.userhash, value: Uint8Array.from(hashed) }
        : { type: A.username, value: Buffer.from(name) };
    const proof: Attribute[] = [who, { type: A.realm, value: Buffer.from(this.realm) }];
    proof.push({ type: A.nonce, value: this.nonce ?? new Uint8Array(0) });
    if (this.security === 'md5') return proof;
    proof.push({ type: A.passwordAlgorithms, value: this.offered ?? new Uint8Array(0) });
    proof.push({ type: A.passwordAlgorithm, value: Uint8Array.of(0, 2, 0, 0) });
    return proof;
  }

  #arrivedInTime(answer: Answer | undefined): Answer {
    if (answer === undefined) throw new Error('no answer');
    return answer;
  }

  #arrived(bytes: Uint8Array): void {
    const first = bytes[0] ?? 0;
    if (first >= 0x40 && first < 0x50) {
      const buffer = Buffer.from(bytes);
      const length = buffer.readUInt16BE(2);
      if (buffer.length < 4 + length) throw new Error('ChannelData shorter than it says');
      const data = buffer.subarray(4, 4 + length).toString('latin1');
      this.received.push({ channel: buffer.readUInt16BE(0), data });
      return;
    }
    const message = decode(bytes);
    if (message.kind === INDICATION) return this.#indicated(message);
    if (this.fingerprint && !hasFingerprint(bytes)) throw new Error('response without FINGERPRINT');
    if (message.kind === SUCCESS && this.nonce && this.credentials && message.method !== BINDING) {
      if (!hasIntegrity(bytes, this.integrity(this.credentials))) throw new Error('response is not genuine');
    }
    this.responses.push({ message, bytes, code: errorCode(message) });
  }

  #indicated(message: Message): void {
    const peerValue = find(message, A.xorPeerAddress);
    if (message.method !== DATA_METHOD || peerValue === undefined) throw new Error('no Data indication');
    const peer = decodeXorAddress(peerValue, message.transactionId);
    const icmp = find(message, A.icmp);
    if (icmp) {
      const value = Buffer.from(icmp).readUInt16BE(2);
      const info = Buffer.from(icmp).readUInt32BE(4);
      this.icmp.push({ peer, type: value >> 9, code: value & 0x1ff, info });
      return;
    }
    this.received.push({ peer, data: Buffer.from(find(message, A.data) ?? []).toString('latin1') });
  }
}

export const TRANSPORT_UDP: Attribute = { type: A.requestedTransport, value: Uint8Array.of(17, 0, 0, 0) };

/** EVEN-PORT, with the neighbour reserved or not. */
export function evenPort(reserve: boolean): Attribute {
  return { type: A.evenPort, value: Uint8Array.of(reserve ? 0x80 : 0) };
}

export function family(version: 4 | 6, type: number = A.requestedAddressFamily): Attribute {
  return { type, value: Uint8Array.of(version === 4 ? 1 : 2, 0, 0, 0) };
}

export function lifetime(seconds: number): Attribute {
  const value = Buffer.alloc(4);
  value.writeUInt32BE(seconds);
  return { type: A.lifetime, value };
}

export function channelNumber(channel: number): Attribute {
  return { type: A.channelNumber, value: Uint8Array.of(channel >> 8, channel & 0xff, 0, 0) };
}

export function peerAddress(peer: Place, transactionId: Uint8Array): Attribute {
  return { type: A.xorPeerAddress, value: encodeXorAddress(peer, transactionId) };
}

/** The bytes of a Send indication. */
export function sendIndication(
  transactionId: Uint8Array,
  peer: Place,
  data: string | Uint8Array,
  extra: readonly Attribute[] = [],
): Buffer {
  const payload = { type: A.data, value: typeof data === 'string' ? Buffer.from(data, 'latin1') : data };
  const attributes = [peerAddress(peer, transactionId), ...extra, payload];
  return encode({ method: SEND, kind: INDICATION, transactionId, attributes });
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.from(a).equals(b);
}
