/**
 * From a call that has ended to what is kept of it: asks the TURN servers what went through their relays,
 * judges the path by that, and hands the record on.
 */
import { randomUUID } from 'node:crypto';
import type { EndedCall } from '../b2bua/ended-call.ts';
import type { KnownAddresses } from '../b2bua/own-addresses.ts';
import type { PathObservation, RelayFlow } from '../ice/path.ts';
import { judgePath } from '../ice/path-evidence.ts';
import type { CallRecord } from '../metrics/call-record.ts';
import type { RelayAnswer } from './peer-client.ts';

/**
 * Fewer packets each way are no media: connectivity checks use every pair, the one that was selected or not
 * (RFC 8445 §6.1.4.2 repeats a check up to 7 times, and consent adds one every 5 s).
 */
const MEDIA_PACKETS_MIN = 20;

/**
 * Fewer packets one way alone tell nothing either: while checks go on, one side may already speak by a pair that it
 * leaves again. So many are 5 s of a voice in packets of 20 ms.
 */
const ONE_WAY_PACKETS_MIN = 250;

export interface CallRecorderOptions {
  /** What TURN servers know of relayed addresses (`ip:port`); undefined of one: somebody did not answer. */
  relayEvidence(addresses: readonly string[]): Promise<ReadonlyMap<string, RelayAnswer>>;
  readonly own: KnownAddresses;
  /** Whether there are nodes of ours whose relayed addresses are not known: any relay may then be one of theirs. */
  hasStrangers(): boolean;
  record(call: CallRecord): void;
}

export class CallRecorder {
  readonly #options: CallRecorderOptions;
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: CallRecorderOptions) {
    this.#options = options;
  }

  ended(call: EndedCall): void {
    const done: Promise<void> = this.#record(call).finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
  }

  /** Resolves when every call that has ended is recorded. */
  async drain(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #record(call: EndedCall): Promise<void> {
    const { ownRelays } = call.conclusion;
    const answers = ownRelays.length > 0 ? await this.#options.relayEvidence(ownRelays) : new Map();
    this.#options.record(this.#recordOf(call, relayFlows(answers)));
  }

  #recordOf(call: EndedCall, relays: PathObservation['relays']): CallRecord {
    const { own, hasStrangers } = this.#options;
    const verdict = judgePath(call.conclusion, { ...call.observation, relays }, own);
    const isUnasked = verdict.callType.includes('relay') && hasStrangers();
    return {
      uuid: randomUUID(),
      callId: call.callId,
      startTime: new Date(call.startUnixMs).toISOString(),
      endTime: new Date(call.endUnixMs).toISOString(),
      connected: call.isConnected,
      disconnectReason: call.reason,
      sourceZone: call.sourceZone,
      destinationZone: call.destinationZone,
      icePassthroughCallType: verdict.callType,
      evidence: isUnasked ? 'unknown' : verdict.evidence,
      mixed: verdict.isMixed,
      reason: verdict.reason,
      iceConfigured: call.isIceConfigured,
      sidesWithCandidates: call.conclusion.sidesWithCandidates,
      media: call.media.map(({ type, legs }, i) => ({
        type,
        selected: verdict.lines[i]?.selected ?? { caller: null, callee: null },
        legs,
      })),
    };
  }
}

/** What carried media; undefined where somebody who may know did not answer. */
export function relayFlows(answers: ReadonlyMap<string, RelayAnswer>): RelayFlow[] | undefined {
  const flows: RelayFlow[] = [];
  for (const [relay, evidence] of answers) {
    if (evidence === undefined) return undefined;
    for (const { address: peer, toPeer, fromPeer } of evidence?.peers ?? []) {
      const isOneWay = Math.min(toPeer, fromPeer) < MEDIA_PACKETS_MIN;
      if (isOneWay && Math.max(toPeer, fromPeer) < ONE_WAY_PACKETS_MIN) continue;
      flows.push({ relay, peer, isOneWay });
    }
  }
  return flows;
}
