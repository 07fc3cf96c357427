/** A phone: its media, and the sessions that carry it, driven by offers and answers. */
import { setTimeout as delay } from 'node:timers/promises';
import { FullSession } from './full-session.ts';
import type { AgentCandidate } from './ice-candidates.ts';
import { type ReadDescription, readIceSdp, writeIceSdp } from './ice-sdp.ts';
import { PhoneMedia } from './phone-media.ts';
import { PhonePorts } from './phone-ports.ts';
import type { Conclusion, PhoneSession } from './phone-session.ts';
import { PlainSession } from './plain-session.ts';
import type { PhoneCandidateType, PhoneOptions, PhoneStatus, SelectedPair } from './protocol.ts';
import { SYSTEM_CLOCK } from './system-clock.ts';
import { WeriftSession } from './werift-session.ts';

/** An updated offer may come before this side has seen the nomination (RFC 8839 §4.4.2). */
const NOMINATION_MS_MAX = 2000;
const POLL_MS = 20;
/** After a restart, what is still on its way to the session before. */
const GRACE_MS = 1000;

export class Phone {
  readonly #options: PhoneOptions;
  readonly #media: PhoneMedia;
  /** In force; undefined: before the first description. */
  #session: PhoneSession | undefined;
  /** The one before a restart: media goes on there until the new one has a way. */
  #previous: PhoneSession | undefined;
  /** Offered with a restart, and not answered yet. */
  #offered: PhoneSession | undefined;
  #remote: ReadDescription | undefined;
  /** Who makes the first offer. */
  #isCaller: boolean | undefined;
  #version = 0;
  #isClosed = false;

