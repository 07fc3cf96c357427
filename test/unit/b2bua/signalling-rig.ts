/**
 * Commands, and nothing but commands, to one core: what a SIP proxy says of its calls, and what it gets back.
 * SDPs are plain text; in results, what differs from run to run (ports, keys, ICE credentials) has names.
 */
import type { CallReport } from '../../../src/b2bua/inspect.ts';
import type { NgDictionary } from '../../../src/b2bua/ng-request.ts';
import { SRTP_SUITES } from '../../../src/b2bua/srtp/suites.ts';
import { B2buaNode, type NodeOptions } from '../../kit/b2bua-node.ts';
import { SimNetwork } from '../../kit/sim-network.ts';

export const CALL = 'call-1@example.org';

export const CM_80 = 'AES_CM_128_HMAC_SHA1_80';
export const CM_32 = 'AES_CM_128_HMAC_SHA1_32';
export const GCM_256 = 'AEAD_AES_256_GCM';

/** Lines with CR LF behind each. */
export function crlf(...lines: readonly (string | readonly string[])[]): string {
  return lines
    .flat()
    .map((line) => `${line}\r\n`)
    .join('');
}

/** An SDP of the phone at `address` with these m= sections. */
export function sdpOf(address: string, ...sections: readonly (string | readonly string[])[]): string {
  const family = address.includes(':') ? 'IP6' : 'IP4';
  return crlf(
    ['v=0', `o=phone 7 1 IN ${family} ${address}`, 's=-', `c=IN ${family} ${address}`, 't=0 0'],
    ...sections,
  );
}

export function audio(protocol = 'RTP/AVP', ...attributes: readonly string[]): string[] {
  return [`m=audio 40000 ${protocol} 0 101`, ...attributes.map((attribute) => `a=${attribute}`)];
}

/** `crypto:…` of a phone; `seed` makes its key. */
export function crypto(tag: number, suite: string, seed = 'phone'): string {
  return `crypto:${tag} ${suite} inline:${keyOf(suite, seed)}`;
}

/** A key and salt that fit the suite; empty for one that is not known. */
export function keyOf(suite: string, seed = 'phone'): string {
  const known = SRTP_SUITES.find(({ name }) => name === suite);
  return Buffer.alloc(known ? known.keyBytes + known.saltBytes : 0, seed).toString('base64');
}

export class SignallingRig {
  readonly network: SimNetwork = new SimNetwork(1);
  readonly node: B2buaNode;

  constructor(options: NodeOptions = {}) {
    this.node = new B2buaNode(this.network, options, 1);
  }

  command(name: string, keys: NgDictionary): NgDictionary {
    return this.node.command(name, { 'call-id': CALL, supports: ['load limit'], ...keys });
  }

  /** The SDP that an offer from A became. @throws Error where it was refused */
  offer(sdp: string, keys: NgDictionary = {}): string {
    return sdpIn(
      this.command('offer', { 'from-tag': 'A', direction: ['external', 'internal'], sdp, ...keys }),
    );
  }

  /** The SDP that an answer from B to A became. @throws Error where it was refused */
  answer(sdp: string, keys: NgDictionary = {}): string {
    return sdpIn(this.command('answer', { 'from-tag': 'A', 'to-tag': 'B', sdp, ...keys }));
  }

  /** A further offer from B to A. */
  offerBack(sdp: string, keys: NgDictionary = {}): string {
    return this.offer(sdp, { 'from-tag': 'B', 'to-tag': 'A', direction: ['internal', 'external'], ...keys });
  }

  answerBack(sdp: string, keys: NgDictionary = {}): string {
    return this.answer(sdp, { 'from-tag': 'B', 'to-tag': 'A', ...keys });
  }

  refusedOffer(sdp: string, keys: NgDictionary = {}): string {
    return reasonOf(() => this.offer(sdp, keys));
  }

  refusedAnswer(sdp: string, keys: NgDictionary = {}): string {
    return reasonOf(() => this.answer(sdp, keys));
  }

  delete(keys: NgDictionary = { 'from-tag': 'A' }): NgDictionary {
    return this.command('delete', keys);
  }

  report(callId: string = CALL): CallReport {
    return this.node.report(callId);
  }

  /** What the media path works by: where each stream of each leg is, goes to and is encrypted by. */
  running(): unknown[] {
    return this.report().legs.map(({ tag, lines }) => ({
      tag,
      lines: lines.map(({ protocol, isRtcpMuxed, receivedSuite, sentSuite, streams }) => ({
        ...{ protocol, isRtcpMuxed, receivedSuite, sentSuite },
        streams: streams.map(({ localPort, remote, ice }) => ({ localPort, remote, ice })),
      })),
    }));
  }

  /** Ends every call; a list of what is held afterwards, which must be empty. */
  end(): string[] {
    this.node.core.close();
    return this.node.held();
  }
}

/** The SDP of a reply. @throws Error with the reason where it is an error */
export function sdpIn(reply: NgDictionary): string {
  if (reply.result !== 'ok' || typeof reply.sdp !== 'string') throw new Error(String(reply['error-reason']));
  return reply.sdp;
}

/** The message of the error that `act` throws. */
export function reasonOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it was not refused');
}

/** The same with names for what is ours and random: ports P1, P1+1, …; keys K1, …; ICE credentials U1 and W1, … */
export function named(sdp: string): string {
  const names = new Map<string, string>();
  const name = (letter: string, value: string): string => {
    const known = [...names.values()].filter((one) => one.startsWith(letter)).length;
    if (!names.has(value)) names.set(value, `${letter}${known + 1}`);
    return names.get(value) ?? '';
  };
  return sdp
    .replace(/(?<=[ :])36\d\d\d(?=[ \r])/g, (text) => {
      const port = Number(text);
      return name('P', String(port - (port % 2))) + (port % 2 === 0 ? '' : '+1');
    })
    .replace(/(?<=inline:)[A-Za-z0-9+/=]+/g, (key) => name('K', key))
    .replace(/(?<=a=ice-ufrag:).+(?=\r)/g, (ufrag) => name('U', ufrag))
    .replace(/(?<=a=ice-pwd:).+(?=\r)/g, (password) => name('W', password));
}

/** The lines of the m= sections, named. */
export function mediaLines(sdp: string): string[] {
  const text = named(sdp);
  const at = text.indexOf('m=');
  return at < 0 ? [] : text.slice(at).trimEnd().split('\r\n');
}

/** The keys in a=crypto, in order. */
export function keysIn(sdp: string): string[] {
  return [...sdp.matchAll(/a=crypto:.* inline:([^\s|]+)/g)].map((match) => match[1] ?? '');
}

/** Names of the suites in a=crypto, in order. */
export function suitesIn(sdp: string): string[] {
  return [...sdp.matchAll(/a=crypto:\d+ (\S+)/g)].map((match) => match[1] ?? '');
}

/** Ports of the m= lines. */
export function portsIn(sdp: string): number[] {
  return [...sdp.matchAll(/^m=\S+ (\d+)/gm)].map((match) => Number(match[1]));
}
