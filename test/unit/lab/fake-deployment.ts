/**
 * A deployment for calls of the lab, in which nothing is real but the lab's own code: phones that say what a test has
 * them say, a media plane that keeps records, a network that is asked to do things. Its time is that of fake timers.
 */
import { vi } from 'vitest';
import type { Phone, Phones } from '../../../lab/call/phones.ts';
import type { CallType, LabEvent } from '../../../lab/events.ts';
import type { MediaPlane, PlaneFaults, RecordedCall } from '../../../lab/media-plane/media-plane.ts';
import type { NgDictionary } from '../../../lab/media-plane/ng-client.ts';
import type { LabNetwork } from '../../../lab/network/network.ts';
import type { PhoneCommand, PhoneStatus } from '../../../lab/phone/protocol.ts';
import type { ScenarioRun } from '../../../lab/run-scenario.ts';
import { loadScenario } from '../../../lab/scenario/read-scenario.ts';

const PACKET_MS = 20;
const RECORD_MS = 400;

/** Of one end of a call. */
class FakePhone {
  readonly name: string;
  readonly toneHz: number;
  readonly address: { address: string; port: number };
  other: FakePhone | undefined;
  readonly asked: PhoneCommand[] = [];
  isCut = false;
  /** The error that it answers with, where it does. */
  gone: string | undefined;
  /** By all that it has been asked. */
  isGone: (asked: readonly PhoneCommand[]) => boolean = () => true;
  #heardMs = 0;
  #lostMs = 0;
  #silentSinceMs: number | undefined;
  #atMs = 0;

  constructor(name: string, number: number) {
    this.name = name;
    this.toneHz = 400 + 100 * number;
    this.address = { address: '203.0.113.2', port: 40_000 + number };
  }

