/** The lab's network of namespaces, by real sockets: as root, and as an ordinary user who has no rights. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOMES, type NatKind, PLACES, type PlaceName } from '../../../lab/topology.ts';
import {
  AS_NOBODY,
  AS_SELF,
  canRunAs,
  Front,
  hostNetwork,
  isHeld,
  type Source,
  until,
} from './namespaces-rig.ts';

const INTERNET = PLACES.internet.addresses[0];
const EDGE = PLACES.edge.addresses[0];
const HOME_A = PLACES.homeA.addresses[0];

/** Each mapping is to be a new one. */
let lastPort = 41_000;
function newPort(): number {
  lastPort += 1;
  return lastPort;
}

describe.each([
  ['root or whoever runs this', AS_SELF],
  ['an ordinary user', AS_NOBODY],
])('network of namespaces, as %s', (_, user) => {
  const runs = it.skipIf(!canRunAs(user));
  let hostBefore: string;
  let front: Front;
  let wanA: string = HOMES.A.wanAddresses[0];

  beforeAll(async () => {
    if (!canRunAs(user)) return;
    hostBefore = hostNetwork();
    front = new Front(user);
    expect(await front.ask('whyNoNamespaces')).toBeUndefined();
    await front.ask('build');
  });
  afterAll(async () => {
    await front?.kill('SIGKILL');
  });

  async function send(
    from: PlaceName,
    port: number,
    to: string,
    toPort: number,
    text: string,
  ): Promise<void> {
    expect(await front.sockets(from, 'send', port, to, toPort, text)).toBe(0);
  }

  async function heard(place: PlaceName, port: number, text: string): Promise<Source> {
    return (await front.sockets(place, 'source', port, text)) as Source;
  }

  /** What a place has heard on a port when this last text has come. */
  async function textsUntil(place: PlaceName, port: number, text: string): Promise<unknown> {
    await heard(place, port, text);
    return front.sockets(place, 'texts', port);
  }

  /** Sends from a phone's port at home A, and tells what it is outside. */
  async function mapping(port: number, place: 'internet' | 'edge', toPort: number): Promise<Source> {
    const text = `from ${port} to ${place} ${toPort}`;
    await front.sockets(place, 'bind', toPort);
    await send('homeA', port, PLACES[place].addresses[0], toPort, text);
    return heard(place, toPort, text);
  }

  async function setNat(kind: NatKind): Promise<void> {
    await front.network('setNat', 'A', kind);
  }

  runs.each(['endpoint-independent', 'port-restricted'] as const)(
    '%s: one mapping for all destinations, which keeps the port',
    async (kind) => {
      await setNat(kind);
      const port = newPort();
      const outside = { address: wanA, port };
      expect(await mapping(port, 'internet', 5001)).toEqual(outside);
      expect(await mapping(port, 'internet', 5002)).toEqual(outside);
      expect(await mapping(port, 'edge', 5001)).toEqual(outside);
    },
  );

  runs(
    'endpoint-independent: anyone may send to the ports of either phone, though it has sent nothing',
    async () => {
      await setNat('endpoint-independent');
      const port = newPort();
      await front.sockets('homeA', 'bind', port);
      await send('internet', 5003, wanA, port, 'first');
      expect(await heard('homeA', port, 'first')).toEqual({ address: INTERNET, port: 5003 });
      await front.sockets('homeA2', 'bind', 44_001);
      await send('edge', 5003, wanA, 44_001, 'second');
      expect(await heard('homeA2', 44_001, 'second')).toEqual({ address: EDGE, port: 5003 });
      // The answer goes the same way back.
      await send('homeA2', 44_001, EDGE, 5003, 'answer');
      expect(await heard('edge', 5003, 'answer')).toEqual({ address: wanA, port: 44_001 });
    },
  );

  runs.each(['port-restricted', 'symmetric'] as const)(
    '%s: only the address and port that was sent to may answer',
    async (kind) => {
      await setNat(kind);
      const port = newPort();
      const outside = await mapping(port, 'internet', 5001);
      await send('internet', 5009, outside.address, outside.port, 'another port');
      await send('edge', 5001, outside.address, outside.port, 'another address');
      await send('internet', 5001, outside.address, outside.port, 'answer');
      expect(await textsUntil('homeA', port, 'answer')).toEqual(['answer']);
    },
  );

  runs('symmetric: another port for each destination', async () => {
    await setNat('symmetric');
    const port = newPort();
    const mappings: Source[] = [];
    for (const toPort of [5001, 5002, 5003, 5004]) mappings.push(await mapping(port, 'internet', toPort));
    expect(mappings.map(({ address }) => address)).toEqual([wanA, wanA, wanA, wanA]);
    const ports = new Set(mappings.map((mapped) => mapped.port));
    // Random ports may be equal, but hardly two of four and the inner one too.
    expect(ports.size).toBeGreaterThan(2);
    // The same destination again finds its mapping.
    expect(await mapping(port, 'internet', 5001)).toEqual(mappings[0]);
  });

  runs('what nobody asked for leaves no trace that would renumber a later mapping', async () => {
    await setNat('port-restricted');
    const port = newPort();
    await send('internet', 5005, wanA, port, 'unasked');
    expect(await mapping(port, 'internet', 5005)).toEqual({ address: wanA, port });
  });

  runs('udp-blocked: UDP is refused at once, TCP passes', async () => {
    await setNat('udp-blocked');
    const port = newPort();
    await front.sockets('internet', 'bind', 5006);
    await send('homeA', port, INTERNET, 5006, 'blocked');
    expect(await front.sockets('homeA', 'refusal', INTERNET, 5006)).toBe('EHOSTUNREACH');
    await front.sockets('internet', 'serve', 6001);
    const stream = await front.sockets('homeA', 'connect', INTERNET, 6001);
    expect(await front.sockets('homeA', 'said', stream, wanA)).toBe(`hello ${wanA}`);
    await setNat('port-restricted');
    await send('homeA', port, INTERNET, 5006, 'passes');
    expect(await textsUntil('internet', 5006, 'passes')).toEqual(['passes']);
  });

  runs('another kind forgets mappings of UDP, and keeps connections of TCP', async () => {
    await setNat('port-restricted');
    const port = newPort();
    const outside = await mapping(port, 'internet', 5001);
    await front.sockets('internet', 'serve', 6002);
    const stream = await front.sockets('homeA', 'connect', INTERNET, 6002);
    await setNat('symmetric');
    await setNat('port-restricted');
    await send('internet', 5001, outside.address, outside.port, 'too late');
    await mapping(port, 'internet', 5002);
    await send('internet', 5002, outside.address, outside.port, 'answer');
    expect(await textsUntil('homeA', port, 'answer')).toEqual(['answer']);
    await front.sockets('homeA', 'write', stream, ', and on');
    expect(await front.sockets('homeA', 'said', stream, ', and on')).toContain('hello');
  });

  runs('the same kind again forgets nothing', async () => {
    await setNat('port-restricted');
    const port = newPort();
    const outside = await mapping(port, 'internet', 5001);
    await setNat('port-restricted');
    await send('internet', 5001, outside.address, outside.port, 'still there');
    expect(await heard('homeA', port, 'still there')).toEqual({ address: INTERNET, port: 5001 });
  });

  runs(
    'rebind: all mappings are gone, nobody is at the old address, the next in the ring is in its place',
    async () => {
      await setNat('port-restricted');
      await front.sockets('internet', 'serve', 6003);
      for (const next of [...HOMES.A.wanAddresses.slice(1), HOMES.A.wanAddresses[0]]) {
        const port = newPort();
        const stream = await front.sockets('homeA', 'connect', INTERNET, 6003);
        expect(await mapping(port, 'internet', 5001)).toEqual({ address: wanA, port });
        expect(await front.network('rebind', 'A')).toBe(next);
        await send('internet', 5001, wanA, port, 'to the old address');
        await send('internet', 5001, next, port, 'of an old mapping');
        wanA = next;
        expect(await mapping(port, 'internet', 5002)).toEqual({ address: next, port });
        await send('internet', 5002, next, port, 'answer');
        expect(await textsUntil('homeA', port, 'answer')).toEqual(['answer']);
        await front.sockets('homeA', 'write', stream, 'over the old address');
        expect(await front.sockets('homeA', 'said', stream, 'old address')).toBe('ECONNRESET');
      }
    },
  );

  runs('rebind: fixed mappings are at the new address, and not at the old one', async () => {
    await setNat('endpoint-independent');
    const port = newPort();
    await front.sockets('homeA', 'bind', port);
    await send('internet', 5001, wanA, port, 'before');
    await heard('homeA', port, 'before');
    const next = String(await front.network('rebind', 'A'));
    await send('internet', 5001, wanA, port, 'to the old address');
    await send('edge', 5001, wanA, port, 'to the old address');
    wanA = next;
    await send('edge', 5001, wanA, port, 'after');
    expect(await textsUntil('homeA', port, 'after')).toEqual(['before', 'after']);
  });

  runs('loss: none or everything, each way; 101 % is refused', async () => {
    await setNat('endpoint-independent');
    const port = newPort();
    await mapping(port, 'internet', 5007);
    await front.network('setLoss', 'A', 100);
    for (let count = 0; count < 20; count += 1) {
      await send('homeA', port, INTERNET, 5007, 'out');
      await send('internet', 5007, wanA, port, 'in');
    }
    await front.network('setLoss', 'A', 0);
    for (let count = 0; count < 20; count += 1) {
      await send('homeA', port, INTERNET, 5007, `out ${count}`);
      await send('internet', 5007, wanA, port, `in ${count}`);
    }
    const all = (way: string) => Array.from({ length: 20 }, (_, count) => `${way} ${count}`);
    expect(await textsUntil('homeA', port, 'in 19')).toEqual(all('in'));
    expect(await textsUntil('internet', 5007, 'out 19')).toEqual([
      `from ${port} to internet 5007`,
      ...all('out'),
    ]);
    await expect(front.network('setLoss', 'A', 101)).rejects.toThrow('loss must be 0 to 100 %: got 101');
  });

  runs('loss: some of many, and none between two phones of the home', async () => {
    await setNat('endpoint-independent');
    const port = newPort();
    await front.sockets('internet', 'bind', 5008);
    await front.sockets('homeA2', 'bind', 44_008);
    await front.network('setLoss', 'A', 50);
    for (let count = 0; count < 100; count += 1) {
      await send('homeA', port, INTERNET, 5008, 'out');
      await send('homeA', port, PLACES.homeA2.addresses[0], 44_008, 'in the home');
    }
    await front.network('setLoss', 'A', 0);
    await send('homeA', port, INTERNET, 5008, 'last');
    const texts = (await textsUntil('internet', 5008, 'last')) as string[];
    // 1 in 2^100 that this goes wrong, either way.
    expect(texts.length).toBeGreaterThan(1);
    expect(texts.length).toBeLessThan(101);
    await send('homeA', port, PLACES.homeA2.addresses[0], 44_008, 'last');
    expect(await textsUntil('homeA2', 44_008, 'last')).toHaveLength(101);
  });

  runs(
    'no hairpinning, but a LAN: phones of a home reach each other by private addresses alone',
    async () => {
      await setNat('endpoint-independent');
      const port = newPort();
      await front.sockets('homeA2', 'bind', 44_010);
      await send('homeA', port, wanA, 44_010, 'by the public address');
      await send('homeA', port, PLACES.homeA2.addresses[0], 44_010, 'by the private address');
      expect(await textsUntil('homeA2', 44_010, 'by the private address')).toEqual([
        'by the private address',
      ]);
      expect(await heard('homeA2', 44_010, 'by the private address')).toEqual({ address: HOME_A, port });
    },
  );

  runs('the two homes reach each other by public addresses', async () => {
    await setNat('endpoint-independent');
    const port = newPort();
    await front.sockets('homeB', 'bind', 40_001);
    await send('homeA', port, HOMES.B.wanAddresses[0], 40_001, 'hello B');
    expect(await heard('homeB', 40_001, 'hello B')).toEqual({ address: wanA, port });
    await send('homeB', 40_001, wanA, port, 'hello A');
    expect(await heard('homeA', port, 'hello A')).toEqual({ address: HOMES.B.wanAddresses[0], port: 40_001 });
  });

  runs.each([
    ['homeA', 'homeB', 'EHOSTUNREACH'],
    ['homeB', 'homeA', 'EHOSTUNREACH'],
    ['homeA', 'core', 'EHOSTUNREACH'],
    ['homeA', 'desk', 'EHOSTUNREACH'],
    ['internet', 'homeA', 'EHOSTUNREACH'],
    ['internet', 'core', 'EHOSTUNREACH'],
    ['edge', 'homeA', 'EHOSTUNREACH'],
    ['core', 'internet', 'ENETUNREACH'],
    ['desk', 'internet', 'ENETUNREACH'],
    ['desk', 'homeA', 'ENETUNREACH'],
  ] as const)('private addresses do not leak: %s does not reach %s (%s)', async (from, to, code) => {
    const address = PLACES[to].addresses[0];
    await front.sockets(to, 'serve', newPort());
    expect(await front.sockets(from, 'connect', address, lastPort)).toBe(code);
  });

  runs('errors come back through the gateway: of UDP, where nobody listens', async () => {
    await setNat('port-restricted');
    expect(await front.sockets('homeA', 'refusal', INTERNET, 5099)).toBe('ECONNREFUSED');
  });

  runs('the edge reaches both sides and forwards to neither; the lab reaches the office', async () => {
    await front.sockets('core', 'serve', 8080);
    await front.sockets('desk', 'serve', 8080);
    await front.sockets('edge', 'serve', 8080);
    const [, inner] = PLACES.edge.addresses;
    for (const [from, to] of [
      ['edge', PLACES.core.addresses[0]],
      ['core', String(inner)],
      ['core', PLACES.desk.addresses[0]],
      ['internet', EDGE],
      ['homeA', EDGE],
    ] as const) {
      expect([from, await front.sockets(from, 'connect', to, 8080)]).toEqual([from, expect.any(Number)]);
    }
    expect(await front.ask('greeting', PLACES.core.addresses[0], 8080)).toBe('hello 10.10.0.40');
    expect(await front.ask('greeting', inner, 8080)).toBe('hello 10.10.0.40');
    for (const [place, forwards] of [
      ['edge', '0'],
      ['core', '0'],
    ] as const) {
      const { text } = (await front.ask('output', place, 'cat', ['/proc/sys/net/ipv4/ip_forward'])) as {
        text: string;
      };
      expect([place, text.trim()]).toEqual([place, forwards]);
    }
  });

  runs('programs get their environment and directory, and signals reach them', async () => {
    const options = { environment: { LAB_COLOUR: 'blue' }, workingDirectory: '/usr' };
    const script = 'echo $LAB_COLOUR $(pwd) $(command -v nft)';
    const result = await front.ask('output', 'homeA', 'sh', ['-c', script], options);
    expect(result).toEqual({ code: 0, signal: null, text: expect.stringMatching(/^blue \/usr \S*\/nft\n$/) });
    const terminated = await front.ask('terminate', 'core', join(import.meta.dirname, 'pid-program.mjs'));
    expect(terminated).toEqual({ isPidOfProgram: true, code: null, signal: 'SIGTERM' });
  });

  runs('the admin servers have an address each', async () => {
    expect(await front.network('adminAddress', 'edge')).toEqual({
      listen: '10.10.0.10:8080',
      url: 'http://10.10.0.10:8080',
    });
    expect(await front.network('adminAddress', 'core')).toEqual({
      listen: '10.10.0.20:8080',
      url: 'http://10.10.0.20:8080',
    });
  });

  runs('close ends everything, also what does not want to; the host has noticed nothing', async () => {
    await front.ask('start', 'core', 'sh', ['-c', "trap '' TERM; echo ready; while :; do sleep 1; done"]);
    // One that has left its process group and its parent.
    await front.ask('start', 'desk', 'sh', ['-c', 'setsid sleep 1000 & echo ready']);
    const identities = (await front.ask('identities')) as string[];
    await front.network('close');
    expect(await front.ask('processes')).toEqual(['1']);
    const own = (await front.ask('identities')) as string[];
    expect(own).toHaveLength(1);
    expect(isHeld(identities.filter((identity) => !own.includes(identity)))).toBe(false);
    await front.network('close');
    await expect(front.ask('output', 'core', 'true', [])).rejects.toThrow("the lab's network is closed");
    await front.kill('SIGKILL');
    await until('the last namespace goes', () => !isHeld(identities));
    expect(hostNetwork()).toBe(hostBefore);
  });
});
