/**
 * One call of a scenario, from the first offer to its record: places it, lets ICE conclude, watches what both phones
 * hear, calls again (a re-INVITE that restarts ICE) when they hear nothing any more, and hangs up.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { CallEnd, CallRow, LabListener } from '../events.ts';
import { errorLine } from '../lab-error.ts';
import { type LiveCall, type MediaPlane, type RecordedCall, sideOf } from '../media-plane/media-plane.ts';
import type { PhoneStatus } from '../phone/protocol.ts';
import type { CallPlan, Party } from '../scenario/scenario.ts';
import { type HomeName, type NatKind, PLACES } from '../topology.ts';
import { type FaultOutcome, judge, outcomeText } from './judge.ts';
import { hasTone, isSilent, lossBetween, pathText, SILENCE_MS, typeBySelection } from './observation.ts';
import type { Phone, Phones } from './phones.ts';
import { type CallSide, Signalling } from './signalling.ts';

const WATCH_MS = 250;
/** Checks that fail, a relay over TCP, and a machine that is busy. */
const CONCLUSION_MS_MAX = 15_000;
const RETRY_MS = 1000;
/** What a node's clock may be behind; two records of one call are seconds apart. */
const CLOCK_MS = 1000;

export interface LabCallOptions {
  readonly id: string;
  readonly callId: string;
  readonly plan: CallPlan;
  readonly nats: Readonly<Record<HomeName, NatKind>>;
  readonly plane: MediaPlane;
  readonly phones: Pick<Phones, 'open'>;
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
      // At once, so that no call that is opened meanwhile comes between their tones, which differ then.
      this.#phones = await Promise.all([open(plan.from), open(plan.to)]);
      await this.#exchange('caller', false);
      this.#tell({ state: 'checking' });
      this.#isWatched = true;
      this.#watching = this.#watch();
      this.#statuses = await this.#settle();
      this.measure();
      this.#tell({ state: 'talking' });
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Loss is counted from now on. */
  measure(): void {
    this.#baseline = this.#statuses;
    this.#loss = [null, null];
  }

  /** Loss counts no longer. */
  stopMeasuring(): void {
    this.#baseline = undefined;
  }

  /** From now on the call may be interrupted, and is called again when it is. */
  beginFault(): void {
    if (this.hasFailed) return;
    this.#faultMs = performance.now();
    this.#mayRestore = true;
    this.#outcome = { kind: 'unharmed' };
  }

  /** No more attempts: what is not restored is lost. */
  endFault(): void {
    this.#mayRestore = false;
    if (!this.#outcome) return;
    if (!this.isTalking) this.#outcome = { kind: 'lost' };
    this.#tell({ fault: outcomeText(this.#outcome) });
  }

  /** Hangs up, waits for the record, and says whether all came true. */
  async finish(): Promise<void> {
    this.#isWatched = false;
    this.#mayRestore = false;
    await this.#watching;
    await this.#restoring;
    const { callId, plane } = this.#options;
    const statuses = this.#statuses;
    const endsAtMs = Date.now() - CLOCK_MS;
    const isKnown = (await plane.records?.live(callId).catch(() => undefined)) !== undefined;
    await Promise.allSettled((this.#phones ?? []).map(({ host, phone }) => host.ask(phone, 'hangUp', {})));
    await this.#signalling.end();
    // A node that has been restarted has a record of the call before, which is the last one if it knows it no more.
    const record = await plane.records?.ended(callId, isKnown ? endsAtMs : 0).catch(() => undefined);
    this.#tellRecord(record);
    if (!this.hasFailed) this.#conclude(record, statuses);
  }

  #tellRecord(record: RecordedCall | undefined): void {
    if (!record) return;
    const { callType: got, evidence, packets } = record;
    const { caller, callee } = this.row;
    this.#tell({
      ...{ got, evidence },
      caller: { ...caller, planePackets: packets[0] },
      callee: { ...callee, planePackets: packets[1] },
    });
  }

