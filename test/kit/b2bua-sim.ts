/**
 * Calls through B2BUA cores on the simulated network: nodes, phones, strangers, and the words of the SIP proxy
 * between them. Everything random comes from one seed.
 */
import type { NgDictionary } from '../../src/b2bua/ng-request.ts';
import { B2buaNode, type NodeOptions } from './b2bua-node.ts';
import { Phone, type PhoneOptions, type PhoneWorld } from './b2bua-phone.ts';
import type { PhoneStream } from './b2bua-stream.ts';
import { type Place, SimNetwork } from './sim-network.ts';

/** Packets reach the far end after two links of 10 ms. */
const DELIVERY_MS = 50;

/** Somebody who sends what he likes from where he likes. */
export interface Stranger {
  readonly place: Place;
  readonly received: Buffer[];
  send(bytes: Uint8Array, to: Place): void;
}

export interface CallOptions {
  readonly node?: B2buaNode;
  readonly callId?: string;
  /** Zones of the caller and of the callee. */
  readonly zones?: readonly [string, string];
  /** Further keys of every offer, of every answer. */
  readonly offer?: NgDictionary;
  readonly answer?: NgDictionary;
}

export class B2buaSim implements PhoneWorld {
  readonly network: SimNetwork;
  readonly nodes: B2buaNode[] = [];
  readonly phones: Phone[] = [];
  readonly #seed: number;
  readonly #faults: string[] = [];
  /** To whom each key was given, and who made it. */
  readonly #given = new Map<string, string>();
  readonly #own = new Map<string, string>();
  #areKeysShared = false;
  #created = 0;
  #calls = 0;

