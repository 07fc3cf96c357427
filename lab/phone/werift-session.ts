/**
 * A session whose ICE is werift's. It nominates, when it controls, the first pair that works; it cannot begin
 * anew on other sockets, so that a restart is another session, as with the lab's own agent.
 */
import { Candidate, Connection, StunOverTurnProtocol, StunProtocol } from 'werift';
import type { AgentCandidate, AgentCredentials } from './ice-candidates.ts';
import { defaultCandidate } from './ice-candidates.ts';
import { candidateText, type ReadDescription } from './ice-sdp.ts';
import type { Conclusion, PhoneSession, SessionOptions } from './phone-session.ts';
import type { PhoneStatus, TransportAddress, TurnAccess } from './protocol.ts';
import { SYSTEM_CLOCK } from './system-clock.ts';
import { releaseRelay } from './turn-relay.ts';
import { UdpSocket } from './udp-socket.ts';

/** werift looks for two free ports among these, for its host and its TURN client. */
const PORTS_EACH = 8;
/** Of the candidates with which a media plane stands between; what else works is better. */
const LENT_PRIORITY_MAX = 2;
const PATIENCE_MS = 1000;
const FAILURE_MS = 15_000;

export class WeriftSession implements PhoneSession {
  readonly iceOptions = undefined;
  readonly candidates: readonly AgentCandidate[];
  readonly #address: string;
  readonly #isControlling: boolean;
  readonly #connection: Connection;
  #remote: ReadDescription | undefined;
  #startedMs: number | undefined;
  #isClosed = false;

  private constructor(connection: Connection, { address, isControlling, media }: SessionOptions) {
    this.#connection = connection;
    this.#address = address;
    this.#isControlling = isControlling;
    this.candidates = connection.localCandidates.map(candidateOf);
    connection.onData.subscribe((bytes) => media.received(bytes, null));
  }

  /** @throws Error (rejects) where it has no candidate */
  static async gather(options: SessionOptions): Promise<WeriftSession> {
    const { address, ports, turn } = options;
    const usesUdp = turn !== undefined && turn.transport !== 'tcp' && (await reaches(turn, options));
    const first = ports.take(PORTS_EACH);
    const connection = new Connection(options.isControlling, {
      // Its own search would take the other addresses of the machine too.
      ...{ useIpv4: false, useIpv6: false, additionalHostAddresses: [address] },
      ...{ interfaceAddresses: { udp4: address }, portRange: [first, first + PORTS_EACH - 1] },
      ...(turn ? turnOptions(turn, usesUdp) : {}),
    });
    // Without one of ours it asks one on the internet, and waits for it.
    if (!usesUdp) delete connection.stunServer;
    await connection.gatherCandidates();
    const session = new WeriftSession(connection, options);
    if (session.candidates.length > 0) return session;
    await session.close();
    throw new Error(`werift has no candidate at ${address}`);
  }