  #conclude(record: RecordedCall | undefined, statuses: Both<PhoneStatus> | undefined): void {
    const keepsRecords = this.#options.plane.records !== undefined;
    const selected = statuses && typeBySelection(...statuses);
    const problems = judge({
      ...{ plan: this.plan, keepsRecords, record, selected, statuses },
      tonesHz: this.#phones?.map(({ toneHz }) => toneHz) ?? [],
      ...{ loss: this.#loss, outcome: this.#outcome },
    });
    // What the plane said while the call was up is no record.
    const unrecorded = keepsRecords
      ? { got: null, evidence: null }
      : { got: selected ?? null, evidence: 'endpoints' as const };
    this.#tell({
      ...{ state: 'ended', isRight: problems.length === 0, problems },
      ...(record ? {} : unrecorded),
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

  /**
   * Waits for ICE at both ends, has the caller tell what was selected, and waits until both hear each other.
   * @returns what both say then
   */
  async #settle(): Promise<Both<PhoneStatus>> {
    const [caller, callee] = this.#phones as Both<Phone>;
    await this.#until('ICE concludes at both ends', (statuses) => {
      const isDone = statuses.every(({ ice }) => ice === 'concluded' || ice === 'none');
      return isDone || statuses.some(({ ice }) => ice === 'failed');
    });
    const updated = await caller.host.ask(caller.phone, 'updatedOffer', {});
    if (updated) await this.#carry('caller', updated.sdp, caller, callee);
    return this.#until('both ends hear each other', (statuses) =>
      statuses.every(
        ({ silentMs, heardPackets }) => heardPackets > 0 && (silentMs ?? SILENCE_MS) < SILENCE_MS / 2,
      ),
    );
  }

  async #until(what: string, isTrue: (statuses: Both<PhoneStatus>) => boolean): Promise<Both<PhoneStatus>> {
    const deadlineMs = performance.now() + CONCLUSION_MS_MAX;
    for (;;) {
      const statuses = await this.#ask();
      if (isTrue(statuses)) return statuses;
      if (!this.#isWatched) throw new Error('the call is over');
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
        hearsTone: other !== undefined && !isSilent(status) && hasTone(status, other.toneHz),
        planePackets: this.#live?.packets[i] ?? end.planePackets,
      };
    });
    const [caller = this.row.caller, callee = this.row.callee] = ends;
    const selected = typeBySelection(...statuses);
    const got = this.#options.plane.records ? (this.#live?.callType ?? null) : (selected ?? null);
    this.#tell({ caller, callee, got, path: pathText(...statuses) });
    const isCut = statuses.some((status) => isSilent(status) || status.ice === 'failed');
    if (isCut && this.#mayRestore && !this.#restoring && this.row.state === 'talking') this.#restore();
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
    for (let tries = 1; this.#mayRestore && !this.hasFailed; tries++) {
      try {
        await this.#exchange(by, hasIce);
        const statuses = await this.#settle();
        if (!this.#mayRestore) return; // too late: the fault is over, and the call counts as lost
        this.#statuses = statuses;
        const seconds = (performance.now() - (this.#faultMs ?? 0)) / 1000;
        this.#outcome = { kind: 'recovered', seconds };
        this.#tell({ state: 'talking', fault: outcomeText(this.#outcome) });
        note(outcomeText(this.#outcome));
        return;
      } catch (error) {
        if (tries === 1) note(errorLine(error));
        await delay(RETRY_MS);
      }
    }
  }

  #fail(error: unknown): void {
    this.#tell({ state: 'failed', isRight: false, problems: [errorLine(error)] });
  }

  #end({ place, ice }: Party): CallEnd {
    const { home } = PLACES[place];
    return {
      ...{ place, nat: home ? this.#options.nats[home] : null, agent: ice },
      ...{ sentPackets: 0, heardPackets: 0, lossPercent: null, hearsTone: false, planePackets: null },
    };
  }

  /** What has failed stays so, for the first reason. */
  #tell(changed: Partial<CallRow>): void {
    const { state, isRight, problems } = this.row;
    const kept = this.hasFailed ? { state, isRight, problems } : {};
    this.row = { ...this.row, ...changed, ...kept };
    this.#options.listener({ event: 'call', row: this.row });
  }
}