  start(): void {
    if (this.#silentSinceMs === undefined) this.#atMs = performance.now();
    this.#silentSinceMs ??= performance.now();
  }

  /** Lets the time pass since it was last looked at: all of it was heard, or nothing. */
  advance(): void {
    const nowMs = performance.now();
    if (this.#silentSinceMs === undefined) return;
    if (this.isCut) this.#lostMs += nowMs - this.#atMs;
    else {
      this.#heardMs += nowMs - this.#atMs;
      this.#silentSinceMs = nowMs;
    }
    this.#atMs = nowMs;
  }

  status(): PhoneStatus {
    this.advance();
    const heardPackets = Math.floor(this.#heardMs / PACKET_MS);
    const isUp = this.#silentSinceMs !== undefined;
    const { other } = this;
    const selected = other && {
      local: { ...this.address, type: 'srflx' as const },
      remote: { ...other.address, type: 'srflx' as const },
    };
    return {
      ice: isUp ? 'concluded' : 'checking',
      selected: (isUp && selected) || null,
      candidates: [{ ...this.address, type: 'srflx' }],
      ...{ sentPackets: heardPackets, heardPackets, garbledPackets: 0, jitterMs: 0 },
      // As of a phone: what was lost shows when something is heard after it.
      lostPackets: this.isCut ? 0 : Math.floor(this.#lostMs / PACKET_MS),
      silentMs: this.#silentSinceMs === undefined ? null : performance.now() - this.#silentSinceMs,
      heardToneHz: heardPackets > 10 ? (other?.toneHz ?? null) : null,
      ...{ rtcpSent: 1, rtcpHeard: 1, reportedLossPercent: null, heardFrom: null },
    };
  }
}

interface FakeRecord extends RecordedCall {
  readonly endUnixMs: number;
}

export class FakeDeployment {
  readonly events: LabEvent[] = [];
  readonly phones: FakePhone[] = [];
  /** What the network and the plane were asked for, as `setLoss B 10`. */
  readonly deeds: string[] = [];
  readonly commands: NgDictionary[] = [];
  readonly records: FakeRecord[] = [];
  /** Answers some of what is asked by an error: of a deed, or of an ng command. */
  refusal: (what: string) => string | undefined = () => undefined;
  metricsProblems: () => readonly string[] = () => [];
  opened: (phone: FakePhone) => void = () => {};
  /** Called when a re-INVITE has been answered. */
  reinvited: () => void = () => {};
  /** Call-ids that the plane knows. */
  readonly #up = new Set<string>();

  /** Cuts both directions of a call, by its place among the opened, or makes them whole again. */
  cut(isCut: boolean, callNumber: number = 1): void {
    for (const phone of this.phonesOf(callNumber)) {
      phone.advance();
      phone.isCut = isCut;
    }
  }

  phonesOf(callNumber: number): readonly FakePhone[] {
    return this.phones.slice(2 * callNumber - 2, 2 * callNumber);
  }

  /** The plane ends all calls with records, and knows them no more. */
  restartPlane(): void {
    for (const callId of this.#up) this.#record(callId);
  }

  run(steps: string): ScenarioRun {
    const scenario = loadScenario(`{ title: Test, talkSeconds: 5, steps: ${steps} }`, 'test.yaml');
    return {
      ...{ scenario, network: this.#network(), plane: this.#plane(), pageUrl: null, directory: '/nowhere' },
      listener: (event) => void this.events.push(event),
    };
  }

  phoneSource(): Pick<Phones, 'open' | 'close'> {
    return {
      open: async (place) => this.#open(place),
      close: async () => this.#do('phones closed'),
    };
  }

  async #open(place: Phone['place']): Promise<Phone> {
    const fake = new FakePhone(`${place}-${this.phones.length}`, this.phones.length);
    const neighbour = this.phones.length % 2 === 1 ? this.phones.at(-1) : undefined;
    this.phones.push(fake);
    this.opened(fake);
    if (neighbour) [fake.other, neighbour.other] = [neighbour, fake];
    const ask = async (_: string, command: PhoneCommand): Promise<unknown> => {
      fake.asked.push(command);
      if (fake.gone !== undefined && fake.isGone(fake.asked)) throw new Error(fake.gone);
      if (command === 'answer' || command === 'accept') fake.start();
      if (command === 'offer' || command === 'answer') return { sdp: `sdp of ${fake.name}` };
      return command === 'status' || command === 'hangUp' ? fake.status() : null;
    };
    const host = { ask } as unknown as Phone['host'];
    return { host, phone: fake.name, toneHz: fake.toneHz, place };
  }

  #plane(): MediaPlane {
    const client = { command: async (dictionary: NgDictionary) => this.#command(dictionary) };
    const faults: PlaneFaults = {
      restart: async (node) => this.#do(`restart ${node}`),
      removeCredentials: async () => this.#do('remove credentials'),
      restoreCredentials: async () => this.#do('restore credentials'),
    };
    return {
      ...{ name: 'a plane of a test', pages: undefined, faults },
      turn: { server: { address: '198.51.100.10', port: 3478 }, username: 'user', password: 'password' },
      hops: () => [{ client, suffix: '', direction: ['in', 'out'], offer: {}, answer: {} }],
      records: {
        live: async (callId) =>
          this.#up.has(callId) ? { callType: 'srflx_to_srflx', packets: [7, 8] } : undefined,
        ended: (callId, sinceUnixMs) => this.#ended(callId, sinceUnixMs ?? 0),
        metrics: async () => {
          const problems = this.metricsProblems();
          return { startTime: '', endTime: '', rows: [], problems };
        },
      },
      stop: async () => undefined,
    };
  }

  #network(): LabNetwork {
    return {
      kind: 'simulated',
      setNat: async () => undefined,
      rebind: async (home) => {
        this.#do(`rebind ${home}`);
        return '203.0.113.3';
      },
      setLoss: async (home, percent) => this.#do(`setLoss ${home} ${percent}`),
    } as Partial<LabNetwork> as LabNetwork;
  }

  #do(deed: string): void {
    this.deeds.push(deed);
    const why = this.refusal(deed);
    if (why !== undefined) throw new Error(why);
  }

  #command(dictionary: NgDictionary): NgDictionary {
    this.commands.push(dictionary);
    const { command, 'call-id': callId } = dictionary as Record<string, string>;
    const reason = this.refusal(`${command} ${callId?.replace(/.*-/, '')}`);
    if (reason !== undefined) return { result: 'error', 'error-reason': reason };
    if (callId === undefined) return { result: 'ok' };
    if (command === 'delete') {
      if (this.#up.has(callId)) this.#record(callId);
      return { result: 'ok' };
    }
    if (command === 'answer') {
      const isFirst = !this.commands.some((one) => one !== dictionary && this.#isSame(one, dictionary));
      if (!isFirst) this.reinvited();
      this.#up.add(callId);
    }
    return { result: 'ok', sdp: dictionary.sdp };
  }

  #isSame(one: NgDictionary, other: NgDictionary): boolean {
    return one.command === other.command && one['call-id'] === other['call-id'];
  }

  #record(callId: string): void {
    this.#up.delete(callId);
    const callType: CallType = 'srflx_to_srflx';
    const packets = [this.records.length + 1, 2] as const;
    const endUnixMs = Date.now();
    const record = { callId, callType, evidence: 'verified' as const, reason: null, packets, endUnixMs };
    // Its evidence comes later.
    setTimeout(() => this.records.unshift(record), RECORD_MS);
  }

  async #ended(callId: string, sinceUnixMs: number): Promise<RecordedCall | undefined> {
    const deadlineMs = performance.now() + 6000;
    while (performance.now() < deadlineMs) {
      const record = this.records.find((one) => one.callId === callId);
      if (record && record.endUnixMs >= sinceUnixMs) return record;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return undefined;
  }
}

const TICK_MS = 10;

/** Lets the time of fake timers pass until something is over. */
export async function over<Value>(running: Promise<Value>): Promise<Value> {
  let isOver = false;
  const done = (): void => {
    isOver = true;
  };
  running.then(done, done);
  while (!isOver) await vi.advanceTimersByTimeAsync(TICK_MS);
  return running;
}
