/** SRTP over both back ends: each has a slab of its own, and packets are put there and read back as buffers. */

import type { Keystream } from '../../src/b2bua/srtp/key-derivation.ts';
import { type SrtpMasterKey, SrtpReceiver } from '../../src/b2bua/srtp/srtp-receiver.ts';
import { SrtpSender } from '../../src/b2bua/srtp/srtp-sender.ts';
import { type SrtpSuite, suiteNamed } from '../../src/b2bua/srtp/suites.ts';
import { EngineUnavailableError } from '../../src/net/engine.ts';
import { loadNative } from '../../src/net/linux/libc.ts';
import { Memory } from '../../src/net/linux/memory.ts';
import { createOpenSslCrypto, OPENSSL_MEMORY_BYTES } from '../../src/net/linux/openssl.ts';
import { aesKeystream, createNodeMediaCrypto } from '../../src/node/node-media-crypto.ts';
import type { MediaCrypto } from '../../src/wire/media-crypto.ts';
import type { Random } from '../fuzz/seeded.ts';

export const SLAB_BYTES: number = 1_200_000;
/** Where packets stand in the slab; not aligned, as packets of aggregates are not. */
export const PACKET_OFFSET = 1001;

export interface CryptoRig {
  readonly crypto: MediaCrypto;
  readonly bytes: Uint8Array;
  readonly keystream: Keystream;
}

/** Names and makers of the back ends that work here. */
export const BACK_ENDS: readonly { readonly name: string; readonly create: () => CryptoRig }[] = [
  { name: 'node:crypto', create: nodeRig },
  ...(hasOpenSsl() ? [{ name: 'OpenSSL through FFI', create: openSslRig }] : []),
];

export function nodeRig(): CryptoRig {
  const bytes = new Uint8Array(SLAB_BYTES);
  return { crypto: createNodeMediaCrypto(bytes), bytes, keystream: aesKeystream };
}

/** @throws EngineUnavailableError where it does not work */
export function openSslRig(): CryptoRig {
  const native = loadNative();
  const memory = new Memory(native, SLAB_BYTES + OPENSSL_MEMORY_BYTES);
  const slabOffset = memory.carve(SLAB_BYTES);
  const bytes = new Uint8Array(memory.buffer, slabOffset, SLAB_BYTES);
  const crypto = createOpenSslCrypto(native, memory, slabOffset, SLAB_BYTES);
  return { crypto, bytes, keystream: aesKeystream };
}

/** Known to be served. @throws Error if it is not */
export function suite(name: string): SrtpSuite {
  const found = suiteNamed(name);
  if (found === undefined) throw new Error(`no suite ${name}`);
  return found;
}

export function randomKey(random: Random, of: SrtpSuite): { masterKey: Buffer; masterSalt: Buffer } {
  return { masterKey: random.bytes(of.keyBytes), masterSalt: random.bytes(of.saltBytes) };
}

/** A sender or receiver, with packets as buffers: `rtp` and `rtcp` give what became of it, or the outcome. */
export interface Direction {
  rtp(packet: Uint8Array): Buffer | number;
  rtcp(packet: Uint8Array): Buffer | number;
}

export interface Receiving extends Direction {
  readonly receiver: SrtpReceiver;
}

export interface Sending extends Direction {
  readonly sender: SrtpSender;
}

export function sending(rig: CryptoRig, of: SrtpSuite, key: SrtpMasterKey): Sending {
  const { crypto, bytes, keystream } = rig;
  const sender = new SrtpSender(crypto, bytes, keystream, of, key.masterKey, key.masterSalt);
  return {
    sender,
    rtp: (packet) => inSlab(rig, packet, (length) => sender.protectRtp(PACKET_OFFSET, length)),
    rtcp: (packet) => inSlab(rig, packet, (length) => sender.protectRtcp(PACKET_OFFSET, length)),
  };
}

export function receiving(rig: CryptoRig, of: SrtpSuite, ...keys: readonly SrtpMasterKey[]): Receiving {
  const { crypto, bytes, keystream } = rig;
  const receiver = new SrtpReceiver(crypto, bytes, keystream, of, keys);
  return {
    receiver,
    rtp: (packet) => inSlab(rig, packet, (length) => receiver.unprotectRtp(PACKET_OFFSET, length)),
    rtcp: (packet) => inSlab(rig, packet, (length) => receiver.unprotectRtcp(PACKET_OFFSET, length)),
  };
}

/** What a call that must succeed gave. @throws Error with the outcome if it did not */
export function good(result: Buffer | number): Buffer {
  if (typeof result === 'number') throw new Error(`outcome ${result}`);
  return result;
}

export interface RtpFields {
  readonly sequence: number;
  readonly ssrc?: number;
  readonly payload?: Uint8Array;
  /** CSRCs and an extension of so many words. */
  readonly csrcs?: number;
  readonly extensionWords?: number;
}

const DEFAULT_SSRC = 0xdecafbad;
const DEFAULT_PAYLOAD = Buffer.alloc(20, 0xab);

export function rtpPacket(fields: RtpFields): Buffer {
  const { csrcs = 0, extensionWords = -1, payload = DEFAULT_PAYLOAD } = fields;
  const hasExtension = extensionWords >= 0;
  const header = Buffer.alloc(12 + 4 * csrcs + (hasExtension ? 4 + 4 * extensionWords : 0), 0x33);
  header[0] = 0x80 | (hasExtension ? 0x10 : 0) | csrcs;
  header[1] = 0;
  header.writeUInt16BE(fields.sequence, 2);
  header.writeUInt32BE(160 * fields.sequence, 4);
  header.writeUInt32BE(fields.ssrc ?? DEFAULT_SSRC, 8);
  if (hasExtension) header.writeUInt16BE(extensionWords, 12 + 4 * csrcs + 2);
  return Buffer.concat([header, payload]);
}

/** A sender report, by default without report blocks. `body`: what follows the first 8 bytes. */
export function rtcpPacket(ssrc: number = DEFAULT_SSRC, body: Uint8Array = Buffer.alloc(20, 0xcd)): Buffer {
  const header = Buffer.from('80c8000000000000', 'hex');
  header.writeUInt16BE(Math.floor((8 + body.length) / 4) - 1, 2);
  header.writeUInt32BE(ssrc, 4);
  return Buffer.concat([header, body]);
}

function inSlab(rig: CryptoRig, packet: Uint8Array, act: (length: number) => number): Buffer | number {
  rig.bytes.set(packet, PACKET_OFFSET);
  const length = act(packet.length);
  return length < 0 ? length : Buffer.from(rig.bytes.slice(PACKET_OFFSET, PACKET_OFFSET + length));
}

function hasOpenSsl(): boolean {
  try {
    openSslRig();
    return true;
  } catch (error) {
    if (error instanceof EngineUnavailableError) return false;
    throw error;
  }
}
