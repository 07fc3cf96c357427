/**
 * A TURN core under attack from many sources at once, and the account that is kept of it: what became
 * of every packet, what left the node and where it went, and what the core holds.
 */

import { A, decode, find } from '../../lab/phone/plain-stun.ts';
import { TURN, TURN_COUNTER_NAMES, type TurnCounterName } from '../../src/turn/counters.ts';
import {
  OPEN_ADDRESS_UNAVAILABLE,
  OPEN_PORT_IN_USE,
  OPEN_RESOURCES_EXHAUSTED,
} from '../../src/wire/datagram-io.ts';
import { type Credentials, type Session, session } from './client-messages.ts';
import { CoreRig, NODE_IPV4, NODE_IPV6, RELAY_PORTS, type RigOptions, UNIX_START_MS } from './core-rig.ts';
import { type Source, source } from './fuzz-io.ts';
import { HostileMessages } from './hostile-messages.ts';
import { timedCredentials } from './test-crypto.ts';

export const SHARED_SECRET = 'north';
export const ALICE: Credentials = { name: 'alice', password: 'wonderland' };
const MALLORY: Credentials = { name: 'mallory', password: 'm' };
const EVE: Credentials = { name: 'eve', password: 'e' };

const PEERS: readonly Source[] = [
  ...[7000, 7001].map((port) => source('203.0.113.7', port)),
  ...['2001:db8:7::1', '2001:db8:7::2'].map((address) => source(address, 7000)),
  source(NODE_IPV4, 24_000),
  ...Array.from({ length: 14 }, (_, i) => source(`203.0.113.${20 + i}`, 7000)),
  ...[24_001, 24_050, RELAY_PORTS[1], 22, 3478, 8080].map((port) => source(NODE_IPV4, port)),
  ...[24_000, 24_020, 22, 3478].map((port) => source(NODE_IPV6, port)),
  source('64:ff9b::808:808', 7000),
];
/** Peers that no packet must ever reach. */
const FORBIDDEN: readonly Source[] = [
  '0.0.0.0',
  '10.0.0.1',
  '10.0.0.5',
  '127.0.0.1',
  '169.254.169.254',
  '192.168.1.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:10.0.0.1',
  '64:ff9b::a00:1',
  '2002:a00:1::1',
  'fe80::1',
  'fd00::1',
  'ff02::1',
].map((address) => source(address, 7000));

interface Attacker {
  readonly from: Source;
  /** The socket its messages arrive at. */
  socket: number;
  readonly isStream: boolean;
  readonly session: Session | undefined;
  token: Uint8Array | undefined;
}

export interface Sent {
  readonly socket: number;
  readonly bytes: Buffer;
  readonly to: string;
}

const isAnswer = (name: TurnCounterName): boolean =>
  /^(responseSuccess|responseRepeated|error\d+)$/.test(name);
const placesOf = (wanted: (name: TurnCounterName) => boolean): number[] =>
  TURN_COUNTER_NAMES.filter(wanted).map((name) => TURN[name]);
const ANSWERS = placesOf(isAnswer);
const DROPS = placesOf((name) => name.startsWith('drop'));

/** How many of each there have been. */
interface Outcomes {
  answered: number;
  dropped: number;
  toPeer: number;
  toClient: number;
  shortcut: number;
  icmp: number;
  sends: number;
}

export class FuzzWorld {
  readonly rig: CoreRig;
  /** Packets handed to the core. */
  messages = 0;
  /** Where what leaves the node is kept while somebody looks. */
  watched: Sent[] | undefined;
  /** The last packet, for the report of a failure. */
  last = '';
  readonly #hostile: HostileMessages;
  readonly #attackers: Attacker[];
  readonly #byAddress = new Map<string, Attacker>();
  readonly #victims: readonly Source[];
  /** Addresses that messages of the batch at hand came from: what leaves by a listener goes to one of them or to a client. */
  #expected = new Set<string>();

