/** A SIP user agent's media side on the simulated network: it makes offers and answers, and speaks on what they agree. */
import {
  attributeOf,
  keysOf,
  mkiBytes,
  type OfferedKey,
  type PhoneSdpLine,
  readPhoneSdp,
  rtcpPlaceOf,
  writePhoneSdp,
} from '../../lab/phone/sdp-lines.ts';
import { PLAIN_SUITES, PlainSrtp } from './b2bua-srtp.ts';
import { type PhoneIce, PhoneStream } from './b2bua-stream.ts';
import type { SimNetwork } from './sim-network.ts';

/** What a phone can and wants on one line. */
export interface LineOptions {
  readonly media?: string;
  /** Of its offers. */
  readonly protocol?: string;
  readonly formats?: string;
  /** Suites it has, the best first; empty: it encrypts nothing. */
  readonly suites?: readonly string[];
  readonly rtcpMux?: boolean;
  readonly ice?: boolean;
  /** MKI of its keys: value and length in bytes. */
  readonly mki?: readonly [value: number, length: number];
  /** Further attributes, without `a=`. */
  readonly attributes?: readonly string[];
}

export interface PhoneOptions {
  /** Where its packets come from. */
  readonly address: string;
  /** What its SDP says, where that is another address (behind a NAT). */
  readonly sdpAddress?: string;
  readonly tag?: string;
  /** To whom its keys count as given: forks of one offer share them. */
  readonly owner?: string;
  readonly port?: number;
  readonly lines?: readonly LineOptions[];
}

/** What all phones of a simulation have in common. */
export interface PhoneWorld {
  readonly network: SimNetwork;
  /** Told of every key that a phone is given or makes. */
  noteKey(text: string, owner: string, kind: 'given' | 'own'): void;
}

export class PhoneLine {
  options: LineOptions;
  readonly stream: PhoneStream;
  direction = 'sendrecv';
  isRefused = false;
  /** Its SDP has a null address (an old way of putting on hold). */
  isNull = false;
  /** As the last SDP that came had it. */
  remote: PhoneSdpLine | undefined;
  /** Its keys, by suite: the same in every offer until {@link renewKeys}. */
  #keys = new Map<string, Buffer>();
  #iceRound = 0;
  /** Contexts by their keys: a key that comes back goes on where it was. */
  readonly #contexts = new Map<string, PlainSrtp>();
  readonly #name: string;
  readonly #world: PhoneWorld;

  constructor(options: LineOptions, stream: PhoneStream, name: string, world: PhoneWorld) {
    this.options = options;
    this.stream = stream;
    this.#name = name;
    this.#world = world;
  }

  get suites(): readonly string[] {
    return this.options.suites ?? [];
  }

  get isRtp(): boolean {
    return /RTP/.test(this.options.protocol ?? 'RTP/AVP');
  }

  renewKeys(): void {
    this.#keys = new Map();
  }

  restartIce(): void {
    this.#iceRound++;
  }

  /** Its m= section for an offer. */
  offer(address: string): PhoneSdpLine {
    const { options } = this;
    const isMuxed = this.isRtp && options.rtcpMux === true;
    return this.#section(address, options.protocol ?? 'RTP/AVP', [
      ...this.suites.map((suite, i) => this.#crypto(i + 1, suite)),
      ...(isMuxed ? ['rtcp-mux'] : []),
      ...(options.ice ? this.#iceAttributes() : []),
    ]);
  }

  /** Its m= section for the answer to what was offered; puts both in force. */
  answer(offered: PhoneSdpLine, address: string): PhoneSdpLine {
    const { options } = this;
    if (this.isRefused || offered.port === 0) return this.#refusal(offered);
    const key = keysOf(offered).find(({ suite }) => this.suites.includes(suite));
    if (/SAVP/.test(offered.protocol) && !key) return this.#refusal(offered);
    const isMuxed = options.rtcpMux === true && attributeOf(offered, 'rtcp-mux') !== undefined;
    const hasIce = options.ice === true && attributeOf(offered, 'ice-ufrag') !== undefined;
    this.#agree(offered, key, key && this.#own(key.suite), isMuxed, hasIce);
    return this.#section(address, offered.protocol, [
      ...(key ? [this.#crypto(key.tag, key.suite)] : []),
      ...(isMuxed ? ['rtcp-mux'] : []),
      ...(hasIce ? this.#iceAttributes() : []),
    ]);
  }

  /** Takes the answer to its own offer. */
  accept(answered: PhoneSdpLine): void {
    this.remote = answered;
    if (answered.port === 0) return;
    const key = keysOf(answered)[0];
    if (this.suites.length > 0 && /SAVP/.test(answered.protocol) && !key) throw new Error('answered no key');
    const isMuxed = this.options.rtcpMux === true && attributeOf(answered, 'rtcp-mux') !== undefined;
    const hasIce = this.options.ice === true && attributeOf(answered, 'ice-ufrag') !== undefined;
    this.#agree(answered, key, key && this.#own(key.suite), isMuxed, hasIce);
  }

  #agree(
    remote: PhoneSdpLine,
    theirs: OfferedKey | undefined,
    own: Buffer | undefined,
    isMuxed: boolean,
    hasIce: boolean,
  ): void {
    const { stream } = this;
    this.remote = remote;
    stream.isOpaque = !this.isRtp;
    stream.isMuxed = isMuxed;
    stream.remoteRtp = { address: remote.address, port: remote.port };
    stream.remoteRtcp = isMuxed ? stream.remoteRtp : rtcpPlaceOf(remote);
    for (const { text } of keysOf(remote)) this.#world.noteKey(text, this.#name, 'given');
    stream.inbound = theirs && this.#context(theirs.suite, theirs.keyAndSalt, theirs.mki);
    stream.outbound = theirs && own && this.#context(theirs.suite, own, this.#mki());
    stream.localIce = hasIce ? this.#ice() : undefined;
    stream.remoteIce = hasIce
      ? { ufrag: attributeOf(remote, 'ice-ufrag') ?? '', pwd: attributeOf(remote, 'ice-pwd') ?? '' }
      : undefined;
  }

