/**
 * werift's ICE agents on the simulated network. They know nothing of it: what they take from Node (UDP sockets,
 * the host's addresses, timers, the time of day) is replaced while a test runs.
 */
import dgram from 'node:dgram';
import { EventEmitter } from 'node:events';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import timers from 'node:timers/promises';
import { Candidate, Connection } from 'werift';
import type { AgentCandidate } from '../../lab/phone/ice-candidates.ts';
import { candidateText, type IceDescription, readIceSdp, writeIceSdp } from '../../lab/phone/ice-sdp.ts';
import { transportText } from '../../lab/phone/transport-address.ts';
import type { SimSite, SiteSocket } from './passthrough-site.ts';
import type { Place, SimNetwork } from './sim-network.ts';
import type { Credentials } from './turn-client.ts';

const UNIX_START_MS = 1_800_000_000_000;
const STEP_MS = 1;
const FIRST_PORT = 45_000;
/** Of the B2BUA's candidates. */
const LENT_PRIORITY_MAX = 2;
const PATIENCE_MS = 1000;

/** Node as werift finds it, on a simulated network. */
export class SimulatedNode {
  readonly #network: SimNetwork;
  readonly #sites = new Map<string, SimSite>();
  readonly #sockets: SimDgramSocket[] = [];
  readonly #restore: (() => void)[] = [];
  #nextPort = FIRST_PORT;

  constructor(network: SimNetwork) {
    this.#network = network;
    this.#replace(dgram, 'createSocket', (() => this.#createSocket()) as never);
    this.#replace(os, 'networkInterfaces', () => this.#interfaces() as never);
    this.#replace(
      timers,
      'setTimeout',
      ((delayMs: number, value: unknown) =>
        new Promise((resolve) => network.after(delayMs, () => resolve(value)))) as never,
    );
    this.#replace(globalThis, 'setTimeout', ((happen: () => void, delayMs = 0) =>
      this.#timer(happen, delayMs)) as never);
    this.#replace(globalThis, 'clearTimeout', ((timer: SimTimer | undefined) => timer?.cancel()) as never);
    this.#replace(Date, 'now', () => UNIX_START_MS + network.nowMs);
    syncBuiltinESMExports();
  }

  /** The host at the address exists. */
  add(address: string, site: SimSite): void {
    this.#sites.set(address, site);
  }

  /** The first socket that an agent opened at the address: its host candidate's. */
  socketAt(address: string): SimDgramSocket {
    const socket = this.#sockets.find((one) => one.address().address === address);
    if (!socket) throw new Error(`nothing is open at ${address}`);
    return socket;
  }

  after(delayMs: number, happen: () => void): void {
    this.#network.after(delayMs, happen);
  }

  /** Lets virtual time pass, and what is promised in it come about. */
  async run(durationMs: number, isOver: () => boolean = () => false): Promise<void> {
    for (let passed = 0; passed < durationMs && !isOver(); passed += STEP_MS) {
      this.#network.run(STEP_MS);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Waits for what takes virtual time. */
  async until<Value>(promise: Promise<Value>, limitMs = 30_000): Promise<Value> {
    let isDone = false;
    const watched = promise.finally(() => {
      isDone = true;
    });
    watched.catch(() => {});
    await this.run(limitMs, () => isDone);
    if (!isDone) throw new Error(`not done within ${limitMs} ms`);
    return watched;
  }

  /** Gives Node back. */
  end(): void {
    for (const restore of this.#restore.reverse()) restore();
    syncBuiltinESMExports();
  }

  #createSocket(): SimDgramSocket {
    const socket = new SimDgramSocket((address, receive) => {
      const site = this.#sites.get(address);
      if (!site) throw new Error(`nobody lives at ${address}`);
      this.#nextPort += 2;
      return site.bind({ address, port: this.#nextPort }, receive);
    });
    this.#sockets.push(socket);
    return socket;
  }

  #interfaces(): NodeJS.Dict<Partial<os.NetworkInterfaceInfo>[]> {
    const of = (address: string): Partial<os.NetworkInterfaceInfo> => ({
      address,
      family: 'IPv4',
      internal: false,
    });
    return { sim0: [...this.#sites.keys()].map(of) };
  }

  #timer(happen: () => void, delayMs: number): SimTimer {
    let isCancelled = false;
    this.#network.after(delayMs, () => {
      if (!isCancelled) happen();
    });
    const timer: SimTimer = {
      cancel: () => {
        isCancelled = true;
      },
      ref: () => timer,
      unref: () => timer,
    };
    return timer;
  }

  #replace<Owner extends object, Name extends keyof Owner>(owner: Owner, name: Name, by: Owner[Name]): void {
    const before = owner[name];
    owner[name] = by;
    this.#restore.push(() => {
      owner[name] = before;
    });
  }
}

interface SimTimer {
  cancel(): void;
  ref(): SimTimer;
  unref(): SimTimer;
}

type Bind = (address: string, receive: (bytes: Uint8Array, from: Place) => void) => SiteSocket;

/** As much of `dgram.Socket` as werift uses. */
export class SimDgramSocket extends EventEmitter {
  readonly #bind: Bind;
  #socket: SiteSocket | undefined;

  constructor(bind: Bind) {
    super();
    this.#bind = bind;
  }

