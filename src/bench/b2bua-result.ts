/** What a run of the B2BUA load generator found, as it is printed and written as JSON, and whether it counts. */
import { formatEndpoint } from '../wire/address.ts';
import type { CallCommand } from './b2bua-call.ts';
import type { B2buaLoadOptions } from './b2bua-load-options.ts';
import { RTP_PACKET_BYTES } from './b2bua-traffic.ts';
import type { LatencyHistogram } from './histogram.ts';
import {
  judge,
  microseconds,
  type RequestsResult,
  requestsResult,
  type ServerCpuResult,
  type ServerSample,
  serverCpuResult,
  type TrafficResult,
  trafficResult,
  type Verdict,
} from './load-result.ts';
import type { LoadMeasurement } from './load-run.ts';
import type { RequestTally } from './request-window.ts';
import { processThreads } from './server-process.ts';

/** From the first transmission of a command to the arrival of its reply. */
export interface CommandResult {
  readonly count: number;
  readonly latencyMicroseconds: Readonly<Record<'p50' | 'p90' | 'p99' | 'max', number>>;
}

/** The engine's process, if its id was given. */
export interface EngineProcessResult extends Partial<ServerCpuResult> {
  readonly pid: number;
  readonly threads: number;
  readonly memoryBytesBefore: number;
  /** With all calls, or, where calls come and go, at the end. */
  readonly memoryBytesAfter: number;
  /** To set a call up, and with `--setup-only` to delete it too. */
  readonly cpuMicrosecondsPerCall: number;
}

export interface B2buaLoadResult extends TrafficResult {
  readonly startedAt: string;
  readonly server: { readonly address: string };
  readonly calls: number;
  /** A suite, or `RTP`. */
  readonly caller: string;
  readonly callee: string;
  readonly direction: 'up' | 'down' | 'both';
  /** Of a packet, RTP header included; the tag of SRTP not. */
  readonly payloadBytes: number;
  readonly packetsPerSecond: number;
  readonly warmupSeconds: number;
  /** The measured window; 0 with `--setup-only`. */
  readonly seconds: number;
  readonly setupOnly: boolean;
  readonly setup: RequestsResult;
  readonly commands: Readonly<Record<CallCommand, CommandResult>>;
  /** SRTP packets whose tag did not verify. All are checked. */
  readonly unauthenticPackets: number;
  /** The engine gave the caller's own key to the callee: it forwards packets without cryptography. */
  readonly keyPassedThrough: boolean;
  readonly serverProcess: EngineProcessResult | null;
  readonly interrupted: boolean;
  readonly verdict: Verdict;
}

/** Everything that a run has collected. */
export interface B2buaFindings {
  readonly options: B2buaLoadOptions;
  readonly startedAt: Date;
  readonly sockets: 'linux' | 'portable';
  readonly setup: Readonly<RequestTally>;
  /** CPU time that the generator took for it. */
  readonly setupCpuSeconds: number;
  readonly latencies: Readonly<Record<CallCommand, LatencyHistogram>>;
  /** Of the calls that were left at the end. */
  readonly deletions: Readonly<RequestTally>;
  readonly isKeyPassedThrough: boolean;
  readonly load: LoadMeasurement | undefined;
  /** Before the first call, and once all were set up. */
  readonly before: ServerSample | undefined;
  readonly after: ServerSample | undefined;
  readonly interrupted: boolean;
}

/** Puts findings into figures, and judges them. */
export function assembleB2buaResult(findings: B2buaFindings): B2buaLoadResult {
  const { latencies, load, options } = findings;
  const traffic = trafficResult({ ...options, payloadBytes: RTP_PACKET_BYTES }, findings.sockets, load);
  const setup = requestsResult(options.calls, findings.setup, findings.setupCpuSeconds);
  const unauthenticPackets = load ? load.tallies[0].forged + load.tallies[1].forged : 0;
  const result = {
    startedAt: findings.startedAt.toISOString(),
    server: { address: formatEndpoint(options.ngAddress, options.ngPort) },
    calls: options.calls,
    caller: options.caller ?? 'RTP',
    callee: options.callee ?? 'RTP',
    direction: options.direction,
    payloadBytes: RTP_PACKET_BYTES,
    packetsPerSecond: options.packetsPerSecond,
    warmupSeconds: options.warmupSeconds,
    seconds: load?.seconds ?? 0,
    setupOnly: options.setupOnly,
    setup,
    commands: {
      offer: commandResult(latencies.offer),
      answer: commandResult(latencies.answer),
      delete: commandResult(latencies.delete),
    },
    ...traffic,
    unauthenticPackets,
    keyPassedThrough: findings.isKeyPassedThrough,
    serverProcess: engineProcessResult(findings, traffic),
    interrupted: findings.interrupted,
  };
  return { ...result, verdict: judge(result, setup, flawsOf(findings, unauthenticPackets)) };
}

function flawsOf({ deletions, options, setup }: B2buaFindings, unauthenticPackets: number): string[] {
  const flaws: string[] = [];
  if (setup.failed > 0) flaws.push(`${setup.failed} of ${options.calls} calls failed`);
  if (deletions.failed > 0) {
    flaws.push(`${deletions.failed} calls were not deleted: ${deletions.failures[0] ?? ''}`);
  }
  if (unauthenticPackets > 0) flaws.push(`${unauthenticPackets} SRTP packets did not verify`);
  return flaws;
}

function commandResult(latency: LatencyHistogram): CommandResult {
  return {
    count: latency.count,
    latencyMicroseconds: {
      p50: microseconds(latency.percentile(50)),
      p90: microseconds(latency.percentile(90)),
      p99: microseconds(latency.percentile(99)),
      max: microseconds(latency.max),
    },
  };
}

function engineProcessResult(findings: B2buaFindings, traffic: TrafficResult): EngineProcessResult | null {
  const { after, before, load, options, setup } = findings;
  if (options.serverPid === null || !before || !after) return null;
  return {
    pid: options.serverPid,
    threads: processThreads(options.serverPid),
    memoryBytesBefore: before.memoryBytes,
    memoryBytesAfter: after.memoryBytes,
    cpuMicrosecondsPerCall: ((after.cpuSeconds - before.cpuSeconds) * 1e6) / Math.max(1, setup.done),
    ...serverCpuResult(load, traffic),
  };
}