  /** `victims`: addresses of well-behaved clients, which attackers may forge. */
  constructor(options: RigOptions, victims: readonly Source[]) {
    const users = [ALICE, MALLORY, EVE];
    this.rig = new CoreRig({
      users,
      ...options,
      settings: { sharedSecret: SHARED_SECRET, ...options.settings },
    });
    const { random } = this.rig;
    this.#hostile = new HostileMessages(random, [...PEERS, ...PEERS, ...FORBIDDEN]);
    this.#victims = options.settings?.authentication === false ? [] : victims;
    this.#attackers = this.#createAttackers(options.settings?.authentication !== false);
    for (const attacker of this.#attackers) this.#byAddress.set(textOf(attacker.from), attacker);
    this.rig.io.onSent = (socket, bytes, destination) => this.#checkSent(socket, bytes, destination);
    this.rig.io.refuse = () => {
      if (random.chance(0.03)) return OPEN_PORT_IN_USE;
      if (random.chance(0.01)) return OPEN_RESOURCES_EXHAUSTED;
      return random.chance(0.002) ? OPEN_ADDRESS_UNAVAILABLE : 0;
    };
  }

  /** One batch of hostile packets; seldom one larger than any queue. */
  hostileBatch(): void {
    const { rig } = this;
    const { random } = rig;
    const usual = random.chance(0.1) ? random.between(30, 120) : random.between(1, 24);
    const count = random.chance(0.001) ? 1400 : usual;
    this.inBatch(() => {
      for (let i = 0; i < count; i++) this.#hostilePacket();
    }, random.below(30));
    if (random.chance(0.05)) rig.wait(random.between(1, 25));
    if (random.chance(0.002)) this.#administrate();
  }

  /** Runs `section` as a batch in which {@link fromClient} and {@link fromPeer} may be called. */
  inBatch(section: () => void, laterMs = 0): void {
    this.#expected = new Set();
    this.rig.batch(section, laterMs);
  }

  fromClient(socket: number, bytes: Uint8Array, from: Source): void {
    this.last = `from ${textOf(from)} to the server: ${Buffer.from(bytes).toString('hex')}`;
    this.#expected.add(textOf(from));
    const before = this.#outcomes();
    this.rig.io.deliver(socket, bytes, from);
    const { answered, dropped, toPeer, toClient, shortcut, icmp, sends } = this.#since(before);
    // A packet handed on inside the process has a second life, as its recipient's packet from a peer.
    const fates = answered + dropped + toPeer + toClient - shortcut;
    const isKeepAlive = fates === 0 && bytes.length >= 20 && bytes[0] === 0 && bytes[1] === 0x11;
    this.#require(fates === 1 || isKeepAlive, `a client's packet had ${fates} fates`);
    this.#require(shortcut === 1 || toClient === 0, "a client's packet went to a client");
    this.#require(icmp === 0, "a client's packet became an ICMP error");
    this.#require(sends === answered + toPeer - shortcut + toClient, `${sends} sends`);
  }

  /** A datagram for the relay `socket`. */
  fromPeer(socket: number, bytes: Uint8Array, from: Source): void {
    this.last = `from ${textOf(from)} to a relay: ${Buffer.from(bytes).toString('hex')}`;
    const before = this.#outcomes();
    this.rig.io.deliver(socket, bytes, from);
    const { answered, dropped, toPeer, toClient, icmp, sends } = this.#since(before);
    this.#require(dropped + toClient === 1, `a peer's packet had ${dropped + toClient} fates`);
    this.#require(answered + toPeer + icmp === 0, "a peer's packet was taken for a client's");
    this.#require(sends === toClient, `${sends} sends`);
  }

  #hostilePacket(): void {
    const { rig } = this;
    const { random } = rig;
    const choice = random.below(100);
    if (choice < 72) return this.#hostileClientPacket();
    const relays = [...rig.core.allocations].flatMap(({ relays }) => relays);
    if (choice < 96 && relays.length > 0) {
      const { socket } = random.pick(relays);
      const from = random.chance(0.9) ? this.#hostile.anyPeer() : this.#anySource();
      const isIPv6 = rig.io.localOf(socket)?.startsWith('[') ?? false;
      if (isIPv6 !== from.address.includes(':')) return this.#hostileClientPacket();
      return this.fromPeer(socket, this.#hostile.payload(), from);
    }
    if (choice < 98) return this.#icmpError();
    this.#reconnect();
  }

  #hostileClientPacket(): void {
    const { random } = this.rig;
    if (random.chance(0.06)) {
      // From an address made up, or a victim's.
      const from =
        this.#victims.length > 0 && random.chance(0.5) ? random.pick(this.#victims) : this.#anySource();
      const who = random.chance(0.3) ? random.pick(this.#attackers).session : undefined;
      return this.fromClient(this.#listenerFor(from), this.#hostile.next(who, undefined), from);
    }
    const attacker = random.pick(this.#attackers);
    const who = this.#nameFor(attacker);
    const token = random.chance(0.8) ? random.pick(this.#attackers).token : undefined;
    this.fromClient(attacker.socket, this.#hostile.next(who, token), attacker.from);
  }

  /** Its own name as a rule; now and then somebody else's, or the wrong password. */
  #nameFor({ session: own }: Attacker): Session | undefined {
    const { random } = this.rig;
    const choice = random.below(100);
    if (own === undefined || choice < 5) return undefined;
    if (choice < 92) return own;
    const other = random.pick(this.#attackers).session ?? own;
    return choice < 97 ? { ...other, nonce: own.nonce } : { ...own, key: other.key };
  }

  #icmpError(): void {
    const { rig } = this;
    const { random } = rig;
    this.last = 'an ICMP error';
    this.messages++;
    const ids = [...rig.core.allocations].map(({ id }) => id);
    const tag = ids.length > 0 && random.chance(0.9) ? random.pick(ids) : random.below(200) - 100;
    const before = this.#outcomes();
    const to = random.pick(PEERS);
    rig.io.deliverIcmpError(rig.core, tag, random.below(256), random.below(256), random.below(0x10000), to);
    const { answered, dropped, toPeer, toClient, icmp, sends } = this.#since(before);
    this.#require(
      answered + toPeer + toClient === 0 && sends === icmp,
      'an ICMP error was taken for a packet',
    );
    this.#require(
      icmp + dropped === (rig.core.allocations.byId(tag) ? 1 : 0),
      'an ICMP error was not accounted for',
    );
  }

  /** A stream breaks off and its client comes back, likely on the same socket number. */
  #reconnect(): void {
    const { rig } = this;
    this.last = 'a stream closed';
    this.messages++;
    const attacker = rig.random.pick(this.#attackers.filter(({ isStream }) => isStream));
    this.#expected.add(textOf(attacker.from)); // what is queued for it still leaves
    rig.closeStream(attacker.socket, attacker.from);
    attacker.socket = rig.openStream();
  }

  #administrate(): void {
    const { core, random } = this.rig;
    const user = random.pick([MALLORY, EVE]);
    if (random.chance(0.5)) core.removeUser(user.name);
    core.setUser(user);
  }

  /** What must hold of anything that leaves the node. */
  #checkSent(socket: number, bytes: Buffer, destination: number): void {
    const { endpoints } = this.rig.io;
    const to = endpoints.text(destination);
    this.watched?.push({ socket, bytes, to });
    const relay = this.#isRelay(socket);
    if (relay) {
      this.#require(
        this.#mayBeReached(endpoints.addressText(destination), endpoints.port(destination)),
        `a relay sent to ${to}`,
      );
      return;
    }
    const attacker = this.#byAddress.get(to);
    const known = this.#expected.has(to) || this.#isClient(socket, destination);
    this.#require(known, `the server sent to ${to}, which asked for nothing`);
    if ((bytes[0] as number) >= 0x40) {
      const isRight =
        bytes.length >= 4 &&
        bytes.readUInt16BE(2) === bytes.length - 4 &&
        bytes.readUInt16BE(0) <= this.rig.settings.channelNumberMax;
      this.#require(isRight, 'malformed ChannelData');
    } else {
      this.#learn(bytes, attacker);
    }
  }

  /** Reads a message to a client, which must be well-formed, and what an attacker can use of it. */
  #learn(bytes: Buffer, attacker: Attacker | undefined): void {
    if (bytes.readUInt32BE(4) !== 0x2112a442) return; // an answer to RFC 3489
    const message = decode(bytes);
    if (!attacker) return;
    const nonce = find(message, A.nonce);
    if (nonce && attacker.session) attacker.session.nonce = nonce;
    attacker.token = find(message, A.reservationToken) ?? attacker.token;
  }

  /** Whether a relay may send there: to other hosts in public, and to our own at relay ports. */
  #mayBeReached(address: string, port: number): boolean {
    const [first, last] = this.rig.settings.relayPorts;
    const isOwn = this.rig.settings.relayAddresses.some((relay) => relay.address === address);
    if (isOwn || address === NODE_IPV4) return port >= first && port <= last;
    return !isPrivateIPv4(address) && !FORBIDDEN.some((peer) => peer.address === address);
  }

  #isRelay(socket: number): boolean {
    const local = this.rig.io.localOf(socket);
    return local !== undefined && !local.endsWith(':3478');
  }

  #isClient(socket: number, row: number): boolean {
    return this.rig.core.allocations.ofClient(socket, row) !== undefined;
  }

  #outcomes(): Outcomes {
    const { counters, io } = this.rig;
    const sum = (places: readonly number[]): number => {
      let total = 0;
      for (const place of places) total += counters[place] as number;
      return total;
    };
    return {
      answered: sum(ANSWERS),
      dropped: sum(DROPS),
      toPeer: counters[TURN.clientToPeerPackets] as number,
      toClient: counters[TURN.peerToClientPackets] as number,
      shortcut: counters[TURN.shortcutPackets] as number,
      icmp: counters[TURN.icmpIndications] as number,
      sends: io.sends,
    };
  }

  #since(before: Outcomes): Outcomes {
    const now = this.#outcomes();
    this.messages++;
    for (const key of Object.keys(now) as (keyof Outcomes)[]) now[key] -= before[key];
    return now;
  }

  #require(holds: boolean, otherwise: string): void {
    if (!holds) throw new Error(otherwise);
  }

  #listenerFor(from: Source): number {
    return from.address.includes(':') ? this.rig.udp6 : this.rig.udp4;
  }

  #anySource(): Source {
    const { random } = this.rig;
    const port = random.below(65_536);
    if (random.chance(0.7)) return source(Array.from({ length: 4 }, () => random.below(256)).join('.'), port);
    return source(Array.from({ length: 8 }, () => random.below(65_536).toString(16)).join(':'), port);
  }

  #createAttackers(authenticated: boolean): Attacker[] {
    const { rig } = this;
    const expiry = Math.trunc(UNIX_START_MS / 1000) + 1_000_000_000;
    const timed = (i: number): Credentials => timedCredentials(SHARED_SECRET, `${expiry}:user${i}`);
    const users = [MALLORY, EVE, timed(1), timed(2), timed(3), undefined];
    const sources = [
      ...Array.from({ length: 24 }, (_, i) => source(`192.0.2.${1 + (i >> 1)}`, 5000 + i)),
      ...Array.from({ length: 10 }, (_, i) => source(`2001:db8:c:${i >> 1}::1`, 5000 + i)),
    ];
    const streams = Array.from({ length: 6 }, (_, i) => source(`192.0.2.${60 + i}`, 6000 + i));
    return [...sources, ...streams].map((from, i): Attacker => {
      const user = users[i % users.length];
      const isStream = streams.includes(from);
      return {
        from,
        socket: isStream ? rig.openStream() : this.#listenerFor(from),
        isStream,
        session: user && authenticated ? session(user) : undefined,
        token: undefined,
      };
    });
  }
}

export function textOf({ address, port }: Source): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function isPrivateIPv4(address: string): boolean {
  return /^(0|10|127|22[4-9]|2[345]\d|192\.168|169\.254|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./.test(
    address,
  );
}