  bind({ address }: { readonly address: string }): void {
    this.#socket = this.#bind(address, (bytes, from) => {
      this.emit('message', Buffer.from(bytes), { ...from, family: 'IPv4', size: bytes.length });
    });
    queueMicrotask(() => this.emit('listening'));
  }

  address(): Place & { readonly family: string } {
    if (!this.#socket) throw new Error('not bound');
    return { ...this.#socket.place, family: 'IPv4' };
  }

  send(bytes: Uint8Array, port: number, address: string): void {
    this.#socket?.send(bytes, { address, port });
  }

  close(): void {
    this.#socket?.close();
    queueMicrotask(() => this.emit('close'));
  }
}

export interface WeriftOptions {
  readonly name: string;
  readonly zone: string;
  readonly site: SimSite;
  readonly address: string;
  /** Of the TURN server, which tells reflexive addresses too; undefined: host candidates alone. */
  readonly turn?: { readonly server: Place; readonly credentials: Credentials };
  readonly isControlling: boolean;
  /** It looks at the candidate of the lowest priority last; werift nominates whatever pair works first. */
  readonly isPatient?: boolean;
}

/** An endpoint whose ICE is werift's; its media is text. */
export class WeriftEndpoint {
  readonly name: string;
  readonly zone: string;
  readonly connection: Connection;
  heard: string[] = [];
  readonly #options: WeriftOptions;
  readonly #node: SimulatedNode;
  #defaultRemote: Place | undefined;
  #said = 0;

  constructor(node: SimulatedNode, options: WeriftOptions) {
    this.#node = node;
    this.#options = options;
    this.name = options.name;
    this.zone = options.zone;
    node.add(options.address, options.site);
    const { turn } = options;
    const server: [string, number] | undefined = turn && [turn.server.address, turn.server.port];
    this.connection = new Connection(options.isControlling, {
      useIpv6: false,
      interfaceAddresses: { udp4: options.address },
      ...(turn && server
        ? {
            stunServer: server,
            turnServer: server,
            turnUsername: turn.credentials.name,
            turnPassword: turn.credentials.password,
          }
        : {}),
    });
    this.connection.onData.subscribe((data) => {
      this.heard.push(data.toString());
    });
  }

  /** Words that it has said, from the given one on. */
  said(from = 0): string[] {
    return Array.from({ length: this.#said }, (_, i) => wordOf(this.name, i)).slice(from);
  }

  gather(): Promise<void> {
    return this.#node.until(this.connection.gatherCandidates());
  }

  /** An SDP with all that was gathered. */
  describe(): string {
    const { localUsername: ufrag, localPassword: pwd, localCandidates } = this.connection;
    return this.#write({ ufrag, pwd }, localCandidates.map(candidateOf), []);
  }

  /** An updated offer or its answer: what was selected. */
  describeSelected(kind: 'offer' | 'answer'): string {
    const { localUsername: ufrag, localPassword: pwd, nominated } = this.connection;
    if (!nominated) throw new Error('nothing is selected');
    const local = candidateOf(this.#mapped(nominated.localCandidate, nominated.remoteCandidate));
    const remote = kind === 'offer' ? [candidateOf(nominated.remoteCandidate)] : [];
    return this.#write({ ufrag, pwd }, [local], remote);
  }

  async take(sdp: string): Promise<void> {
    const { credentials, candidates, rtp } = readIceSdp(sdp);
    this.#defaultRemote = rtp;
    if (!credentials || this.connection.remoteUsername !== '') return;
    this.connection.setRemoteParams({
      iceLite: false,
      usernameFragment: credentials.ufrag,
      password: credentials.pwd,
    });
    const isLast = ({ priority }: { readonly priority: number }): boolean =>
      this.#options.isPatient === true && priority <= LENT_PRIORITY_MAX;
    const add = async (some: readonly AgentCandidate[]): Promise<void> => {
      for (const one of some) await this.connection.addRemoteCandidate(Candidate.fromSdp(candidateText(one)));
    };
    await add(candidates.filter((candidate) => !isLast(candidate)));
    const last = (): Promise<void> =>
      add(candidates.filter(isLast)).then(() => this.connection.addRemoteCandidate(undefined));
    if (this.#options.isPatient) this.#node.after(PATIENCE_MS, () => void last());
    else await last();
  }

  /** Speaks by the selected pair, else from its host to where the other side listens by default. */
  say(): void {
    const word = Buffer.from(wordOf(this.name, this.#said++));
    if (this.connection.nominated) void this.connection.send(word);
    else if (this.#defaultRemote) {
      const { address, port } = this.#defaultRemote;
      this.#node.socketAt(this.#options.address).send(word, port, address);
    }
  }

  /** werift has the base of a reflexive candidate for its local one: what a NAT makes of it, the candidates tell. */
  #mapped(local: Candidate, remote: Candidate): Candidate {
    const { address } = this.#options;
    const isOutside = !remote.host.startsWith(address.replace(/\d+$/, ''));
    const reflexive = this.connection.localCandidates.find(
      ({ type, host }) => type === 'srflx' && host !== address,
    );
    return local.type === 'host' && isOutside && reflexive ? reflexive : local;
  }

  #write(
    credentials: NonNullable<IceDescription['credentials']>,
    candidates: IceDescription['candidates'],
    remoteCandidates: IceDescription['candidates'],
  ): string {
    const last = candidates.at(-1);
    if (!last) throw new Error('nothing was gathered');
    return writeIceSdp({
      version: 1,
      defaults: [last.place],
      key: {
        tag: 1,
        suite: 'AES_CM_128_HMAC_SHA1_80',
        keyAndSalt: Buffer.alloc(30, transportText(last.place)),
      },
      credentials,
      candidates,
      remoteCandidates,
    });
  }
}

function wordOf(name: string, number: number): string {
  return `word ${number} of ${name}`;
}

function candidateOf({
  component,
  type,
  host,
  port,
  priority,
}: Candidate): IceDescription['candidates'][number] {
  const known = (['host', 'srflx', 'prflx', 'relay'] as const).find((name) => name === type) ?? 'host';
  return { component, type: known, place: { address: host, port }, priority };
}
