/** A session with the lab's own ICE agent. */
import { randomBytes } from 'node:crypto';
import { IceAgent } from './ice-agent.ts';
import type { AgentCandidate, AgentCredentials } from './ice-candidates.ts';
import type { ReadDescription } from './ice-sdp.ts';
import { PhoneBases } from './phone-bases.ts';
import type { Conclusion, PhoneSession, SessionOptions } from './phone-session.ts';
import type { PhoneStatus, TransportAddress } from './protocol.ts';
import { SYSTEM_CLOCK } from './system-clock.ts';

/**
 * Patient, as on a busy machine a good pair takes its time; consent is lost sooner than RFC 7675 has it (30 s),
 * so that a test does not take so long.
 */
const TIMING = {
  triesMax: 8,
  patienceMs: 5000,
  consentMs: 1000,
  unansweredMax: 4,
  failureMs: 15_000,
} as const;

export class FullSession implements PhoneSession {
  /** An agent of RFC 8445 says so (RFC 8839 §5.6). */
  readonly iceOptions = 'ice2';
  readonly #bases: PhoneBases;
  readonly #agent: IceAgent;
  readonly #isControlling: boolean;
  #remote: ReadDescription | undefined;
  /** Without ICE, media goes from the default candidate. */
  #plainBase: PhoneBases['host'];

  private constructor(bases: PhoneBases, { isControlling, media }: SessionOptions) {
    this.#bases = bases;
    this.#plainBase = bases.host;
    this.#agent = new IceAgent({ clock: SYSTEM_CLOCK, bases: [bases], randomBytes, timing: TIMING });
    this.#isControlling = isControlling;
    this.#agent.formCandidates();
    this.#agent.onSelected = () => this.#agent.bindChannels();
    this.#agent.onMedia = (bytes, _component, _base, from) => media.received(bytes, from);
  }

  /** @throws Error (rejects) where no port is free; a TURN server that does not answer is no reason */
  static async gather(options: SessionOptions): Promise<FullSession> {
    const { address, ports, turn } = options;
    return new FullSession(await PhoneBases.gather(address, ports, turn), options);
  }

  get ice(): PhoneStatus['ice'] {
    return this.#isPlain ? 'none' : this.#agent.state;
  }

  get credentials(): AgentCredentials | undefined {
    return this.#isPlain ? undefined : this.#agent.local;
  }

  get candidates(): readonly AgentCandidate[] {
    return this.#isPlain ? [] : this.#agent.candidates;
  }

  get defaults(): readonly [TransportAddress] {
    return [this.#agent.defaultOf(1).place];
  }

  get conclusion(): Conclusion | undefined {
    const { remote, local } = this.#agent.selected.get(1) ?? {};
    if (!remote || !local || this.#isPlain) return undefined;
    // An address that was learnt from a check may be one that was signalled later.
    const isIt = ({ place }: AgentCandidate): boolean =>
      place.address === remote.place.address && place.port === remote.place.port;
    return { local, remote: this.#remote?.candidates.find(isIt) ?? remote };
  }

  get hasWay(): boolean {
    if (this.#isPlain) return true;
    return this.#agent.state === 'concluded' || this.#agent.hasDefaultPath();
  }

  take(remote: ReadDescription): void {
    const agent = this.#agent;
    const known = agent.remote;
    this.#remote = remote;
    agent.defaultRemote = new Map([[1, remote.rtp]]);
    this.#bases.permit(remote.rtp, () => {
      this.#plainBase = this.#bases.relay ?? this.#bases.host;
    });
    if (!remote.credentials) return;
    const { ufrag, pwd } = remote.credentials;
    if (known && (known.ufrag !== ufrag || known.pwd !== pwd)) agent.forgetRemote();
    agent.isControlling = this.#isControlling || remote.isLite;
    agent.setRemote(remote.credentials, remote.candidates);
    agent.start();
  }

  sendRtp(bytes: Buffer): boolean {
    const remote = this.#remote;
    if (!remote) return false;
    if (!this.#isPlain) return this.#agent.sendMedia(bytes);
    this.#plainBase.send(bytes, remote.rtp);
    return true;
  }

  sendRtcp(bytes: Buffer): boolean {
    const remote = this.#remote;
    if (!remote || remote.isRtcpMuxed) return this.sendRtp(bytes);
    this.#plainBase.send(bytes, remote.rtcp);
    return true;
  }

  async close(): Promise<void> {
    this.#agent.close();
    await this.#bases.release();
  }

  /** The other side has answered, and does not do ICE. */
  get #isPlain(): boolean {
    return this.#remote !== undefined && this.#remote.credentials === undefined;
  }
}
