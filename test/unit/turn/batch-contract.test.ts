/**
 * What a core promises an engine about what it has queued (`wire/datagram-io`): bytes and rows stay as
 * they are until the batch ends, or as many sends later as an engine queues at most.
 */
import { describe, expect, it } from 'vitest';
import { A, decode, find } from '../../../lab/phone/plain-stun.ts';
import {
  TALLY_BYTES_TO_CLIENT,
  TALLY_PACKETS_DROPPED,
  TALLY_PACKETS_TO_CLIENT,
} from '../../../src/turn/allocations.ts';
import { QUEUED_SENDS_MAX } from '../../../src/wire/datagram-io.ts';
import {
  allocate,
  channelBind,
  channelData,
  createPermission,
  number32,
  refresh,
  type Session,
  sendIndication,
  session,
} from '../../fuzz/client-messages.ts';
import { CoreRig, type RigOptions } from '../../fuzz/core-rig.ts';
import { type Source, source } from '../../fuzz/fuzz-io.ts';
import { SEED } from '../../fuzz/seeded.ts';

const ALICE = { name: 'alice', password: 'wonderland' };
const PEER = source('203.0.113.7', 7000);

interface Sent {
  readonly socket: number;
  readonly bytes: Buffer;
  readonly to: string;
}

class Scene {
  readonly rig: CoreRig;
  sent: Sent[] = [];

  constructor(options: Partial<RigOptions> = {}) {
    this.rig = new CoreRig({ seed: SEED, users: [ALICE], ...options });
    this.rig.io.onSent = (socket, bytes, destination) => {
      this.sent.push({ socket, bytes, to: this.rig.io.endpoints.text(destination) });
    };
  }

  /** Sends one message in a batch of its own and returns what it caused. */
  exchange(bytes: Uint8Array, from: Source, socket: number = this.rig.udp4): Sent[] {
    this.sent = [];
    this.rig.batch(() => this.rig.io.deliver(socket, bytes, from));
    return this.sent;
  }

  login(from: Source): Session {
    const challenge = decode((this.exchange(allocate(this.rig.random, undefined), from)[0] as Sent).bytes);
    return session(ALICE, find(challenge, A.nonce) as Uint8Array);
  }

  /** An allocation with a channel to {@link PEER}; returns the relay's socket. */
  allocate(from: Source, who: Session): number {
    this.exchange(allocate(this.rig.random, who), from);
    this.exchange(channelBind(this.rig.random, who, 0x4000, PEER), from);
    const newest = [...this.rig.core.allocations].find(
      ({ client }) => this.rig.io.endpoints.port(client) === from.port,
    );
    expect(newest).toBeDefined();
    return newest?.socketIPv4 ?? -1;
  }
}

describe('within one batch', () => {
  it("a packet for a client that leaves is not sent to the one that comes in the leaver's place", () => {
    const scene = new Scene();
    const { rig } = scene;
    const [leaver, comer] = [source('192.0.2.1', 5001), source('192.0.2.2', 5002)];
    const [leaving, coming] = [scene.login(leaver), scene.login(comer)];
    const relay = scene.allocate(leaver, leaving);
    scene.sent = [];
    rig.batch(() => {
      rig.io.deliver(relay, Buffer.from('for the leaver'), PEER);
      rig.io.deliver(rig.udp4, refresh(rig.random, leaving, 0), leaver);
      rig.io.deliver(rig.udp4, allocate(rig.random, coming), comer);
    });
    const data = scene.sent.filter(({ bytes }) => bytes.includes('for the leaver'));
    expect(data.map(({ to }) => to)).toEqual(['192.0.2.1:5001']);
    rig.expectNothingLost();
  });

  it('a packet for a peer is not sent to the peer of an allocation that comes in its place', () => {
    const scene = new Scene();
    const { rig } = scene;
    const [leaver, comer] = [source('192.0.2.1', 5001), source('192.0.2.2', 5002)];
    const [leaving, coming] = [scene.login(leaver), scene.login(comer)];
    scene.allocate(leaver, leaving);
    const other = source('203.0.113.99', 9999);
    scene.sent = [];
    rig.batch(() => {
      rig.io.deliver(rig.udp4, channelData(0x4000, Buffer.from('for my peer')), leaver);
      rig.io.deliver(rig.udp4, refresh(rig.random, leaving, 0), leaver);
      rig.io.deliver(rig.udp4, allocate(rig.random, coming), comer);
      rig.io.deliver(rig.udp4, channelBind(rig.random, coming, 0x4000, other), comer);
    });
    expect(scene.sent.filter(({ bytes }) => bytes.includes('for my peer')).map(({ to }) => to)).toEqual([
      '203.0.113.7:7000',
    ]);
    rig.expectNothingLost();
  });

  it('more Send indications than an engine queues each reach the peer they name', () => {
    const scene = new Scene();
    const { rig } = scene;
    const client = source('192.0.2.1', 5001);
    const who = scene.login(client);
    scene.allocate(client, who);
    scene.exchange(createPermission(rig.random, who, [PEER]), client);
    scene.sent = [];
    const count = 3 * QUEUED_SENDS_MAX + 7;
    rig.batch(() => {
      for (let i = 0; i < count; i++) {
        const peer = source(PEER.address, 1000 + i);
        rig.io.deliver(rig.udp4, sendIndication(rig.random, peer, Buffer.from(`to ${1000 + i}`)), client);
        // Dropped ones in between must not wear the ring of destinations down.
        rig.io.deliver(
          rig.udp4,
          sendIndication(rig.random, source('203.0.113.8', 1), Buffer.from('no')),
          client,
        );
      }
    });
    expect(scene.sent.map(({ to, bytes }) => `${to} got "${bytes}"`)).toEqual(
      Array.from({ length: count }, (_, i) => `203.0.113.7:${1000 + i} got "to ${1000 + i}"`),
    );
  });
});

describe('a packet too large to be framed for the client', () => {
  it('is counted as dropped and as nothing else', () => {
    const scene = new Scene();
    const { rig } = scene;
    const client = source('192.0.2.1', 5001);
    const who = scene.login(client);
    const ipv6 = number32(A.requestedAddressFamily, 2 << 24);
    scene.exchange(allocate(rig.random, who, [ipv6]), client);
    const peer = source('2001:db8:7::1', 7000);
    scene.exchange(createPermission(rig.random, who, [peer]), client);
    const [allocation] = [...rig.core.allocations];
    scene.sent = [];
    for (const length of [65_507, 65_504]) {
      rig.batch(() => rig.io.deliver(allocation?.socketIPv6 ?? -1, Buffer.alloc(length), peer));
    }
    // A Data indication's length field ends at 65,535, and 65,508 + 4 + 24 bytes are more.
    expect(scene.sent.map(({ bytes }) => bytes.length)).toEqual([20 + 24 + 4 + 65_504]);
    expect([rig.counter('peerToClientPackets'), rig.counter('peerToClientBytes')]).toEqual([1, 65_504]);
    expect(rig.counter('dropTooLarge')).toBe(1);
    const tallies = [TALLY_PACKETS_TO_CLIENT, TALLY_BYTES_TO_CLIENT, TALLY_PACKETS_DROPPED];
    expect(tallies.map((column) => rig.core.allocations.tallies[column])).toEqual([1, 65_504, 1]);
  });
});
