/**
 * SRTP for test phones: written from RFC 3711, RFC 6188 and RFC 7714 alone with `node:crypto`, sharing nothing
 * with `src/b2bua/srtp`, so that a fault there cannot hide behind the same fault here. It keeps no state: the
 * caller says of which ROC or index a packet is.
 */
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';

interface Suite {
  readonly keyBytes: number;
  readonly saltBytes: number;
  readonly isGcm: boolean;
  readonly rtpTagBytes: number;
  readonly rtcpTagBytes: number;
}

const GCM_TAG_BYTES = 16;

/** By the names of SDP (RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14.2). */
export const PLAIN_SUITES: Readonly<Record<string, Suite>> = {
  AES_CM_128_HMAC_SHA1_80: cm(16, 10),
  AES_CM_128_HMAC_SHA1_32: cm(16, 4),
  AES_192_CM_HMAC_SHA1_80: cm(24, 10),
  AES_192_CM_HMAC_SHA1_32: cm(24, 4),
  AES_256_CM_HMAC_SHA1_80: cm(32, 10),
  AES_256_CM_HMAC_SHA1_32: cm(32, 4),
  AEAD_AES_128_GCM: gcm(16),
  AEAD_AES_256_GCM: gcm(32),
};

interface Keys {
  readonly cipher: Buffer;
  readonly authentication: Buffer;
  readonly salt: Buffer;
}

/** One master key, for either direction. */
export class PlainSrtp {
  readonly suite: Suite;
  readonly #mki: Buffer;
  readonly #rtp: Keys;
  readonly #rtcp: Keys;

  /** `mki`: what every packet carries of it; empty: nothing. */
  constructor(suiteName: string, keyAndSalt: Buffer, mki: Buffer = Buffer.alloc(0)) {
    const suite = PLAIN_SUITES[suiteName];
    if (!suite) throw new Error(`no suite ${suiteName}`);
    if (keyAndSalt.length !== suite.keyBytes + suite.saltBytes) throw new Error('key of another suite');
    this.suite = suite;
    this.#mki = mki;
    this.#rtp = sessionKeys(suite, keyAndSalt, 0);
    this.#rtcp = sessionKeys(suite, keyAndSalt, 3);
  }