  constructor(options: PhoneOptions) {
    this.#options = options;
    this.#media = new PhoneMedia(SYSTEM_CLOCK, options, {
      sendRtp: (bytes) => this.#way()?.sendRtp(bytes) ?? false,
      sendRtcp: (bytes) => this.#way()?.sendRtcp(bytes) ?? false,
    });
  }

  /** @throws Error (rejects) where nothing can be gathered */
  async offer(restart: boolean): Promise<string> {
    this.#isCaller ??= true;
    await this.#closeOffered();
    this.#media.awaitAnswer();
    if (this.#session && !restart) return this.#describe(this.#session, undefined);
    const session = await this.#gather(true);
    if (this.#session) this.#offered = session;
    else this.#session = session;
    return this.#describe(session, undefined);
  }

  /** @throws Error (rejects) where the offer cannot be answered */
  async answer(sdp: string): Promise<string> {
    this.#isCaller ??= false;
    await this.#closeOffered();
    const remote = readIceSdp(sdp);
    this.#hearWith(remote);
    const hasIce = remote.credentials !== undefined;
    const isFirst = this.#session === undefined;
    if (isFirst || this.#isRestartOf(remote)) this.#replaceSession(await this.#gather(hasIce));
    const session = this.#sessionInForce();
    const isUpdate = remote.remoteCandidates.length > 0;
    this.#take(session, remote);
    const answer = await this.#answerFrom(session, remote, isUpdate);
    this.#media.start();
    return answer;
  }

  /** @throws Error where the answer cannot be accepted */
  accept(sdp: string): void {
    const remote = readIceSdp(sdp);
    if (remote.line.port === 0) throw new Error('the answer refuses the audio line');
    if (!this.#session) throw new Error('an answer without an offer');
    this.#hearWith(remote);
    if (this.#offered) {
      this.#replaceSession(this.#offered);
      this.#offered = undefined;
    }
    this.#take(this.#sessionInForce(), remote);
    this.#media.start();
  }

  /** Null: nothing is selected, or it has no consent any more. */
  updatedOffer(): string | null {
    const session = this.#session;
    if (session?.ice !== 'concluded' || !session.conclusion) return null;
    this.#media.awaitAnswer();
    return this.#describe(session, session.conclusion, true);
  }

  status(): PhoneStatus {
    const session = this.#session;
    const signalled = this.#offered ?? session;
    return {
      ice: session?.ice ?? (this.#options.ice === 'none' ? 'none' : 'checking'),
      selected: selectedPair(session?.conclusion),
      candidates: (signalled?.candidates ?? []).map(({ type, place }) => ({ ...place, type: seenBy(type) })),
      ...this.#media.status(),
    };
  }

  /** Gives back all it holds. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#media.stop();
    const sessions = [this.#session, this.#previous, this.#offered];
    await Promise.all(sessions.map((session) => session?.close()));
  }

  /** @param hasIce the other side offers it, or nobody knows yet */
  async #gather(hasIce: boolean): Promise<PhoneSession> {
    const { address, ports, turn, ice } = this.#options;
    const options = {
      ...{ address, ports: PhonePorts.of(ports), turn, isControlling: this.#isCaller === true },
      media: this.#media,
    };
    const kind = hasIce ? ice : 'none';
    const session = await (kind === 'full'
      ? FullSession.gather(options)
      : kind === 'werift'
        ? WeriftSession.gather(options)
        : PlainSession.open(options));
    if (!this.#isClosed) return session;
    await session.close();
    throw new Error(`phone ${this.#options.phone} has hung up`);
  }

  /** By the session in force once it has a way, or where there is none before it. */
  #way(): PhoneSession | undefined {
    const previous = this.#previous;
    const canGoOn = previous !== undefined && previous.ice !== 'failed' && this.#session?.hasWay === false;
    return canGoOn ? previous : this.#session;
  }

  #sessionInForce(): PhoneSession {
    if (!this.#session) throw new Error('there is no call');
    return this.#session;
  }

  #isRestartOf({ credentials }: ReadDescription): boolean {
    const known = this.#remote?.credentials;
    return known !== undefined && credentials !== undefined && known.ufrag !== credentials.ufrag;
  }

  #replaceSession(session: PhoneSession): void {
    void this.#previous?.close();
    this.#previous = this.#session;
    this.#session = session;
    if (this.#previous) void this.#retire(this.#previous, session);
  }

  /** The session before goes once the new one is settled. */
  async #retire(previous: PhoneSession, session: PhoneSession): Promise<void> {
    while (session.ice === 'checking' && this.#previous === previous && !this.#isClosed) await delay(POLL_MS);
    await delay(GRACE_MS);
    if (this.#previous !== previous) return;
    this.#previous = undefined;
    await previous.close();
  }

  async #closeOffered(): Promise<void> {
    const offered = this.#offered;
    this.#offered = undefined;
    await offered?.close();
  }

  #take(session: PhoneSession, remote: ReadDescription): void {
    this.#remote = remote;
    session.take(remote);
  }

  async #answerFrom(session: PhoneSession, remote: ReadDescription, isUpdate: boolean): Promise<string> {
    if (!isUpdate) return this.#describe(session, undefined);
    const untilMs = SYSTEM_CLOCK.nowMs + NOMINATION_MS_MAX;
    while (!session.conclusion && SYSTEM_CLOCK.nowMs < untilMs) await delay(POLL_MS);
    return this.#describe(session, remote.credentials ? session.conclusion : undefined);
  }

  /** @throws Error where the other side has no key for this phone's suite */
  #hearWith(remote: ReadDescription): void {
    const { encryption } = this.#options;
    const isPlain = remote.line.protocol === 'RTP/AVP';
    if (isPlain !== (encryption === 'none'))
      throw new Error(`the other side has ${remote.line.protocol}, this phone ${encryption}`);
    if (encryption === 'none') return this.#media.hearWith(undefined);
    const key = remote.keys.find(({ suite }) => suite === encryption);
    if (!key) throw new Error(`the other side has no key of ${encryption}`);
    this.#media.hearWith(key.keyAndSalt);
  }

  /** @param selected the one pair to tell of; undefined: all candidates */
  #describe(session: PhoneSession, selected: Conclusion | undefined, isUpdatedOffer = false): string {
    const { encryption } = this.#options;
    const { keyAndSalt } = this.#media;
    const tag = this.#remote?.keys.find(({ suite }) => suite === encryption)?.tag ?? 1;
    const { credentials } = session;
    const candidates = selected ? [selected.local] : session.candidates;
    return writeIceSdp({
      version: ++this.#version,
      defaults: selected ? [selected.local.place] : session.defaults,
      key: keyAndSalt && { tag, suite: encryption, keyAndSalt },
      isRtcpMuxed: true,
      credentials,
      candidates: credentials ? candidates : [],
      remoteCandidates: selected && isUpdatedOffer ? [selected.remote] : [],
      ...(credentials && session.iceOptions ? { iceOptions: session.iceOptions } : {}),
    });
  }
}

function selectedPair(conclusion: Conclusion | undefined): SelectedPair | null {
  if (!conclusion) return null;
  const { local, remote } = conclusion;
  return {
    local: { ...local.place, type: seenBy(local.type) },
    remote: { ...remote.place, type: remote.type },
  };
}

/** An address that is neither the host's nor a relay's is a NAT's, whoever has told the phone of it. */
function seenBy(type: AgentCandidate['type']): PhoneCandidateType {
  return type === 'prflx' ? 'srflx' : type;
}
