/** One call of real peers, from its start to its record: what both ends say of it is watched, told and judged. */
import { setTimeout as delay } from 'node:timers/promises';
import { judge } from '../call/judge.ts';
import { pathText, typeBySelection } from '../call/observation.ts';
import type { CallEnd, CallRow, LabListener } from '../events.ts';
import type { RecordedCall } from '../media-plane/media-plane.ts';
import type { CallPlan, Party } from '../scenario/scenario.ts';
import { type HomeName, type NatKind, PLACES } from '../topology.ts';
import type { Both, EndStatus, RealEnds } from './real-ends.ts';

const WATCH_MS = 500;
/** baresip tries every pair before it concludes: 18 s where it ends with two relays. */
const CONCLUSION_MS_MAX = 40_000;
const SILENCE_MS = 1000;

export interface RealCallOptions {
  readonly id: string;
  readonly plan: CallPlan;
  readonly nats: Readonly<Record<HomeName, NatKind>>;
  /** What its ends are called. */
  readonly agent: string;
  readonly ends: RealEnds;
  readonly listener: LabListener;
}

export class RealCall {
  /** The last that was told. */
  row: CallRow;
  readonly #options: RealCallOptions;
  #isWatched = false;
  #watching: Promise<void> = Promise.resolve();

  constructor(options: RealCallOptions) {
    this.#options = options;
    const { id, plan } = options;
    this.row = {
      ...{ id, title: plan.title, state: 'waiting', expected: plan.expect, got: null, evidence: null },
      ...{ caller: this.#end(plan.from), callee: this.#end(plan.to), path: '' },
      ...{ fault: null, isRight: null, problems: [] },
    };
    this.#tell({});
  }

  get hasFailed(): boolean {
    return this.row.state === 'failed';
  }

  /** Places the call and waits until it talks on its final path; what goes wrong is told by its row. */
  async establish(): Promise<void> {
    try {
      this.#tell({ state: 'ringing' });
      await this.#options.ends.call();
      this.#tell({ state: 'checking' });
      await this.#settle();
      this.#tell({ state: 'talking' });
      this.#isWatched = true;
      this.#watching = this.#watch();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Hangs up, waits for the record, and says whether all came true. */
  async finish(): Promise<void> {
    const { ends } = this.#options;
    this.#isWatched = false;
    await this.#watching;
    try {
      if (this.hasFailed) return;
      const others = await ends.problems();
      const statuses = await ends.hangUp();
      this.#conclude(statuses, await ends.record(), others);
    } catch (error) {
      this.#fail(error);
    } finally {
      await ends.close();
    }
  }

  #conclude(
    statuses: Both<EndStatus>,
    record: RecordedCall | null | undefined,
    others: readonly string[],
  ): void {
    const { plan, ends } = this.#options;
    const selected = typeBySelection(...statuses);
    const loss = [lossOf(statuses[0]), lossOf(statuses[1])] as const;
    const keepsRecords = record !== null;
    const problems = judge({
      ...{ plan, keepsRecords, record: record ?? undefined, selected },
      ...{ statuses, tonesHz: ends.tonesHz, loss, outcome: undefined },
    });
    problems.push(...others);
    const [caller, callee] = this.#observed(statuses);
    const [callerPackets = null, calleePackets = null] = record?.packets ?? [];
    this.#tell({
      ...{ state: 'ended', isRight: problems.length === 0, problems },
      got: record?.callType ?? (keepsRecords ? null : (selected ?? null)),
      evidence: record?.evidence ?? (keepsRecords ? null : 'endpoints'),
      caller: { ...caller, lossPercent: loss[0], planePackets: callerPackets },
      callee: { ...callee, lossPercent: loss[1], planePackets: calleePackets },
    });
  }

  /** Waits for ICE at both ends, and until both hear each other. */
  async #settle(): Promise<void> {
    const deadlineMs = performance.now() + CONCLUSION_MS_MAX;
    for (;;) {
      const statuses = await this.#look();
      if (statuses.every(isTalking)) return;
      if (performance.now() > deadlineMs) {
        const seen = statuses.map(({ ice, heardPackets }) => `ICE ${ice}, ${heardPackets} packets heard`);
        throw new Error(
          `no talk within ${CONCLUSION_MS_MAX / 1000} s (caller: ${seen[0]}; callee: ${seen[1]})`,
        );
      }
      await delay(WATCH_MS);
    }
  }

  async #watch(): Promise<void> {
    try {
      while (this.#isWatched) {
        await this.#look();
        await delay(WATCH_MS);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  async #look(): Promise<Both<EndStatus>> {
    const { ends } = this.#options;
    const statuses = await ends.status();
    const live = await ends.live().catch(() => undefined);
    const [caller, callee] = this.#observed(statuses);
    this.#tell({
      caller: { ...caller, planePackets: live?.packets[0] ?? caller.planePackets },
      callee: { ...callee, planePackets: live?.packets[1] ?? callee.planePackets },
      got: live?.callType ?? this.row.got,
      path: pathText(...statuses),
    });
    return statuses;
  }

  #observed(statuses: Both<EndStatus>): Both<CallEnd> {
    const seen = (end: CallEnd, status: EndStatus): CallEnd => ({
      ...end,
      ...{ sentPackets: status.sentPackets, heardPackets: status.heardPackets },
      lossPercent: lossOf(status),
      hearsTone: status.heardToneHz !== null,
    });
    return [seen(this.row.caller, statuses[0]), seen(this.row.callee, statuses[1])];
  }

  #fail(error: unknown): void {
    const problem = error instanceof Error ? error.message : String(error);
    this.#tell({ state: 'failed', isRight: false, problems: [problem] });
  }

  #end({ place }: Party): CallEnd {
    const { home } = PLACES[place];
    return {
      ...{ place, nat: home ? this.#options.nats[home] : null, agent: this.#options.agent },
      ...{ sentPackets: 0, heardPackets: 0, lossPercent: null, hearsTone: false, planePackets: null },
    };
  }

  #tell(changed: Partial<CallRow>): void {
    this.row = { ...this.row, ...changed };
    this.#options.listener({ event: 'call', row: this.row });
  }
}

function isTalking({ ice, silentMs, heardToneHz }: EndStatus): boolean {
  const isDone = ice === 'concluded' || ice === 'none';
  return isDone && heardToneHz !== null && silentMs !== null && silentMs < SILENCE_MS;
}

/** Percent; null: it does not tell, or has heard nothing. */
function lossOf({ heardPackets, lostPackets }: EndStatus): number | null {
  return lostPackets === null || heardPackets === 0
    ? null
    : (100 * lostPackets) / (heardPackets + lostPackets);
}
