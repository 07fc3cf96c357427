/** What a real network needs of the phones' ICE agent, on bases and a clock of the test. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { IceAgent } from '../../../lab/phone/ice-agent.ts';
import type { Base, Bases, OnPacket } from '../../../lab/phone/ice-candidates.ts';
import { BINDING, encode, REQUEST } from '../../../lab/phone/plain-stun.ts';
import type { TransportAddress } from '../../../lab/phone/protocol.ts';
import { transportText } from '../../../lab/phone/transport-address.ts';
import { SimNetwork } from '../../kit/sim-network.ts';

const CALLER = { address: '192.0.2.1', port: 5000 };
const CALLEE = { address: '192.0.2.2', port: 5000 };
const CALLEE_RELAY = { address: '198.51.100.10', port: 6000 };
const PRIVATE = { address: '10.0.0.9', port: 5000 };
const CONSENT_MS = 1000;
const TIMING = { consentMs: CONSENT_MS, unansweredMax: 4 };

/** Bases whose packets all arrive, after so long, except where the test says otherwise. */
class Wire {
  readonly network = new SimNetwork(1);
  readonly delaysMs = new Map<string, number>();
  readonly #owners = new Map<string, { readonly bases: Bases; readonly base: Base }>();
  readonly refused: string[] = [];
  readonly asked: string[] = [];
  readonly channels: string[] = [];
  /** Hosts whose packets go nowhere. */
  readonly blocked: string[] = [];
  isCut = false;

  bases(host: TransportAddress, relay?: TransportAddress): Bases {
    const base = (kind: Base['kind'], place: TransportAddress): Base => ({
      ...{ kind, place },
      send: (bytes, to) => this.#send(place, bytes, to),
    });
    const onPacket: OnPacket = () => {};
    const bases: Bases = {
      ...{ host: base('host', host), relay: relay && base('relay', relay), mapped: undefined, onPacket },
      permit: ({ address }, onPermitted) => {
        if (relay) this.asked.push(address);
        if (relay && !this.refused.includes(address)) this.network.after(30, onPermitted);
      },
      bindChannel: (peer) => this.channels.push(transportText(peer)),
      close: () => {},
    };
    for (const one of [bases.host, bases.relay]) {
      if (one) this.#owners.set(transportText(one.place), { bases, base: one });
    }
    return bases;
  }

  #send(from: TransportAddress, bytes: Uint8Array, to: TransportAddress): void {
    const owner = this.#owners.get(transportText(to));
    const isBlocked = [from, to].some((place) => this.blocked.includes(transportText(place)));
    if (!owner || this.isCut || isBlocked) return;
    const copy = Buffer.from(bytes);
    const delayMs = this.delaysMs.get(transportText(to)) ?? this.delaysMs.get(transportText(from)) ?? 5;
    this.network.after(delayMs, () => owner.bases.onPacket(owner.base, copy, from));
  }
}

interface Pair {
  readonly wire: Wire;
  readonly caller: IceAgent;
  readonly callee: IceAgent;
}

/** The callee has a relay too. */
function agents(wire = new Wire()): Pair {
  const make = (bases: Bases): IceAgent => {
    const agent = new IceAgent({ clock: wire.network, bases: [bases], randomBytes, timing: TIMING });
    agent.formCandidates();
    return agent;
  };
  const [caller, callee] = [make(wire.bases(CALLER)), make(wire.bases(CALLEE, CALLEE_RELAY))];
  caller.isControlling = true;
  return { wire, caller, callee };
}

function start({ caller, callee }: Pair): void {
  for (const [one, other] of [
    [callee, caller],
    [caller, callee],
  ] as const) {
    one.setRemote(other.local, other.candidates);
    one.start();
  }
}

function selectedType(agent: IceAgent): string | undefined {
  return agent.selected.get(1)?.remote.type;
}

