/** Requests of a client that knows its credentials, built with an encoder that shares nothing with `src`. */
import {
  A,
  ALLOCATE,
  type Attribute,
  CHANNEL_BIND,
  CREATE_PERMISSION,
  encode,
  encodeXorAddress,
  INDICATION,
  longTermKey,
  REFRESH,
  REQUEST,
  SEND,
} from '../../lab/phone/plain-stun.ts';
import type { Source } from './fuzz-io.ts';
import type { Random } from './seeded.ts';

export const REALM = 'TANDBERG';

export interface Credentials {
  readonly name: string;
  readonly password: string;
}

/** What a client signs its requests with. */
export interface Session {
  readonly user: Credentials;
  readonly key: Uint8Array;
  nonce: Uint8Array;
}

export function session(user: Credentials, nonce: Uint8Array = new Uint8Array(0)): Session {
  return { user, key: longTermKey('md5', user.name, REALM, user.password), nonce };
}

export function number32(type: number, value: number): Attribute {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return { type, value: bytes };
}

export const UDP: Attribute = number32(A.requestedTransport, 17 << 24);

export function peerAddress(peer: Source, transactionId: Uint8Array): Attribute {
  return { type: A.xorPeerAddress, value: encodeXorAddress(peer, transactionId) };
}

export function identity({ user, nonce }: Session): Attribute[] {
  return [
    { type: A.username, value: Buffer.from(user.name) },
    { type: A.realm, value: Buffer.from(REALM) },
    { type: A.nonce, value: nonce },
  ];
}

/** A signed request; `attributes` is given the transaction ID. */
export function request(
  random: Random,
  method: number,
  who: Session | undefined,
  attributes: (transactionId: Uint8Array) => readonly Attribute[],
): Buffer {
  const transactionId = random.bytes(12);
  return encode(
    {
      method,
      kind: REQUEST,
      transactionId,
      attributes: [...attributes(transactionId), ...(who ? identity(who) : [])],
    },
    { integrity: who && { algorithm: 'sha1', key: who.key }, fingerprint: random.chance(0.3) },
  );
}

export function allocate(random: Random, who: Session | undefined, more: readonly Attribute[] = []): Buffer {
  return request(random, ALLOCATE, who, () => [UDP, ...more]);
}

export function refresh(random: Random, who: Session | undefined, lifetimeSeconds: number): Buffer {
  return request(random, REFRESH, who, () => [number32(A.lifetime, lifetimeSeconds)]);
}

export function createPermission(random: Random, who: Session | undefined, peers: readonly Source[]): Buffer {
  return request(random, CREATE_PERMISSION, who, (id) => peers.map((peer) => peerAddress(peer, id)));
}

export function channelBind(random: Random, who: Session | undefined, channel: number, peer: Source): Buffer {
  return request(random, CHANNEL_BIND, who, (id) => [
    number32(A.channelNumber, channel << 16),
    peerAddress(peer, id),
  ]);
}

export function sendIndication(
  random: Random,
  peer: Source,
  data: Uint8Array,
  more: readonly Attribute[] = [],
): Buffer {
  const transactionId = random.bytes(12);
  const attributes = [peerAddress(peer, transactionId), { type: A.data, value: data }, ...more];
  return encode({ method: SEND, kind: INDICATION, transactionId, attributes });
}

export function channelData(channel: number, data: Uint8Array, announced: number = data.length): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt16BE(channel & 0xffff, 0);
  header.writeUInt16BE(announced & 0xffff, 2);
  return Buffer.concat([header, data]);
}
