/**
 * One call of a scenario, from the first offer to its record: places it, lets ICE conclude, watches what both phones
 * hear, calls again (a re-INVITE that restarts ICE) when they hear nothing any more, and hangs up.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { CallEnd, CallRow, LabListener } from '../events.ts';
import { type LiveCall, type MediaPlane, type RecordedCall, sideOf } from '../media-plane/media-plane.ts';
import type { PhoneStatus } from '../phone/protocol.ts';
import type { CallPlan, Party } from '../scenario/scenario.ts';
import { type HomeName, type NatKind, PLACES } from '../topology.ts';
import { type FaultOutcome, judge, outcomeText } from './judge.ts';
import { lossBetween, pathText, typeBySelection } from './observation.ts';
import type { Phone, Phones } from './phones.ts';
import { type CallSide, Signalling } from './signalling.ts';

const WATCH_MS = 250;
/** Checks that fail, a relay over TCP, and a machine that is busy. */
const CONCLUSION_MS_MAX = 15_000;
/** Silence at either end after which a call counts as interrupted, and is called again. */
const SILENCE_MS = 2000;
const RETRY_MS = 1000;

export interface LabCallOptions {
  readonly id: string;
  readonly callId: string;
  readonly plan: CallPlan;
  readonly nats: Readonly<Record<HomeName, NatKind>>;
  readonly plane: MediaPlane;
  readonly phones: Phones;
  readonly listener: LabListener;
}

/** Both ends, the caller first. */
type Both<Value> = readonly [caller: Value, callee: Value];

export class LabCall {
  readonly plan: CallPlan;
  /** The last that was told. */
  row: CallRow;
  readonly #options: LabCallOptions;
  readonly #signalling: Signalling;
  #phones: Both<Phone> | undefined;
  #statuses: Both<PhoneStatus> | undefined;
  /** What loss is counted from. */
  #baseline: Both<PhoneStatus> | undefined;
  #loss: Both<number | null> = [null, null];
  #live: LiveCall | undefined;
  #watching: Promise<void> = Promise.resolve();
  #isWatched = false;
  #restoring: Promise<void> | undefined;
  #mayRestore = false;
  #faultMs: number | undefined;
  #outcome: FaultOutcome | undefined;