  protectRtp(packet: Buffer, roc: number): Buffer {
    const { suite } = this;
    const at = headerLength(packet);
    const header = packet.subarray(0, at);
    const iv = this.#rtpIv(packet, roc);
    const body = this.#seal(this.#rtp, iv, header, packet.subarray(at));
    if (suite.isGcm) return Buffer.concat([header, body, this.#mki]);
    const signed = Buffer.concat([header, body]);
    const tag = sign(this.#rtp, suite.rtpTagBytes, Buffer.concat([signed, u32(roc)]));
    return Buffer.concat([signed, this.#mki, tag]);
  }

  /** The plain packet; undefined if it is not of this key and ROC. */
  unprotectRtp(packet: Buffer, roc: number): Buffer | undefined {
    const { suite } = this;
    const tagAt = suite.isGcm ? packet.length : packet.length - suite.rtpTagBytes;
    const end = tagAt - this.#mki.length;
    const at = headerLength(packet);
    if (end < at || !packet.subarray(end, tagAt).equals(this.#mki)) return undefined;
    if (!suite.isGcm) {
      const signed = Buffer.concat([packet.subarray(0, end), u32(roc)]);
      if (!sign(this.#rtp, suite.rtpTagBytes, signed).equals(packet.subarray(tagAt))) return undefined;
    }
    const header = packet.subarray(0, at);
    const body = this.#open(this.#rtp, this.#rtpIv(packet, roc), header, packet.subarray(at, end));
    return body && Buffer.concat([header, body]);
  }

  protectRtcp(packet: Buffer, index: number): Buffer {
    const { suite } = this;
    const header = packet.subarray(0, 8);
    const word = u32((0x80000000 | index) >>> 0);
    const iv = this.#rtcpIv(packet, index);
    if (suite.isGcm) {
      const body = this.#seal(this.#rtcp, iv, Buffer.concat([header, word]), packet.subarray(8));
      return Buffer.concat([header, body, word, this.#mki]);
    }
    const signed = Buffer.concat([header, this.#seal(this.#rtcp, iv, header, packet.subarray(8)), word]);
    return Buffer.concat([signed, this.#mki, sign(this.#rtcp, suite.rtcpTagBytes, signed)]);
  }

  unprotectRtcp(packet: Buffer): { readonly packet: Buffer; readonly index: number } | undefined {
    const { suite } = this;
    const tagAt = suite.isGcm ? packet.length : packet.length - suite.rtcpTagBytes;
    const wordEnd = tagAt - this.#mki.length;
    if (wordEnd < 12 || !packet.subarray(wordEnd, tagAt).equals(this.#mki)) return undefined;
    const word = packet.subarray(wordEnd - 4, wordEnd);
    const index = word.readUInt32BE() & 0x7fffffff;
    if (word.readUInt32BE() < 0x80000000) return undefined;
    const header = packet.subarray(0, 8);
    const iv = this.#rtcpIv(packet, index);
    if (!suite.isGcm) {
      const tag = sign(this.#rtcp, suite.rtcpTagBytes, packet.subarray(0, wordEnd));
      if (!tag.equals(packet.subarray(tagAt))) return undefined;
    }
    const additional = suite.isGcm ? Buffer.concat([header, word]) : header;
    const body = this.#open(this.#rtcp, iv, additional, packet.subarray(8, wordEnd - 4));
    return body && { packet: Buffer.concat([header, body]), index };
  }

  /** RFC 3711 §4.1.1; RFC 7714 §8.1. */
  #rtpIv(packet: Buffer, roc: number): Buffer {
    const { isGcm } = this.suite;
    const iv = Buffer.alloc(isGcm ? 12 : 16);
    packet.copy(iv, isGcm ? 2 : 4, 8, 12);
    iv.writeUInt32BE(roc, isGcm ? 6 : 8);
    packet.copy(iv, isGcm ? 10 : 12, 2, 4);
    return xor(iv, this.#rtp.salt);
  }

  /** The same; RFC 7714 §9.1. */
  #rtcpIv(packet: Buffer, index: number): Buffer {
    const { isGcm } = this.suite;
    const iv = Buffer.alloc(isGcm ? 12 : 16);
    packet.copy(iv, isGcm ? 2 : 4, 4, 8);
    iv.writeUInt32BE(index, isGcm ? 8 : 10);
    return xor(iv, this.#rtcp.salt);
  }

  #seal(keys: Keys, iv: Buffer, additional: Buffer, plain: Buffer): Buffer {
    const bits = keys.cipher.length * 8;
    if (!this.suite.isGcm) return createCipheriv(`aes-${bits}-ctr`, keys.cipher, iv).update(plain);
    const cipher = createCipheriv(bits === 128 ? 'aes-128-gcm' : 'aes-256-gcm', keys.cipher, iv);
    cipher.setAAD(additional);
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  #open(keys: Keys, iv: Buffer, additional: Buffer, text: Buffer): Buffer | undefined {
    const bits = keys.cipher.length * 8;
    if (!this.suite.isGcm) return createCipheriv(`aes-${bits}-ctr`, keys.cipher, iv).update(text);
    const end = text.length - GCM_TAG_BYTES;
    if (end < 0) return undefined;
    const cipher = createDecipheriv(bits === 128 ? 'aes-128-gcm' : 'aes-256-gcm', keys.cipher, iv);
    cipher.setAAD(additional);
    cipher.setAuthTag(text.subarray(end));
    const plain = cipher.update(text.subarray(0, end));
    try {
      cipher.final();
    } catch {
      return undefined;
    }
    return plain;
  }
}

/** RFC 3711 §4.3.1, with a key derivation rate of 0. `label`: that of the cipher's key; the others follow it. */
function sessionKeys(suite: Suite, keyAndSalt: Buffer, label: number): Keys {
  const masterKey = keyAndSalt.subarray(0, suite.keyBytes);
  const masterSalt = keyAndSalt.subarray(suite.keyBytes);
  const derive = (offset: number, length: number): Buffer => {
    const block = Buffer.alloc(16);
    masterSalt.copy(block);
    block.writeUInt8(block.readUInt8(7) ^ (label + offset), 7);
    return createCipheriv(`aes-${masterKey.length * 8}-ctr`, masterKey, block).update(Buffer.alloc(length));
  };
  return {
    cipher: derive(0, suite.keyBytes),
    authentication: derive(1, 20),
    salt: derive(2, suite.saltBytes),
  };
}

function headerLength(packet: Buffer): number {
  const first = packet.readUInt8(0);
  const fixed = 12 + 4 * (first & 15);
  return (first & 16) === 0 ? fixed : fixed + 4 + 4 * packet.readUInt16BE(fixed + 2);
}

function sign(keys: Keys, tagBytes: number, message: Buffer): Buffer {
  return createHmac('sha1', keys.authentication).update(message).digest().subarray(0, tagBytes);
}

function xor(iv: Buffer, salt: Buffer): Buffer {
  for (let i = 0; i < salt.length; i++) iv.writeUInt8(iv.readUInt8(i) ^ salt.readUInt8(i), i);
  return iv;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

function cm(keyBytes: number, rtpTagBytes: number): Suite {
  return { keyBytes, saltBytes: 14, isGcm: false, rtpTagBytes, rtcpTagBytes: 10 };
}

function gcm(keyBytes: number): Suite {
  return { keyBytes, saltBytes: 12, isGcm: true, rtpTagBytes: GCM_TAG_BYTES, rtcpTagBytes: GCM_TAG_BYTES };
}
