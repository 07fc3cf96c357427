/** SDP as phones of tests and the lab write and read it: plain text, sharing nothing with `src/wire/sdp`. */
import type { TransportAddress } from './protocol.ts';

/** One m= section. */
export interface PhoneSdpLine {
  readonly media: string;
  readonly port: number;
  readonly protocol: string;
  readonly formats: string;
  /** Of c=, its own or the session's. */
  readonly address: string;
  /** Without `a=`. */
  readonly attributes: readonly string[];
}

export interface OfferedKey {
  readonly tag: number;
  readonly suite: string;
  readonly keyAndSalt: Buffer;
  readonly mki: Buffer;
  /** As written, for comparing. */
  readonly text: string;
}

export function readPhoneSdp(text: string): PhoneSdpLine[] {
  const [session = '', ...sections] = text.split(/^(?=m=)/m);
  const sessionAddress = connectionIn(session) ?? '';
  return sections.map((section) => {
    const [media = '', port = '', protocol = '', ...formats] = (section.split('\r\n')[0] ?? '')
      .slice(2)
      .split(' ');
    return {
      media,
      port: Number(port),
      protocol,
      formats: formats.join(' '),
      address: connectionIn(section) ?? sessionAddress,
      attributes: [...section.matchAll(/^a=(.*?)\r?$/gm)].map((match) => match[1] ?? ''),
    };
  });
}

export function writePhoneSdp(address: string, version: number, lines: readonly PhoneSdpLine[]): string {
  const family = address.includes(':') ? 'IP6' : 'IP4';
  return [
    'v=0',
    `o=phone 1 ${version} IN ${family} ${address}`,
    's=-',
    `c=IN ${family} ${address}`,
    't=0 0',
    ...lines.flatMap((line) => [
      `m=${line.media} ${line.port} ${line.protocol} ${line.formats}`,
      ...(line.address === address
        ? []
        : [`c=IN ${line.address.includes(':') ? 'IP6' : 'IP4'} ${line.address}`]),
      ...line.attributes.map((attribute) => `a=${attribute}`),
    ]),
    '',
  ].join('\r\n');
}

/** The value of the first attribute of that name; empty if it has none; undefined if it is not there. */
export function attributeOf(line: PhoneSdpLine, name: string): string | undefined {
  const found = line.attributes.find((attribute) => attribute === name || attribute.startsWith(`${name}:`));
  return found?.slice(name.length + 1);
}

/** Where RTCP goes by a=rtcp, or by the rule of the next port (RFC 3550 §11). */
export function rtcpPlaceOf(line: PhoneSdpLine): TransportAddress {
  const [port, , , address] = attributeOf(line, 'rtcp')?.split(' ') ?? [];
  return { address: address ?? line.address, port: Number(port ?? line.port + 1) };
}

/** a=crypto lines, as RFC 4568 §9 has them. */
export function keysOf(line: PhoneSdpLine): OfferedKey[] {
  return line.attributes.flatMap((attribute) => {
    const parts = /^crypto:(\d+) (\S+) inline:([^|\s]+)(?:\|2\^\d+)?(?:\|(\d+):(\d+))?/.exec(attribute);
    if (!parts) return [];
    const [, tag = '', suite = '', text = '', mkiValue, mkiLength] = parts;
    return [
      {
        ...{ tag: Number(tag), suite, text },
        keyAndSalt: Buffer.from(text, 'base64'),
        mki: mkiLength === undefined ? Buffer.alloc(0) : mkiBytes(Number(mkiValue), Number(mkiLength)),
      },
    ];
  });
}

export function mkiBytes(value: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.writeUIntBE(value, Math.max(0, length - 6), Math.min(6, length));
  return bytes;
}

function connectionIn(section: string): string | undefined {
  return /^c=IN IP[46] (\S+)/m.exec(section)?.[1];
}