  #context(suite: string, keyAndSalt: Buffer, mki: Buffer): PlainSrtp {
    const name = `${suite} ${keyAndSalt.toString('hex')} ${mki.toString('hex')}`;
    const context = this.#contexts.get(name) ?? new PlainSrtp(suite, keyAndSalt, mki);
    this.#contexts.set(name, context);
    return context;
  }

  #section(address: string, protocol: string, attributes: readonly string[]): PhoneSdpLine {
    const { options } = this;
    return {
      media: options.media ?? 'audio',
      port: this.isRefused ? 0 : this.stream.rtpPlace.port,
      protocol,
      formats: options.formats ?? (this.isRtp ? '0' : '*'),
      address: this.isNull ? (address.includes(':') ? '::' : '0.0.0.0') : address,
      attributes: [
        ...(options.attributes ?? []),
        ...(this.isRtp && this.direction !== 'sendrecv' ? [this.direction] : []),
        ...attributes,
      ],
    };
  }

  #refusal(offered: PhoneSdpLine): PhoneSdpLine {
    this.remote = undefined;
    return { ...offered, port: 0, attributes: [] };
  }

  #crypto(tag: number, suite: string): string {
    const { mki } = this.options;
    const text = this.#own(suite).toString('base64');
    this.#world.noteKey(text, this.#name, 'own');
    return `crypto:${tag} ${suite} inline:${text}${mki ? `|2^31|${mki[0]}:${mki[1]}` : ''}`;
  }

  #own(suite: string): Buffer {
    const facts = PLAIN_SUITES[suite];
    if (!facts) throw new Error(`no suite ${suite}`);
    const key = this.#keys.get(suite) ?? this.#random(facts.keyBytes + facts.saltBytes);
    this.#keys.set(suite, key);
    return key;
  }

  #random(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => Math.floor(this.#world.network.random() * 256)));
  }

  #mki(): Buffer {
    const { mki } = this.options;
    return mki ? mkiBytes(...mki) : Buffer.alloc(0);
  }

  #ice(): PhoneIce {
    const round = String(this.#iceRound).padStart(2, '0');
    return { ufrag: `phone${round}`, pwd: `passwordOfThePhone${this.#name.replace(/\W/g, '')}${round}` };
  }

  #iceAttributes(): string[] {
    const { ufrag, pwd } = this.#ice();
    const { address, port } = this.stream.rtpPlace;
    return [
      `ice-ufrag:${ufrag}`,
      `ice-pwd:${pwd}`,
      `candidate:1 1 UDP 2130706431 ${address} ${port} typ host`,
    ];
  }
}

export class Phone {
  readonly tag: string;
  readonly lines: PhoneLine[] = [];
  address: string;
  sdpAddress: string;
  readonly #world: PhoneWorld;
  readonly #owner: string;
  #version = 0;
  #nextPort: number;

  constructor(world: PhoneWorld, options: PhoneOptions, tag: string, port: number) {
    this.#world = world;
    this.tag = options.tag ?? tag;
    this.#owner = options.owner ?? this.tag;
    this.address = options.address;
    this.sdpAddress = options.sdpAddress ?? options.address;
    this.#nextPort = options.port ?? port;
    for (const line of options.lines ?? [{}]) this.addLine(line);
  }

  /** The first line. */
  get line(): PhoneLine {
    return this.lines[0] as PhoneLine;
  }

  /** The stream of the first line. */
  get audio(): PhoneStream {
    return this.line.stream;
  }

  addLine(options: LineOptions): PhoneLine {
    const place = { address: this.address, port: this.#nextPort };
    this.#nextPort += 2;
    const ssrc = Math.floor(this.#world.network.random() * 2 ** 32);
    const stream = new PhoneStream(this.#world.network, place, ssrc);
    const line = new PhoneLine(options, stream, `${this.#owner}/${this.lines.length}`, this.#world);
    this.lines.push(line);
    return line;
  }

  offer(): string {
    return this.#write(this.lines.map((line) => line.offer(this.sdpAddress)));
  }

  answer(offer: string): string {
    const offered = readPhoneSdp(offer);
    while (this.lines.length < offered.length) this.addLine({});
    return this.#write(offered.map((line, i) => (this.lines[i] as PhoneLine).answer(line, this.sdpAddress)));
  }

  accept(answer: string): void {
    for (const [i, line] of readPhoneSdp(answer).entries()) this.lines[i]?.accept(line);
  }

  /** Its packets come from elsewhere from now on; its SDP still says the same. */
  move(address: string, portShift = 0): void {
    this.address = address;
    for (const { stream } of this.lines) {
      stream.move({ address, port: stream.rtpPlace.port + portShift });
    }
  }

  close(): void {
    for (const { stream } of this.lines) stream.close();
  }

  #write(sections: readonly PhoneSdpLine[]): string {
    return writePhoneSdp(this.sdpAddress, ++this.#version, sections);
  }
}
