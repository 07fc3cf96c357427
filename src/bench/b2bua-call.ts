/**
 * One call as the SIP proxy and its two endpoints see it, without sockets or clocks: offer, answer and
 * delete over the `ng` protocol, with the SDP and keys of both endpoints. Nothing of SIP takes part.
 */
import { randomFillSync } from 'node:crypto';
import type { SdesCrypto } from '../b2bua/sdes.ts';
import type { SrtpSuite } from '../b2bua/srtp/suites.ts';
import {
  chooseCrypto,
  type LocalMedia,
  type MasterKey,
  type RemoteMedia,
  readSdp,
  SdpMismatchError,
  writeSdp,
} from './b2bua-sdp.ts';
import { type NgCommand, readNgReply, writeNgCommand } from './ng-message.ts';
import type { RequestClient, RequestOutcome } from './request-window.ts';

/** `establish`: offer and answer. `release`: delete. `cycle`: all three. */
export type CallOperation = 'establish' | 'release' | 'cycle';
export type CallCommand = 'offer' | 'answer' | 'delete';

/** The `ng` protocol's retransmission as proxies do it: after 1 s, five times in all. */
export const NG_WAITS_MS: readonly number[] = [1000, 1000, 1000, 1000, 1000];

/** More than {@link CallSettings.runName} with the numbers of call and command, and a space. */
const COOKIE_BYTES_MAX = 64;

/** What the calls of a run share. */
export interface CallSettings {
  /** Begins cookies and call-ids, and tells this run's from any other's; no spaces. */
  readonly runName: string;
  readonly caller: SrtpSuite | null;
  readonly callee: SrtpSuite | null;
  readonly zones: readonly [caller: string, callee: string] | null;
}

/** Where an endpoint of the call is. */
export interface CallEndpoint {
  readonly address: string;
  readonly port: number;
}

/** What one endpoint needs to send and receive. */
export interface EndpointMedia {
  /** Where it sends to. */
  readonly remote: CallEndpoint;
  /** Null: plain RTP. */
  readonly srtp: {
    readonly suite: SrtpSuite;
    readonly sends: MasterKey;
    readonly receives: SdesCrypto;
  } | null;
}

export interface CallMedia {
  readonly caller: EndpointMedia;
  readonly callee: EndpointMedia;
}

export class B2buaCall implements RequestClient<CallOperation> {
  request: Uint8Array = new Uint8Array(0);
  failure = '';
  /** Of {@link request}. */
  command: CallCommand = 'offer';
  /** Both endpoints' media once the call is established. */
  media: CallMedia | undefined;
  /** The engine offered the caller's own key to the callee: it forwards without cryptography. */
  isKeyPassedThrough = false;

  readonly #settings: CallSettings;
  readonly #index: number;
  readonly #callerAt: CallEndpoint;
  readonly #calleeAt: CallEndpoint;
  readonly #callId: string;
  #operation: CallOperation = 'establish';
  #cookie = '';
  #commands = 0;
  #isWaiting = false;
  /** The engine may know the call: an offer was sent, and no delete has been answered since. */
  #isKnown = false;
  #callerKey: MasterKey | undefined;
  #calleeKey: MasterKey | undefined;
  /** What the engine offered the callee, and what of it the callee took. */
  #offered: RemoteMedia | undefined;
  #chosen: SdesCrypto | null = null;

  /** `index`: 0 or more, told back by {@link callOfReply}. */
  constructor(settings: CallSettings, index: number, callerAt: CallEndpoint, calleeAt: CallEndpoint) {
    this.#settings = settings;
    this.#index = index;
    this.#callerAt = callerAt;
    this.#calleeAt = calleeAt;
    this.#callId = `${settings.runName}-${index}@bench`;
  }

  canBegin(operation: CallOperation): boolean {
    return operation !== 'release' || this.#isKnown;
  }

  begin(operation: CallOperation): void {
    this.#operation = operation;
    if (operation === 'release') this.#delete();
    else this.#offer();
  }

  abandon(reason: string): void {
    this.#isWaiting = false;
    this.failure = `${this.command}: ${reason}`;
  }

  receive(bytes: Uint8Array, offset: number, length: number): RequestOutcome {
    const reply = this.#isWaiting ? readNgReply(bytes, offset, length, this.#cookie) : undefined;
    if (!reply) return 'unrelated';
    this.#isWaiting = false;
    if (reply.failure !== undefined) return this.#fail(reply.failure);
    try {
      return this.#proceed(reply.sdp ?? '');
    } catch (error) {
      if (error instanceof SdpMismatchError) return this.#fail(error.message);
      throw error;
    }
  }

