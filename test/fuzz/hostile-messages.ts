/** What strangers and malicious users send: rubbish, half-truths, and truths bent at random places. */
import { createHmac } from 'node:crypto';
import {
  A,
  type Attribute,
  encode,
  encodeXorAddress,
  INDICATION,
  REQUEST,
  SEND,
} from '../../lab/phone/plain-stun.ts';
import { CHANNEL_NUMBER_MIN } from '../../src/wire/channel-data.ts';
import { channelData, identity, number32, type Session, UDP } from './client-messages.ts';
import { PAYLOAD_BYTES_MAX, type Source } from './fuzz-io.ts';
import type { Random } from './seeded.ts';

const COOKIE = Buffer.from('2112a442', 'hex');
const TYPES = [
  ...Object.values(A),
  0x0000,
  0x0024,
  0x003f,
  0x0040,
  0x7fff,
  0x8022,
  0x8023,
  0x803f,
  0x8040,
  0xffff,
];
const METHODS = [0x001, 0x003, 0x004, 0x006, 0x007, 0x008, 0x009, 0x00a, 0x00b, 0x000, 0x0ff, 0xfff];
const LENGTHS = [0, 1, 3, 4, 5, 8, 20, 32, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xfffc, 0xfffd, 0xffff];
const POPULAR_PEERS = 5;
/** An authenticated client is tempted with these channels; the first few are bound often. */
const CHANNELS = [0x4000, 0x4001, 0x4002, 0x4003, 0x4fff, 0x3fff, 0x5000, 0x7fff, 0x0000, 0xffff];

export class HostileMessages {
  readonly #random: Random;
  readonly #peers: readonly Source[];
  /** Messages sent lately, to be bent and sent again. */
  readonly #recent: Buffer[] = [];

  constructor(random: Random, peers: readonly Source[]) {
    this.#random = random;
    this.#peers = peers;
  }

  /** Something, by somebody who may know a password (`who`) and a reservation token. */
  next(who: Session | undefined, token: Uint8Array | undefined): Buffer {
    const random = this.#random;
    const choice = random.below(100);
    if (choice < 6) return this.#rubbish();
    if (choice < 12) return this.#stunOfRubbish();
    if (choice < 30) return this.#bent(who);
    if (choice < 44) return this.#channelData();
    if (choice < 56) return this.#remember(this.#sendIndication());
    return this.#remember(this.#request(who, token));
  }

  /** Some peers are talked to much, others seldom. */
  anyPeer(): Source {
    const random = this.#random;
    return random.chance(0.5)
      ? (this.#peers[random.below(POPULAR_PEERS)] as Source)
      : random.pick(this.#peers);
  }

  /** What a peer sends: anything at all, of any length. */
  payload(): Buffer {
    const random = this.#random;
    if (random.chance(0.01)) return Buffer.alloc(random.between(60_000, PAYLOAD_BYTES_MAX), random.word());
    if (random.chance(0.05)) return Buffer.alloc(0);
    return random.bytes(random.below(random.chance(0.9) ? 64 : 1500));
  }

  #rubbish(): Buffer {
    const random = this.#random;
    if (random.chance(0.02)) return Buffer.alloc(random.between(1, PAYLOAD_BYTES_MAX), random.word());
    return random.bytes(random.below(80));
  }

  /** A right header in front of nonsense, or of attributes with lengths that lie. */
  #stunOfRubbish(): Buffer {
    const random = this.#random;
    const attributes: Buffer[] = [];
    for (let i = random.below(8); i > 0; i--) {
      const value = random.bytes(4 * random.below(8));
      const head = Buffer.alloc(4);
      head.writeUInt16BE(random.pick(TYPES), 0);
      head.writeUInt16BE(random.chance(0.5) ? value.length : random.pick(LENGTHS), 2);
      attributes.push(head, value);
    }
    const body = random.chance(0.3) ? random.bytes(random.below(60)) : Buffer.concat(attributes);
    const header = Buffer.concat([
      random.bytes(4),
      random.chance(0.95) ? COOKIE : random.bytes(4),
      random.bytes(12),
    ]);
    header[0] = random.below(4);
    header.writeUInt16BE(random.chance(0.9) ? body.length : random.pick(LENGTHS), 2);
    return Buffer.concat([header, body]);
  }