  /** The first node has these options. */
  constructor(options: NodeOptions & { readonly seed?: number } = {}) {
    this.#seed = options.seed ?? 1;
    this.network = new SimNetwork(this.#seed);
    this.addNode(options);
  }

  get node(): B2buaNode {
    return this.nodes[0] as B2buaNode;
  }

  addNode(options: NodeOptions): B2buaNode {
    const node = new B2buaNode(this.network, options, this.#seed + 7 * (this.nodes.length + 1));
    this.nodes.push(node);
    return node;
  }

  phone(options: PhoneOptions): Phone {
    const number = ++this.#created;
    const phone = new Phone(this, options, `tag${number}`, 20_000 + 100 * number);
    this.phones.push(phone);
    return phone;
  }

  /** Takes phones away; what they found wrong stays. */
  forget(...phones: readonly Phone[]): void {
    for (const phone of phones) {
      this.#faults.push(...phone.lines.flatMap(({ stream }) => stream.faults));
      phone.close();
      this.phones.splice(this.phones.indexOf(phone), 1);
    }
  }

  stranger(address = '203.0.113.66', port = 6666): Stranger {
    const received: Buffer[] = [];
    const place = { address, port };
    const socket = this.network.bind(place, { receive: (bytes) => received.push(Buffer.from(bytes)) });
    if (!socket) throw new Error(`${address}:${port} is taken`);
    return { place, received, send: (bytes, to) => this.network.send(socket, bytes, to) };
  }

  call(caller: Phone, callee: Phone, options: CallOptions = {}): SimCall {
    const callId = options.callId ?? `call-${++this.#calls}`;
    return new SimCall(this, options.node ?? this.node, caller, callee, { ...options, callId });
  }

  run(durationMs: number): void {
    this.network.run(durationMs);
  }

  /** From now on keys may go from phone to phone, as they do where packets are relayed. */
  expectSharedKeys(): void {
    this.#areKeysShared = true;
  }

  noteKey(text: string, owner: string, kind: 'given' | 'own'): void {
    if (this.#areKeysShared) return;
    const [mine, others] = kind === 'given' ? [this.#given, this.#own] : [this.#own, this.#given];
    const before = mine.get(text) ?? owner;
    if (before !== owner) this.#faults.push(`a key ${kind} to ${before} is ${kind} to ${owner} too`);
    if (others.has(text)) this.#faults.push(`a key of ${others.get(text)} was handed to ${owner}`);
    mine.set(text, owner);
  }

  /** What has gone wrong so far, whatever the test looks at. */
  faults(): string[] {
    return [
      ...this.#faults,
      ...this.nodes.flatMap(({ crypto }) => crypto.faults),
      ...this.phones.flatMap(({ lines }) => lines.flatMap(({ stream }) => stream.faults)),
    ];
  }

  /** Ends all calls, and says what went wrong and what is still held. */
  end(): string[] {
    for (const { core } of this.nodes) core.close();
    this.run(DELIVERY_MS);
    return [...this.faults(), ...this.nodes.flatMap((node) => node.held())];
  }

  /**
   * Has the two streams speak, packet by packet in turns, and report by RTCP. Says which did not hear the other
   * to the byte; `[]` if all arrived.
   */
  converse(a: PhoneStream, b: PhoneStream, packets = 3): string[] {
    const said = { a: [] as Buffer[], b: [] as Buffer[] };
    const told = { a: [] as Buffer[], b: [] as Buffer[] };
    for (const stream of [a, b]) stream.clear();
    for (let i = 0; i < packets; i++) {
      said.a.push(a.say(`from a: ${i} ${'x'.repeat(i)}`));
      said.b.push(b.say(`from b: ${i} ${'y'.repeat(2 * i)}`));
      this.run(20);
    }
    told.a.push(a.report());
    told.b.push(b.report());
    this.run(DELIVERY_MS);
    return [
      ...differences('RTP from a', said.a, b.heard),
      ...differences('RTP from b', said.b, a.heard),
      ...differences('RTCP from a', told.a, b.reports),
      ...differences('RTCP from b', told.b, a.reports),
    ];
  }
}

/** A call through one node, as its proxy sees it. */
export class SimCall {
  readonly id: string;
  readonly node: B2buaNode;
  readonly caller: Phone;
  readonly callee: Phone;
  readonly #zones: readonly [string, string];
  readonly #options: CallOptions;
  readonly #sim: B2buaSim;
  #isEstablished = false;

  constructor(
    sim: B2buaSim,
    node: B2buaNode,
    caller: Phone,
    callee: Phone,
    options: CallOptions & { readonly callId: string },
  ) {
    this.#sim = sim;
    this.node = node;
    this.id = options.callId;
    this.caller = caller;
    this.callee = callee;
    this.#zones = options.zones ?? ['external', 'internal'];
    this.#options = options;
  }

  /** Offer and answer; then both phones know each other. Returns itself. */
  setUp(offer: NgDictionary = {}, answer: NgDictionary = {}): this {
    return this.negotiate(this.caller, this.callee, offer, answer);
  }

  /** A whole exchange, by either side, at the start or later. */
  negotiate(offerer: Phone, answerer: Phone, offer: NgDictionary = {}, answer: NgDictionary = {}): this {
    this.answer(offerer, answerer, this.offer(offerer, answerer, offer), answer);
    return this;
  }

  /** Has the offerer's SDP go through the node; returns what the other side is offered. */
  offer(offerer: Phone, answerer: Phone, more: NgDictionary = {}): string {
    return sdpOf(this.tryOffer(offerer, answerer, more));
  }

  tryOffer(offerer: Phone, answerer: Phone, more: NgDictionary = {}): NgDictionary {
    const direction = offerer === this.caller ? this.#zones : [...this.#zones].reverse();
    return this.node.command('offer', {
      'call-id': this.id,
      'from-tag': offerer.tag,
      direction: [...direction],
      sdp: offerer.offer(),
      ...(this.#isEstablished ? { 'to-tag': answerer.tag } : {}),
      ...this.#options.offer,
      ...more,
    });
  }

  /** Has the answerer answer what it was offered, and the offerer told. */
  answer(offerer: Phone, answerer: Phone, offered: string, more: NgDictionary = {}): void {
    const answer = answerer.answer(offered);
    const reply = this.node.command('answer', {
      'call-id': this.id,
      'from-tag': offerer.tag,
      'to-tag': answerer.tag,
      sdp: answer,
      ...this.#options.answer,
      ...more,
    });
    offerer.accept(sdpOf(reply));
    this.#isEstablished = true;
  }

  delete(more: NgDictionary = {}): NgDictionary {
    return this.node.command('delete', { 'call-id': this.id, 'from-tag': this.caller.tag, ...more });
  }

  query(): NgDictionary {
    return this.node.command('query', { 'call-id': this.id });
  }

  /** Both first lines speak and hear. */
  converse(packets = 3): string[] {
    return this.#sim.converse(this.caller.audio, this.callee.audio, packets);
  }
}

/** The SDP of a reply; throws with the reason where it has none. */
export function sdpOf(reply: NgDictionary): string {
  if (typeof reply.sdp !== 'string') throw new Error(`refused: ${String(reply['error-reason'])}`);
  return reply.sdp;
}

function differences(what: string, sent: readonly Buffer[], received: readonly Buffer[]): string[] {
  const [there, here] = [sent, received].map((packets) => packets.map((packet) => packet.toString('hex')));
  if (there?.join() === here?.join()) return [];
  return [
    `${what}: ${received.length} of ${sent.length} arrived${received.length < sent.length ? '' : ', but different'}`,
  ];
}
