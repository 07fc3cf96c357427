import { describe, expect, it } from 'vitest';
import { Allocation, Allocations, type Relay, TALLY_COLUMNS } from '../../../src/turn/allocations.ts';
import { EndpointBook } from '../../../src/wire/endpoint.ts';
import { Random, SEED } from '../../fuzz/seeded.ts';

const VERDICT = 3;
const SCRATCH = 0;
const PEERS = ['203.0.113.1', '203.0.113.2', '::203.0.113.1', '2001:db8:3::1', '2001:db8:3::2'];
const PORTS = [1, 256, 5000];

interface Flow {
  readonly peer: string;
  expiresAtMs: number;
}

interface ModelChannel extends Flow {
  readonly number: number;
  readonly port: number;
}

interface ModelAllocation {
  readonly allocation: Allocation;
  readonly client: string;
  readonly relays: { readonly relay: Relay; readonly text: string }[];
  readonly permissions: Map<string, Flow>;
  readonly channels: Map<number, ModelChannel>;
}

/** Allocations beside a model of them in maps of strings; every step is done to both. */
class Rig {
  readonly book: EndpointBook;
  readonly real: Allocations;
  readonly model: ModelAllocation[] = [];
  readonly random: Random;
  nowMs = 0;
  #nextPort = 1;

  constructor(seed: number, rows = 100_000) {
    this.random = new Random(seed);
    this.book = new EndpointBook(rows, 1);
    this.real = new Allocations(this.book, seed);
  }

  at(address: string, port: number): number {
    this.book.words.fill(-1, 0, 7); // leftovers in a row must not matter
    this.book.setText(SCRATCH, address, port);
    return SCRATCH;
  }

  allocate(): void {
    const client = this.random.pick(['192.0.2.1', '2001:db8::1']);
    const port = this.#nextPort++ % 65_536;
    const socket = this.random.below(2);
    if (this.real.ofClient(socket, this.at(client, port))) return;
    const row = this.book.acquireCopy(SCRATCH);
    const id = this.real.nextId();
    const origin = { listener: 0, socket, client: row, user: 'alice', clientHost: client };
    const allocation = new Allocation(id, origin, this.nowMs);
    const relays = this.random
      .pick([['198.51.100.1'], ['2001:db8:2::1'], ['198.51.100.1', '2001:db8:2::1']])
      .map((address) => {
        const endpoint = this.book.acquireCopy(this.at(address, port));
        const relay = { socket: 1000 + port, relayAddress: 0, port, endpoint, expiresAtMs: 0 };
        if (address.includes(':')) allocation.relayIPv6 = relay;
        else allocation.relayIPv4 = relay;
        return { relay, text: address };
      });
    this.real.add(allocation);
    this.model.push({
      allocation,
      client: `${socket} ${client} ${port}`,
      relays,
      permissions: new Map(),
      channels: new Map(),
    });
  }

  permit(of: ModelAllocation, peer: string): void {
    const expiresAtMs = this.nowMs + this.random.below(1000);
    const row = this.real.permit(
      of.allocation,
      this.at(peer, this.random.below(65_536)),
      VERDICT,
      expiresAtMs,
    );
    expect(row).toBeGreaterThanOrEqual(0);
    of.permissions.set(peer, { peer, expiresAtMs });
  }

  bind(of: ModelAllocation, number: number, peer: string, port: number): void {
    const known = of.channels.get(number);
    const bound = [...of.channels.values()].find((channel) => channel.peer === peer && channel.port === port);
    if (known !== bound) return; // what a 400 keeps away from the tables
    this.permit(of, peer);
    const permission = this.real.permissionFor(of.allocation.id, this.at(peer, 0));
    const expiresAtMs = this.nowMs + this.random.below(2000);
    expect(
      this.real.bind(of.allocation, number, this.at(peer, port), permission, VERDICT, expiresAtMs),
    ).toBeGreaterThanOrEqual(0);
    of.channels.set(number, { number, peer, port, expiresAtMs });
  }

  expire(of: ModelAllocation): void {
    this.real.expireFlows(of.allocation, this.nowMs);
    for (const { number, expiresAtMs } of [...of.channels.values()])
      if (expiresAtMs <= this.nowMs) of.channels.delete(number);
    const carrying = new Set([...of.channels.values()].map(({ peer }) => peer));
    for (const { peer, expiresAtMs } of [...of.permissions.values()]) {
      // A permission that a channel stands on keeps its row, though it lets nothing pass.
      if (expiresAtMs <= this.nowMs && !carrying.has(peer)) of.permissions.delete(peer);
    }
  }

  remove(of: ModelAllocation): void {
    this.real.remove(of.allocation);
    this.model.splice(this.model.indexOf(of), 1);
  }

  step(): void {
    const { random } = this;
    this.nowMs += random.below(60);
    const of = this.model.length > 0 ? random.pick(this.model) : undefined;
    const peer = random.pick(PEERS);
    const choice = random.below(12);
    if (of === undefined || choice < 2) this.allocate();
    else if (choice < 5) this.permit(of, peer);
    else if (choice < 9) this.bind(of, 0x4000 + random.below(6), peer, random.pick(PORTS));
    else if (choice < 11) this.expire(of);
    else if (random.chance(this.model.length / 60)) this.remove(of);
  }