  constructor(options: LabCallOptions) {
    this.#options = options;
    this.plan = options.plan;
    const { plan, plane, id } = options;
    const hops = plane.hops(sideOf(plan.from.place), sideOf(plan.to.place));
    this.#signalling = new Signalling(options.callId, hops);
    this.row = {
      ...{
        id,
        title: plan.title,
        state: 'waiting',
        expected: plan.expect,
        got: null,
        evidence: null,
        path: '',
      },
      ...{ caller: this.#end(plan.from), callee: this.#end(plan.to) },
      ...{ fault: null, isRight: null, problems: [] },
    };
    this.#tell({});
  }

  get hasFailed(): boolean {
    return this.row.state === 'failed';
  }

  /** Both hear each other, on the path that ICE has selected where there is ICE. */
  get isTalking(): boolean {
    return this.row.state === 'talking';
  }

  /** Places the call and waits until it talks on its final path; what goes wrong is told by its row. */
  async establish(): Promise<void> {
    try {
      this.#tell({ state: 'ringing' });
      const { plan, phones, plane } = this.#options;
      const open = ({ place, ice, encryption, turn }: Party): Promise<Phone> =>
        phones.open(place, {
          ice,
          encryption,
          ...(turn ? { turn: { ...plane.turn, transport: 'auto' } } : {}),
        });
      this.#phones = [await open(plan.from), await open(plan.to)];
      await this.#exchange('caller', false);
      this.#tell({ state: 'checking' });
      this.#isWatched = true;
      this.#watching = this.#watch();
      await this.#settle();
      this.#tell({ state: 'talking' });
      this.#statuses = await this.#ask();
      this.measure();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Loss is counted from now on. */
  measure(): void {
    this.#baseline = this.#statuses;
  }

  /** Loss counts no longer. */
  stopMeasuring(): void {
    this.#baseline = undefined;
  }

  /** From now on the call may be interrupted, and is called again when it is. */
  beginFault(): void {
    this.#faultMs = performance.now();
    this.#mayRestore = true;
    this.#outcome = { kind: 'unharmed' };
  }

  /** No more attempts: what is not restored is lost. */
  endFault(): void {
    this.#mayRestore = false;
    if (this.row.state === 'interrupted') this.#outcome = { kind: 'lost' };
    if (this.#outcome) this.#tell({ fault: outcomeText(this.#outcome) });
  }

  /** Hangs up, waits for the record, and says whether all came true. */
  async finish(): Promise<void> {
    this.#isWatched = false;
    await this.#watching;
    await this.#restoring;
    const { plane, callId } = this.#options;
    const heard = this.#statuses;
    await Promise.allSettled((this.#phones ?? []).map(({ host, phone }) => host.ask(phone, 'hangUp', {})));
    await this.#signalling.end();
    if (this.hasFailed) return;
    const record = await plane.records?.ended(callId).catch(() => undefined);
    this.#end(this.plan.from);
    this.#conclude(record, heard);
  }

  #conclude(record: RecordedCall | undefined, statuses: Both<PhoneStatus> | undefined): void {
    const { plane } = this.#options;
    const selected = statuses && typeBySelection(...statuses);
    const problems = judge({
      plan: this.plan,
      keepsRecords: plane.records !== undefined,
      record,
      selected,
      statuses,
      tonesHz: this.#phones?.map(({ toneHz }) => toneHz) ?? [],
      loss: this.#loss,
      outcome: this.#outcome,
    });
    const [caller, callee] = record?.packets ?? [null, null];
    this.#tell({
      ...{ state: 'ended', isRight: problems.length === 0, problems },
      got: record?.callType ?? (plane.records ? null : (selected ?? null)),
      evidence: record?.evidence ?? (plane.records ? null : 'endpoints'),
      caller: { ...this.row.caller, planePackets: caller ?? this.row.caller.planePackets },
      callee: { ...this.row.callee, planePackets: callee ?? this.row.callee.planePackets },
    });
  }

  /** An offer by either side, through all hops, and the answer back. */
  async #exchange(by: CallSide, restart: boolean): Promise<void> {
    const [caller, callee] = this.#phones as Both<Phone>;
    const [from, to] = by === 'caller' ? [caller, callee] : [callee, caller];
    const { sdp: offer } = await from.host.ask(from.phone, 'offer', { restart });
    await this.#carry(by, offer, from, to);
  }

  async #carry(by: CallSide, offer: string, from: Phone, to: Phone): Promise<void> {
    const answer = await this.#signalling.exchange(by, offer, async (sdp) => {
      const answered = await to.host.ask(to.phone, 'answer', { sdp });
      return answered.sdp;
    });
    await from.host.ask(from.phone, 'accept', { sdp: answer });
  }

  /** Waits for ICE at both ends, has the caller tell what was selected, and waits until both hear each other. */
  async #settle(): Promise<void> {
    const [caller, callee] = this.#phones as Both<Phone>;
    await this.#until('ICE concludes at both ends', (statuses) => {
      const isDone = statuses.every(({ ice }) => ice === 'concluded' || ice === 'none');
      return isDone || statuses.some(({ ice }) => ice === 'failed');
    });
    const updated = await caller.host.ask(caller.phone, 'updatedOffer', {});
    if (updated) await this.#carry('caller', updated.sdp, caller, callee);
    await this.#until('both ends hear each other', (statuses) =>
      statuses.every(
        ({ silentMs, heardPackets }) => heardPackets > 0 && (silentMs ?? SILENCE_MS) < SILENCE_MS / 2,
      ),
    );
  }

  async #until(what: string, isTrue: (statuses: Both<PhoneStatus>) => boolean): Promise<void> {
    const deadlineMs = performance.now() + CONCLUSION_MS_MAX;
    for (;;) {
      const statuses = await this.#ask();
      if (isTrue(statuses)) return;
      if (performance.now() > deadlineMs) {
        const seen = statuses.map(({ ice, heardPackets }) => `ICE ${ice}, ${heardPackets} packets heard`);
        throw new Error(
          `not within ${CONCLUSION_MS_MAX / 1000} s: ${what} (caller: ${seen[0]}; callee: ${seen[1]})`,
        );
      }
      await delay(WATCH_MS / 2);
    }
  }

  async #ask(): Promise<Both<PhoneStatus>> {
    const [caller, callee] = this.#phones as Both<Phone>;
    const status = ({ host, phone }: Phone): Promise<PhoneStatus> => host.ask(phone, 'status', {});
    return Promise.all([status(caller), status(callee)]);
  }

  async #watch(): Promise<void> {
    while (this.#isWatched) {
      try {
        const statuses = await this.#ask();
        this.#statuses = statuses;
        const { records } = this.#options.plane;
        // A plane that is just being restarted says nothing, and what it said before stays.
        this.#live = (await records?.live(this.#options.callId).catch(() => undefined)) ?? this.#live;
        this.#observe(statuses);
      } catch (error) {
        return this.#fail(error);
      }
      await delay(WATCH_MS);
    }
  }

  #observe(statuses: Both<PhoneStatus>): void {
    if (this.#baseline) this.#loss = lossBetween(this.#baseline, statuses);
    const ends = statuses.map((status, i): CallEnd => {
      const end = i === 0 ? this.row.caller : this.row.callee;
      const other = this.#phones?.[1 - i];
      return {
        ...end,
        ...{ sentPackets: status.sentPackets, heardPackets: status.heardPackets },
        lossPercent: this.#loss[i] ?? null,
        hearsTone: other !== undefined && isTone(status.heardToneHz, other.toneHz),
        planePackets: this.#live?.packets[i] ?? end.planePackets,
      };
    });
    const [caller = this.row.caller, callee = this.row.callee] = ends;
    const selected = typeBySelection(...statuses);
    const got = this.#options.plane.records ? (this.#live?.callType ?? null) : (selected ?? null);
    this.#tell({ caller, callee, got, path: pathText(...statuses) });
    const isSilent = statuses.some(({ silentMs, ice }) => (silentMs ?? 0) > SILENCE_MS || ice === 'failed');
    if (isSilent && this.#mayRestore && !this.#restoring && this.row.state === 'talking') this.#restore();
  }

  /** Calls again until both hear each other, or nobody waits for it any more. */
  #restore(): void {
    this.#tell({ state: 'interrupted' });
    this.#restoring = this.#tryAgain().finally(() => {
      this.#restoring = undefined;
    });
  }

  async #tryAgain(): Promise<void> {
    const { listener, id } = this.#options;
    const note = (text: string): void => listener({ event: 'note', text: `call ${id}: ${text}` });
    const { from, to } = this.plan;
    // Who has ICE starts it anew: new sockets, and a new relay, which may be gone even where ICE is not in use.
    const by = from.ice === 'none' && to.ice !== 'none' ? 'callee' : 'caller';
    const hasIce = (by === 'caller' ? from : to).ice !== 'none';
    note(`nothing is heard; re-INVITE by the ${by}${hasIce ? ' with an ICE restart' : ''}`);
    for (let tries = 1; this.#mayRestore; tries++) {
      try {
        await this.#exchange(by, hasIce);
        await this.#settle();
        const seconds = (performance.now() - (this.#faultMs ?? 0)) / 1000;
        this.#outcome = { kind: 'recovered', seconds };
        this.#tell({ state: 'talking', fault: outcomeText(this.#outcome) });
        note(`${outcomeText(this.#outcome)}`);
        return;
      } catch (error) {
        if (tries === 1) note(error instanceof Error ? error.message : String(error));
        await delay(RETRY_MS);
      }
    }
  }

  #fail(error: unknown): void {
    const problem = error instanceof Error ? error.message : String(error);
    this.#tell({ state: 'failed', isRight: false, problems: [problem] });
  }

  #end({ place, ice }: Party): CallEnd {
    const { home } = PLACES[place];
    return {
      ...{ place, nat: home ? this.#options.nats[home] : null, agent: ice },
      ...{ sentPackets: 0, heardPackets: 0, lossPercent: null, hearsTone: false, planePackets: null },
    };
  }

  #tell(changed: Partial<CallRow>): void {
    this.row = { ...this.row, ...changed };
    this.#options.listener({ event: 'call', row: this.row });
  }
}

const TONE_TOLERANCE_HZ = 20;

function isTone(heardHz: number | null, saidHz: number): boolean {
  return heardHz !== null && Math.abs(heardHz - saidHz) <= TONE_TOLERANCE_HZ;
}