  #channelData(): Buffer {
    const random = this.#random;
    const data = this.payload().subarray(0, PAYLOAD_BYTES_MAX - 4);
    const channel = random.chance(0.8) ? CHANNEL_NUMBER_MIN + random.below(4) : random.pick(CHANNELS);
    const announced = random.chance(0.8) ? data.length : random.pick(LENGTHS);
    const message = channelData(channel, data, announced);
    return random.chance(0.03) ? message.subarray(0, random.below(5)) : message;
  }

  #sendIndication(): Buffer {
    const random = this.#random;
    const transactionId = random.bytes(12);
    const attributes: Attribute[] = [];
    if (random.chance(0.97)) attributes.push(this.#peer(transactionId));
    if (random.chance(0.97)) attributes.push({ type: A.data, value: random.bytes(random.below(200)) });
    if (random.chance(0.2)) attributes.push({ type: A.dontFragment, value: Buffer.alloc(0) });
    if (random.chance(0.1)) attributes.push(this.#noise());
    if (random.chance(0.1)) attributes.reverse();
    const method = random.chance(0.95) ? SEND : random.pick(METHODS);
    const kind = random.chance(0.95) ? INDICATION : random.below(4);
    return encode({ method, kind, transactionId, attributes }, { fingerprint: random.chance(0.2) });
  }

  #request(who: Session | undefined, token: Uint8Array | undefined): Buffer {
    const random = this.#random;
    const transactionId = random.bytes(12);
    const choice = random.below(100);
    let method = 0x003;
    let attributes: Attribute[];
    if (choice < 25) attributes = this.#allocateAttributes(token);
    else if (choice < 40) [method, attributes] = [0x004, this.#refreshAttributes()];
    else if (choice < 60) [method, attributes] = [0x008, this.#permissionAttributes(transactionId)];
    else if (choice < 85) [method, attributes] = [0x009, this.#channelAttributes(transactionId)];
    else if (choice < 92) [method, attributes] = [0x001, []];
    else [method, attributes] = [random.pick(METHODS), this.#permissionAttributes(transactionId)];
    for (let i = random.chance(0.15) ? random.between(1, 4) : 0; i > 0; i--) {
      attributes.splice(random.below(attributes.length + 1), 0, this.#noise());
    }
    if (who && random.chance(0.95)) attributes.push(...identity(who));
    const signs = who && random.chance(0.97);
    const after = random.chance(0.05) ? [this.#noise(), this.#peer(transactionId)] : [];
    return encode(
      { method, kind: REQUEST, transactionId, attributes },
      {
        integrity: signs ? { algorithm: random.chance(0.8) ? 'sha1' : 'sha256', key: who.key } : undefined,
        fingerprint: random.chance(0.2),
        after,
      },
    );
  }

  #allocateAttributes(token: Uint8Array | undefined): Attribute[] {
    const random = this.#random;
    const attributes: Attribute[] = [];
    if (random.chance(0.96))
      attributes.push(random.chance(0.97) ? UDP : number32(A.requestedTransport, random.word()));
    if (random.chance(0.3)) attributes.push(this.#lifetime());
    if (random.chance(0.25)) attributes.push(number32(A.requestedAddressFamily, random.below(4) << 24));
    if (random.chance(0.15)) attributes.push(number32(A.additionalAddressFamily, random.between(1, 2) << 24));
    if (random.chance(0.25))
      attributes.push({ type: A.evenPort, value: Uint8Array.of(random.pick([0, 0x80, 0xff])) });
    if (random.chance(0.05)) attributes.push({ type: A.dontFragment, value: Buffer.alloc(0) });
    if (random.chance(0.08)) attributes.push({ type: A.reservationToken, value: token ?? random.bytes(8) });
    return attributes;
  }

  #refreshAttributes(): Attribute[] {
    const random = this.#random;
    const attributes = random.chance(0.9) ? [this.#lifetime()] : [];
    if (random.chance(0.2)) attributes.push(number32(A.requestedAddressFamily, random.below(4) << 24));
    return attributes;
  }

  #lifetime(): Attribute {
    const random = this.#random;
    return number32(
      A.lifetime,
      random.pick([0, 1, 599, 600, 601, 900, 3600, 0x7fffffff, 0xffffffff, random.word()]),
    );
  }

  #permissionAttributes(transactionId: Uint8Array): Attribute[] {
    const random = this.#random;
    const count = random.chance(0.05) ? random.between(0, 80) : random.between(1, 4);
    return Array.from({ length: count }, () => this.#peer(transactionId));
  }

  #channelAttributes(transactionId: Uint8Array): Attribute[] {
    const random = this.#random;
    const channel = random.chance(0.9) ? CHANNEL_NUMBER_MIN + random.below(10) : random.pick(CHANNELS);
    return [number32(A.channelNumber, (channel << 16) | random.below(2)), this.#peer(transactionId)];
  }

  #peer(transactionId: Uint8Array): Attribute {
    const random = this.#random;
    const value = encodeXorAddress(this.anyPeer(), transactionId);
    if (random.chance(0.03))
      return { type: A.xorPeerAddress, value: value.subarray(0, random.below(value.length)) };
    if (random.chance(0.03)) value[random.below(2)] = random.word();
    return { type: A.xorPeerAddress, value };
  }

  #noise(): Attribute {
    const random = this.#random;
    return {
      type: random.chance(0.8) ? random.pick(TYPES) : random.below(0x10000),
      value: random.bytes(random.below(40)),
    };
  }

  #remember(message: Buffer): Buffer {
    if (this.#recent.length < 64) this.#recent.push(message);
    else this.#recent[this.#random.below(64)] = message;
    return message;
  }

  /** A recent message with something changed; now and then its sender signs it again. */
  #bent(who: Session | undefined): Buffer {
    const random = this.#random;
    if (this.#recent.length === 0) return this.#rubbish();
    let bytes: Buffer = Buffer.from(random.pick(this.#recent));
    for (let i = random.between(0, 3); i > 0; i--) bytes = this.#bendOnce(bytes);
    if (bytes.length >= 20 && random.chance(0.5)) {
      bytes = Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
      bytes.writeUInt16BE(Math.min(bytes.length - 20, 0xfffc), 2);
    }
    return who && random.chance(0.3) ? signedAgain(bytes, who.key) : bytes;
  }

  #bendOnce(bytes: Buffer): Buffer {
    const random = this.#random;
    const at = random.below(bytes.length + 1);
    switch (random.below(6)) {
      case 0:
        if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
        return bytes;
      case 1:
        if (at < bytes.length) bytes[at] = random.pick([0, 1, 3, 0x40, 0x7f, 0x80, 0xff]);
        return bytes;
      case 2:
        return bytes.subarray(0, at);
      case 3:
        return Buffer.concat([
          bytes.subarray(0, at),
          random.bytes(random.between(1, 12)),
          bytes.subarray(at),
        ]);
      case 4: {
        const other = random.pick(this.#recent);
        return Buffer.concat([
          bytes.subarray(0, at & ~3),
          other.subarray(random.below(other.length + 1) & ~3),
        ]);
      }
      default:
        if (at + 2 <= bytes.length) bytes.writeUInt16BE(random.pick(LENGTHS), at & ~1);
        return bytes;
    }
  }
}

/** The message cut off at its MESSAGE-INTEGRITY, if it has one, and signed again. */
function signedAgain(bytes: Buffer, key: Uint8Array): Buffer {
  let end = 20;
  while (end + 4 <= bytes.length) {
    const type = bytes.readUInt16BE(end);
    if (type === A.messageIntegrity || type === A.messageIntegritySha256 || type === A.fingerprint) break;
    end += 4 + ((bytes.readUInt16BE(end + 2) + 3) & ~3);
  }
  if (bytes.length < 20 || end > bytes.length || end > 60_000) return bytes;
  const message = Buffer.concat([bytes.subarray(0, end), Buffer.from('00080014', 'hex'), Buffer.alloc(20)]);
  message.writeUInt16BE(message.length - 20, 2);
  message.set(createHmac('sha1', key).update(message.subarray(0, end)).digest(), end + 4);
  return message;
}