describe('an agent', () => {
  it('waits for a better pair that is slow, and does not take the relay meanwhile', () => {
    const pair = agents();
    for (const place of [CALLER, CALLEE]) pair.wire.delaysMs.set(transportText(place), 600);
    pair.wire.delaysMs.set(transportText(CALLEE_RELAY), 5);
    start(pair);
    pair.wire.network.run(6000);
    expect([pair.caller.state, pair.callee.state]).toEqual(['concluded', 'concluded']);
    expect(selectedType(pair.caller)).toBe('host');
    expect(pair.wire.channels).toEqual([]);
  });

  it('takes the relay where nothing better works, and where a better one is never answered', () => {
    const pair = agents();
    const unreachable = { component: 1, type: 'host', place: PRIVATE, priority: 2 ** 31 - 1 } as const;
    pair.callee.candidates = [unreachable, ...pair.callee.candidates];
    pair.wire.blocked.push(transportText(CALLEE));
    pair.callee.onSelected = () => pair.callee.bindChannels();
    start(pair);
    pair.wire.network.run(6000);
    expect(selectedType(pair.caller)).toBe('relay');
    expect(pair.wire.channels).toEqual([transportText(CALLER)]);
  });

  it('checks no pair of a relay with a peer that the TURN server refuses', () => {
    const pair = agents();
    const peer = { component: 1, type: 'host', place: PRIVATE, priority: 2 ** 31 - 1 } as const;
    pair.wire.refused.push(PRIVATE.address);
    pair.caller.candidates = [peer, ...pair.caller.candidates];
    start(pair);
    pair.wire.network.run(6000);
    expect(pair.wire.asked).toEqual([PRIVATE.address, CALLER.address]);
    const toPeer = pair.callee.pairs.filter(({ remote }) => remote.place.address === PRIVATE.address);
    expect(toPeer.map(({ base, state }) => [base.kind, state])).toEqual([['host', 'failed']]);
    expect(pair.callee.state).toBe('concluded');
  });

  it('does not pair what the other side of before has told, once that has changed', () => {
    const pair = agents();
    pair.callee.setRemote(pair.caller.local, pair.caller.candidates);
    pair.callee.forgetRemote();
    pair.callee.setRemote({ ufrag: 'another', pwd: 'x'.repeat(24) }, []);
    pair.wire.network.run(100);
    expect(pair.callee.pairs).toEqual([]);
  });

  it('nominates again where its nomination is lost', () => {
    const pair = agents();
    start(pair);
    pair.wire.network.run(900);
    pair.wire.isCut = true;
    pair.wire.network.run(2600); // the nomination is given up, all tries unanswered
    pair.wire.isCut = false;
    pair.wire.network.run(6000);
    expect([pair.caller.state, pair.callee.state]).toEqual(['concluded', 'concluded']);
  });

  it('fails where no pair ever works', () => {
    const pair = agents();
    pair.wire.isCut = true;
    start(pair);
    pair.wire.network.run(29_000);
    expect(pair.caller.state).toBe('checking');
    pair.wire.network.run(2000);
    expect([pair.caller.state, pair.callee.state]).toEqual(['failed', 'failed']);
  });
});

describe('consent', () => {
  function concluded(): Pair {
    const pair = agents();
    start(pair);
    pair.wire.network.run(4000);
    expect([pair.caller.state, pair.callee.state]).toEqual(['concluded', 'concluded']);
    return pair;
  }

  it('that goes unanswered for long ends media, for good', () => {
    const pair = concluded();
    pair.wire.network.run(10 * CONSENT_MS);
    expect(pair.caller.sendMedia(Buffer.of(0x80))).toBe(true);
    pair.wire.isCut = true;
    pair.wire.network.run(3 * CONSENT_MS);
    expect(pair.caller.state).toBe('concluded');
    pair.wire.network.run(3 * CONSENT_MS);
    expect([pair.caller.state, pair.callee.state]).toEqual(['failed', 'failed']);
    expect(pair.caller.sendMedia(Buffer.of(0x80))).toBe(false);
    pair.wire.isCut = false;
    pair.wire.network.run(10 * CONSENT_MS);
    expect(pair.caller.state).toBe('failed');
  });

  it('outlives a short interruption', () => {
    const pair = concluded();
    for (let i = 0; i < 5; i++) {
      pair.wire.isCut = true;
      pair.wire.network.run(3 * CONSENT_MS);
      pair.wire.isCut = false;
      pair.wire.network.run(2 * CONSENT_MS);
    }
    expect([pair.caller.state, pair.callee.state]).toEqual(['concluded', 'concluded']);
  });

  it('comes back with a restart', () => {
    const pair = concluded();
    pair.wire.isCut = true;
    pair.wire.network.run(6 * CONSENT_MS);
    pair.wire.isCut = false;
    for (const agent of [pair.caller, pair.callee]) agent.restart();
    start(pair);
    expect(pair.caller.state).toBe('checking');
    pair.wire.network.run(4000);
    expect([pair.caller.state, pair.callee.state]).toEqual(['concluded', 'concluded']);
  });
});

it('what is no STUN of its own does nothing', () => {
  const pair = agents();
  const bases = pair.wire.bases(CALLER);
  const agent = new IceAgent({ clock: pair.wire.network, bases: [bases], randomBytes });
  const faults: unknown[] = [];
  const heard: Buffer[] = [];
  agent.onMalformed = (error) => faults.push(error);
  agent.onMedia = (bytes) => heard.push(bytes);
  const strange = { method: BINDING, kind: REQUEST, transactionId: randomBytes(12), attributes: [] };
  const packets = [Buffer.alloc(0), Buffer.alloc(19), Buffer.alloc(20), Buffer.alloc(64, 1), encode(strange)];
  for (const packet of packets) bases.onPacket(bases.host, packet, CALLEE);
  expect([faults.length, heard.length, agent.pairs.length]).toEqual([2, 2, 0]);
});
