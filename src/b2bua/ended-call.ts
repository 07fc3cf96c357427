/** What is told of a call that has ended, for history and metrics; and what was seen of its path. Plain data. */
import type { MediaSeen, PathConclusion, PathObservation, Side } from '../ice/path.ts';
import { SILENCE_SECONDS } from '../ice/path.ts';
import type { Call, Leg } from './call.ts';
import type { Reception } from './reception.ts';
import { type B2buaSettings, type CallEnd, passthroughObstacle } from './settings.ts';

/** Media that was heard within so long of the end flowed through us to the end. */
const RECENT_MS = 1000;

/** Times are Unix milliseconds. */
export interface EndedCall {
  readonly callId: string;
  readonly startUnixMs: number;
  readonly endUnixMs: number;
  readonly reason: CallEnd;
  /** An answer came. */
  readonly isConnected: boolean;
  /** Its packets passed untouched, as zones with `media: relay` want: it is another node's call. */
  readonly isRelayed: boolean;
  readonly sourceZone: string;
  readonly destinationZone: string;
  /** Both zones let candidates and keys pass through. */
  readonly isIceConfigured: boolean;
  readonly media: readonly EndedLine[];
  readonly conclusion: PathConclusion;
  /** What the TURN servers know is not in it. */
  readonly observation: Omit<PathObservation, 'relays'>;
}

export interface EndedLine {
  readonly type: string;
  /** What came in from each side: the caller's first. */
  readonly legs: readonly {
    readonly zone: string;
    readonly packets: number;
    readonly bytes: number;
    readonly packetsLost: number;
    readonly jitterMs: number;
  }[];
}

export interface EndedCallView {
  readonly settings: B2buaSettings;
  readonly reception: Reception;
  readonly nowMs: number;
  readonly unixMs: number;
}

export function endedCall(call: Call, reason: CallEnd, view: EndedCallView): EndedCall {
  const { settings, unixMs } = view;
  const [caller] = call.legs;
  const callee = caller?.peer ?? call.legs[1];
  const legs = [caller, callee].flatMap((leg) => leg ?? []);
  const zones = legs.flatMap((leg) => settings.zones[leg.zone] ?? []);
  const obstacles = zones.flatMap((zone) => passthroughObstacle(zone) ?? []);
  const count = Math.max(0, ...legs.map(({ lines }) => lines.length));
  const lines = Array.from({ length: count }, (_, i) => i);
  return {
    callId: call.callId,
    startUnixMs: call.createdUnixMs,
    endUnixMs: unixMs,
    reason,
    isConnected: call.isAnswered,
    isRelayed: call.isRelayed,
    sourceZone: zones[0]?.name ?? '',
    destinationZone: zones[1]?.name ?? '',
    isIceConfigured: zones.length === 2 && obstacles.length === 0,
    media: lines.map((i) => endedLine(legs, i, view)),
    conclusion: call.path.conclusion(),
    observation: {
      media: lines.map((i) => mediaSeen(call, legs, i, view.nowMs)),
      checks: { caller: hasChecks(caller), callee: hasChecks(callee) },
      nominatedBy: nominator(caller, callee),
      obstacle: call.hasPassedThrough ? undefined : obstacles[0],
    },
  };
}

function endedLine(legs: readonly Leg[], index: number, { settings, reception }: EndedCallView): EndedLine {
  return {
    type: legs.map(({ lines }) => lines[index]?.media).find((media) => media) ?? '',
    legs: legs.map((leg) => {
      const component = leg.lines[index]?.rtp;
      return {
        zone: settings.zones[leg.zone]?.name ?? '',
        packets: component?.packets ?? 0,
        bytes: component?.bytes ?? 0,
        packetsLost: component ? reception.packetsLost(component.id) : 0,
        jitterMs: component ? reception.jitterMs(component.id) : 0,
      };
    }),
  };
}

/** Connectivity checks are no media, and are not counted as packets. */
function mediaSeen(call: Call, legs: readonly Leg[], index: number, nowMs: number): MediaSeen {
  const heardMs = Math.max(-1, ...legs.map(({ lines }) => lines[index]?.rtp?.lastPacketMs ?? -1));
  if (heardMs >= 0 && nowMs - heardMs <= RECENT_MS) return 'through';
  const silentSinceMs = Math.max(heardMs, call.lastSignalMs);
  return nowMs - silentSinceMs >= SILENCE_SECONDS * 1000 ? 'left' : 'unclear';
}

function hasChecks(leg: Leg | undefined): boolean {
  return leg?.components.some(({ checks }) => checks > 0) === true;
}

function nominator(caller: Leg | undefined, callee: Leg | undefined): Side | undefined {
  const hasNominated = (leg: Leg | undefined): boolean =>
    leg?.components.some(({ nominations }) => nominations > 0) === true;
  if (hasNominated(caller)) return 'caller';
  return hasNominated(callee) ? 'callee' : undefined;
}