  #proceed(sdp: string): RequestOutcome {
    if (this.command === 'offer') {
      this.#answer(readSdp(sdp));
      return 'again';
    }
    if (this.command === 'answer') {
      this.#connect(readSdp(sdp));
      if (this.#operation === 'establish') return 'done';
      this.#delete();
      return 'again';
    }
    this.#isKnown = false;
    return 'done';
  }

  #fail(reason: string): RequestOutcome {
    this.abandon(reason);
    return 'failed';
  }

  #offer(): void {
    const { caller, callee, zones } = this.#settings;
    this.#isKnown = true;
    this.#callerKey = caller ? freshKey(caller) : undefined;
    this.#send('offer', {
      sdp: this.#sdp(this.#callerAt, caller, 1, this.#callerKey),
      'transport-protocol': callee ? 'RTP/SAVP' : 'RTP/AVP',
      ...(zones ? { direction: zones } : {}),
    });
  }

  /** The callee takes the wanted suite, with the tag it was offered under (RFC 4568 §5.1.2). */
  #answer(offered: RemoteMedia): void {
    const { callee, zones } = this.#settings;
    const chosen = chooseCrypto(offered, callee);
    this.#offered = offered;
    this.#chosen = chosen;
    this.#calleeKey = callee ? freshKey(callee) : undefined;
    this.isKeyPassedThrough =
      chosen !== null && this.#callerKey !== undefined && isSameKey(chosen, this.#callerKey);
    this.#send('answer', {
      'to-tag': 'callee',
      sdp: this.#sdp(this.#calleeAt, callee, chosen?.tag ?? 0, this.#calleeKey),
      ...(zones ? { direction: zones } : {}),
    });
  }

  #connect(answered: RemoteMedia): void {
    const { caller, callee } = this.#settings;
    const toCaller = chooseCrypto(answered, caller);
    this.media = {
      caller: endpointMedia(answered, caller, this.#callerKey, toCaller),
      callee: endpointMedia(this.#offered as RemoteMedia, callee, this.#calleeKey, this.#chosen),
    };
  }

  #delete(): void {
    this.#send('delete', { 'to-tag': 'callee', 'delete delay': 0 });
  }

  #send(command: CallCommand, more: NgCommand): void {
    this.command = command;
    this.#cookie = `${this.#settings.runName}_${this.#index}_${this.#commands++}`;
    this.#isWaiting = true;
    const isOfferOrAnswer = command !== 'delete';
    this.request = writeNgCommand(this.#cookie, {
      command,
      'call-id': this.#callId,
      'from-tag': 'caller',
      ...(isOfferOrAnswer
        ? {
            ICE: 'remove',
            DTLS: 'off',
            replace: ['origin'],
            flags: ['trust-address'],
            supports: ['load limit'],
          }
        : {}),
      ...more,
    });
  }

  #sdp(at: CallEndpoint, suite: SrtpSuite | null, tag: number, master: MasterKey | undefined): string {
    const local: LocalMedia = { ...at, crypto: suite && master ? { tag, suite, master } : null };
    return writeSdp(local);
  }
}

/** The index of the call whose cookie a datagram begins with; -1 if it has none. Whether it answers, the call tells. */
export function callOfReply(bytes: Uint8Array, offset: number, length: number): number {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset + offset, Math.min(length, COOKIE_BYTES_MAX));
  const match = /^[^ _]+_(\d+)_\d+ /.exec(start.toString('latin1'));
  return match ? Number(match[1]) : -1;
}

function endpointMedia(
  remote: RemoteMedia,
  suite: SrtpSuite | null,
  sends: MasterKey | undefined,
  receives: SdesCrypto | null,
): EndpointMedia {
  const srtp = suite && sends && receives ? { suite, sends, receives } : null;
  return { remote: { address: remote.address, port: remote.port }, srtp };
}

function freshKey(suite: SrtpSuite): MasterKey {
  return {
    key: randomFillSync(new Uint8Array(suite.keyBytes)),
    salt: randomFillSync(new Uint8Array(suite.saltBytes)),
  };
}

function isSameKey({ keys }: SdesCrypto, { key }: MasterKey): boolean {
  const [first] = keys;
  return first !== undefined && Buffer.compare(first.masterKey, key) === 0;
}
