/** The SDP that a generator's endpoints write, and what they read in the SDP that the engine hands them. */
import { type CryptoRefusal, formatCrypto, parseCrypto, type SdesCrypto } from '../b2bua/sdes.ts';
import type { SrtpSuite } from '../b2bua/srtp/suites.ts';
import { SdpDocument } from '../wire/sdp.ts';

/** One master key with its salt, fresh for every call, endpoint and direction. */
export interface MasterKey {
  readonly key: Uint8Array;
  readonly salt: Uint8Array;
}

/** What an endpoint says of itself. */
export interface LocalMedia {
  readonly address: string;
  readonly port: number;
  /** Null: plain RTP. */
  readonly crypto: { readonly tag: number; readonly suite: SrtpSuite; readonly master: MasterKey } | null;
}

/** What an endpoint is told of the other side: the engine's own address and keys. */
export interface RemoteMedia {
  readonly address: string;
  readonly port: number;
  readonly protocol: string;
  /** In the order offered; those that cannot be served are not there. */
  readonly cryptos: readonly SdesCrypto[];
  /** All suites that stood there, for a message. */
  readonly suiteNames: readonly string[];
}

/** Thrown when the engine's SDP is not what the call needs; the message holds no keys. */
export class SdpMismatchError extends Error {
  readonly code = 'BENCH_SDP_MISMATCH';
}

/** An audio line of G.711 µ-law in packets of 20 ms. */
export function writeSdp({ address, crypto, port }: LocalMedia): string {
  const family = address.includes(':') ? 'IP6' : 'IP4';
  const lines = [
    'v=0',
    `o=- ${port} 1 IN ${family} ${address}`,
    's=-',
    `c=IN ${family} ${address}`,
    't=0 0',
    `m=audio ${port} ${crypto ? 'RTP/SAVP' : 'RTP/AVP'} 0`,
    'a=rtpmap:0 PCMU/8000',
    'a=ptime:20',
    'a=sendrecv',
  ];
  if (crypto) {
    const { master, suite, tag } = crypto;
    lines.push(`a=crypto:${formatCrypto(tag, suite.name, master.key, master.salt, true)}`);
  }
  return `${lines.join('\r\n')}\r\n`;
}

/** @throws SdpMismatchError if that is no SDP, or its first line offers no address to send to. */
export function readSdp(text: string): RemoteMedia {
  const media = SdpDocument.parse(text)?.media[0];
  const connection = media?.connection();
  if (!media || !connection) throw new SdpMismatchError('the SDP has no media line with an address');
  if (media.port === 0) throw new SdpMismatchError('the media line is refused (port 0)');
  const attributes = media.attributes('crypto');
  return {
    address: connection.address,
    port: media.port,
    protocol: media.protocol,
    cryptos: attributes.map(parseCrypto).filter(isServed),
    suiteNames: attributes.map((value) => value.split(' ')[1] ?? ''),
  };
}

/**
 * The engine's keys of the wanted suite; null for plain RTP.
 * @throws SdpMismatchError if the line is not of the wanted kind, or has no such suite.
 */
export function chooseCrypto(remote: RemoteMedia, suite: SrtpSuite | null): SdesCrypto | null {
  const isSecure = remote.protocol.includes('SAVP');
  if (isSecure !== (suite !== null)) {
    throw new SdpMismatchError(`wanted ${suite ? 'SRTP' : 'plain RTP'}, got ${remote.protocol}`);
  }
  if (!suite) return null;
  const crypto = remote.cryptos.find((candidate) => candidate.suite === suite);
  if (crypto) return crypto;
  const names = remote.suiteNames.join(', ') || 'no suite at all';
  throw new SdpMismatchError(`${suite.name} is not offered; there is ${names}`);
}

function isServed(crypto: SdesCrypto | CryptoRefusal): crypto is SdesCrypto {
  return typeof crypto !== 'string';
}