  /** Everything that can be asked of the tables, asked. */
  check(): void {
    const { real, model, book } = this;
    expect(real.size).toBe(model.length);
    expect([...real].map(({ id }) => id).sort()).toEqual(model.map(({ allocation }) => allocation.id).sort());
    let rows = 0;
    for (const of of model) {
      rows += 1 + of.relays.length + of.permissions.size + of.channels.size;
      this.#checkAllocation(of);
    }
    expect(real.permissions.size).toBe(model.reduce((sum, { permissions }) => sum + permissions.size, 0));
    expect(real.channels.size).toBe(model.reduce((sum, { channels }) => sum + channels.size, 0));
    expect(book.acquired, 'rows of the endpoint book').toBe(rows);
  }

  #checkAllocation(of: ModelAllocation): void {
    const { real } = this;
    const { id } = of.allocation;
    const [socket, address, port] = of.client.split(' ') as [string, string, string];
    expect(real.byId(id)).toBe(of.allocation);
    expect(real.ofClient(Number(socket), this.at(address, Number(port)))).toBe(of.allocation);
    expect(real.ofClient(Number(socket) + 2, this.at(address, Number(port)))).toBeUndefined();
    for (const { relay, text } of of.relays)
      expect(real.ofRelay(this.at(text, relay.port))).toBe(of.allocation);
    expect([of.allocation.permissions, of.allocation.channels]).toEqual([
      of.permissions.size,
      of.channels.size,
    ]);
    for (const peer of PEERS) {
      const row = real.permissionFor(id, this.at(peer, 4711));
      const permission = of.permissions.get(peer);
      expect(row >= 0).toBe(permission !== undefined);
      if (permission) {
        expect(real.permissions.expiresAtMs[row]).toBe(permission.expiresAtMs);
        expect([real.permissions.owner[row], real.permissions.verdict[row]]).toEqual([id, VERDICT]);
      }
    }
    for (const peer of PEERS) {
      for (const port of PORTS) {
        const bound = [...of.channels.values()].find(
          (channel) => channel.peer === peer && channel.port === port,
        );
        const row = real.channelFor(id, this.at(peer, port));
        expect(row < 0 ? undefined : real.channels.detail[row], `${peer} ${port}`).toBe(bound?.number);
      }
    }
    for (let number = 0x4000; number < 0x4006; number++) {
      const row = real.channelNumbered(id, number);
      const channel = of.channels.get(number);
      expect(row >= 0).toBe(channel !== undefined);
      if (!channel) continue;
      expect(real.channelFor(id, this.at(channel.peer, channel.port))).toBe(row);
      expect(this.book.equals(real.channels.peer[row] as number, SCRATCH)).toBe(true);
      expect([real.channels.owner[row], real.channels.detail[row]]).toEqual([id, number]);
      expect(real.channels.permission[row]).toBe(real.permissionFor(id, SCRATCH));
      expect(real.channels.expiresAtMs[row]).toBe(channel.expiresAtMs);
    }
  }
}

describe('allocations with their permissions and channels', () => {
  it('agree with a model of maps through any operations, and leak no row', () => {
    for (let round = 0; round < 8; round++) {
      const rig = new Rig(SEED + round);
      for (let step = 0; step < 1200; step++) {
        rig.step();
        if (step % 60 === 0) rig.check();
      }
      rig.check();
      while (rig.model.length > 0) rig.remove(rig.random.pick(rig.model));
      rig.check();
      expect(rig.book.acquired).toBe(0);
    }
  });

  it('grow past the first size of every table', () => {
    const rig = new Rig(SEED);
    for (let i = 0; i < 700; i++) rig.allocate();
    for (const of of rig.model) for (let i = 0; i < 3; i++) rig.bind(of, 0x4000 + i, '203.0.113.1', i + 1);
    rig.check();
    expect(rig.real.tallies.length).toBeGreaterThanOrEqual(700 * TALLY_COLUMNS);
  });

  it('begin with counters at zero even where an earlier one had the same id', () => {
    const rig = new Rig(SEED);
    rig.allocate();
    const first = rig.model[0] as ModelAllocation;
    rig.real.tallies.fill(9, 0, TALLY_COLUMNS);
    rig.remove(first);
    rig.allocate();
    expect(rig.model[0]?.allocation.id).toBe(first.allocation.id);
    expect([...rig.real.tallies.slice(0, TALLY_COLUMNS)]).toEqual(new Array(TALLY_COLUMNS).fill(0));
  });

  it('say so, and keep nothing, when the endpoint book is full', () => {
    const rig = new Rig(SEED, 4); // scratch, client, relay, and one more
    const client = rig.book.acquireCopy(rig.at('192.0.2.1', 1));
    const origin = { listener: 0, socket: 0, client, user: '', clientHost: '192.0.2.1' };
    const allocation = new Allocation(rig.real.nextId(), origin, 0);
    const endpoint = rig.book.acquireCopy(rig.at('198.51.100.1', 2));
    allocation.relayIPv4 = { socket: 1, relayAddress: 0, port: 2, endpoint, expiresAtMs: 0 };
    rig.real.add(allocation);
    const permission = rig.real.permit(allocation, rig.at('203.0.113.1', 3), VERDICT, 100);
    expect(permission).toBeGreaterThanOrEqual(0);
    expect(rig.real.permit(allocation, rig.at('203.0.113.2', 3), VERDICT, 100)).toBe(-1);
    expect(rig.real.bind(allocation, 0x4000, rig.at('203.0.113.1', 3), permission, VERDICT, 100)).toBe(-1);
    expect([allocation.permissions, allocation.channels, rig.real.channels.size]).toEqual([1, 0, 0]);
    rig.real.expireFlows(allocation, 100);
    expect(rig.real.permissions.size).toBe(0);
    rig.real.remove(allocation);
    expect(rig.book.acquired).toBe(0);
  });
});