  get ice(): PhoneStatus['ice'] {
    if (this.#isPlain) return 'none';
    const { state, nominated } = this.#connection;
    if (state === 'failed') return 'failed';
    if (nominated) return 'concluded';
    const isLate = this.#startedMs !== undefined && SYSTEM_CLOCK.nowMs - this.#startedMs > FAILURE_MS;
    return isLate ? 'failed' : 'checking';
  }

  get credentials(): AgentCredentials | undefined {
    const { localUsername: ufrag, localPassword: pwd } = this.#connection;
    return this.#isPlain ? undefined : { ufrag, pwd };
  }

  get defaults(): readonly [TransportAddress] {
    const candidate = defaultCandidate(this.candidates);
    if (!candidate) throw new Error('nothing was gathered');
    return [candidate.place];
  }

  get conclusion(): Conclusion | undefined {
    const { nominated } = this.#connection;
    if (!nominated) return undefined;
    const remote = candidateOf(nominated.remoteCandidate);
    return { local: this.#mapped(candidateOf(nominated.localCandidate), remote), remote };
  }

  get hasWay(): boolean {
    return this.#isPlain || this.#canSend;
  }

  take(remote: ReadDescription): void {
    this.#remote = remote;
    if (!remote.credentials || this.#startedMs !== undefined) return;
    this.#startedMs = SYSTEM_CLOCK.nowMs;
    const { ufrag: usernameFragment, pwd: password } = remote.credentials;
    this.#connection.setRemoteParams({ iceLite: remote.isLite, usernameFragment, password });
    if (remote.isLite) this.#connection.iceControlling = true; // werift leaves that to its user
    const isLent = ({ priority }: AgentCandidate): boolean =>
      this.#isControlling && priority <= LENT_PRIORITY_MAX;
    void this.#add(remote.candidates.filter((candidate) => !isLent(candidate)));
    const addRest = (): void => {
      if (this.#isClosed) return;
      void this.#add(remote.candidates.filter(isLent)).then(() =>
        this.#connection.addRemoteCandidate(undefined),
      );
    };
    if (this.#isControlling) SYSTEM_CLOCK.after(PATIENCE_MS, addRest);
    else addRest();
    this.#connection.connect().catch(() => {}); // `ice` tells
  }

  /** By the selected pair, else from the host to where the other side listens by default. */
  sendRtp(bytes: Buffer): boolean {
    if (!this.#remote || this.#connection.state === 'failed') return false;
    if (this.#canSend) return this.#send(bytes);
    return this.#sendFromHost(bytes, this.#remote.rtp);
  }

  sendRtcp(bytes: Buffer): boolean {
    if (!this.#remote || this.#remote.isRtcpMuxed) return this.sendRtp(bytes);
    return this.#sendFromHost(bytes, this.#remote.rtcp);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const { protocol } = this.#connection.candidatePairs.find(isRelayed) ?? {};
    if (protocol instanceof StunOverTurnProtocol) await releaseRelay(protocol.turn);
    await this.#connection.close();
  }

  get #isPlain(): boolean {
    return this.#remote !== undefined && this.#remote.credentials === undefined;
  }

  /** werift drops silently what it is given before. */
  get #canSend(): boolean {
    return this.#connection.nominated !== undefined && this.#connection.state === 'connected';
  }

  #send(bytes: Buffer): boolean {
    this.#connection.send(bytes).catch(() => {}); // its relay may be gone, and consent tells
    return true;
  }

  #sendFromHost(bytes: Buffer, { address, port }: TransportAddress): boolean {
    const host = this.#connection.candidatePairs.find(({ protocol }) => protocol instanceof StunProtocol);
    if (!host || this.#isClosed) return false;
    host.protocol.sendData(bytes, [address, port]).catch(() => {});
    return true;
  }

  async #add(candidates: readonly AgentCandidate[]): Promise<void> {
    for (const candidate of candidates) {
      await this.#connection.addRemoteCandidate(Candidate.fromSdp(candidateText(candidate)));
    }
  }

  /** werift takes the base of a reflexive candidate for its local one: the candidates tell what a NAT makes of it. */
  #mapped(local: AgentCandidate, remote: AgentCandidate): AgentCandidate {
    const network = this.#address.replace(/\d+$/, '');
    const reflexive = this.candidates.find(
      ({ type, place }) => type === 'srflx' && place.address !== this.#address,
    );
    const isOutside = !remote.place.address.startsWith(network);
    return local.type === 'host' && isOutside && reflexive ? reflexive : local;
  }
}

/** Whether UDP gets to the TURN server and back: werift itself would wait long for it. */
async function reaches({ server }: TurnAccess, { address, ports }: SessionOptions): Promise<boolean> {
  const socket = await UdpSocket.open(address, ports);
  const mapped = await socket.askMapped(server);
  socket.close();
  return mapped !== undefined;
}

type WeriftOptions = NonNullable<ConstructorParameters<typeof Connection>[1]>;

function turnOptions(turn: TurnAccess, usesUdp: boolean): WeriftOptions {
  const server: [string, number] = [turn.server.address, turn.server.port];
  const access: WeriftOptions = {
    ...{ stunServer: server, turnServer: server },
    ...{ turnUsername: turn.username, turnPassword: turn.password },
  };
  return usesUdp || turn.transport === 'udp' ? access : { ...access, turnTransport: 'tcp' };
}

function isRelayed({ protocol }: { readonly protocol: object }): boolean {
  return protocol instanceof StunOverTurnProtocol;
}

function candidateOf({ component, type, host, port, priority }: Candidate): AgentCandidate {
  const known = (['host', 'srflx', 'prflx', 'relay'] as const).find((name) => name === type) ?? 'host';
  return { component, type: known, place: { address: host, port }, priority };
}
