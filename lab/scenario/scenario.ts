/**
 * What a run of the lab does: steps one after the other, in each the gateways of the homes, calls at the same time,
 * and perhaps something that goes wrong. As {@link readScenario} gives it: complete, defaults filled in, frozen.
 */
import type { CallType } from '../events.ts';
import type { PhoneOptions } from '../phone/protocol.ts';
import type { HomeName, NatKind, PhonePlace } from '../topology.ts';

export interface Scenario {
  readonly title: string;
  /** How long calls talk on their final path: 5 s of silence are the B2BUA's proof that media has left it. */
  readonly talkSeconds: number;
  /** Absent: the lab's own two nodes. */
  readonly mediaPlane?: ForeignPlane;
  /** Absent: the lab's own edge. */
  readonly turn?: ForeignTurn;
  readonly steps: readonly Step[];
}

/** A media plane that speaks `ng`. */
export interface ForeignPlane {
  /** `udp:10.10.0.10:2223`, or the URL of a `POST /ng`: as reached from the office. */
  readonly ng: string;
  /** Bearer token, of a URL. */
  readonly token?: string;
  /** What starts it in the place `edge` (namespaces alone). Absent: it runs already. */
  readonly command?: readonly string[];
  /** What its interfaces, or zones, are called in `direction`. */
  readonly directions: { readonly outside: string; readonly inside: string };
  /** More keys of each offer and answer. */
  readonly offer?: Readonly<Record<string, unknown>>;
  readonly answer?: Readonly<Record<string, unknown>>;
}

export interface ForeignTurn {
  /** `198.51.100.10:3478`. */
  readonly server: string;
  readonly username: string;
  readonly password: string;
  /** As of {@link ForeignPlane}. */
  readonly command?: readonly string[];
}

export interface Step {
  readonly title: string;
  readonly nats: Readonly<Record<HomeName, NatKind>>;
  readonly calls: readonly CallPlan[];
  /** Happens when all calls of the step talk on their final path. */
  readonly fault?: Fault;
}

export interface CallPlan {
  readonly title: string;
  readonly from: Party;
  readonly to: Party;
  readonly expect: CallType;
  readonly evidence: 'verified' | 'unknown' | 'any';
  /** Absent: the step has no fault. */
  readonly afterFault?: 'unharmed' | 'recovers' | 'lost' | 'any';
  /** In each direction, on the final path. */
  readonly lossPercentMax: number;
}

export interface Party extends Pick<PhoneOptions, 'ice' | 'encryption'> {
  readonly place: PhonePlace;
  /** Whether it is told of the TURN server. */
  readonly turn: boolean;
}

export type Fault =
  | { readonly kind: 'media-plane-restart'; readonly node: 'edge' | 'core' }
  | { readonly kind: 'nat-rebinding'; readonly home: HomeName }
  | {
      readonly kind: 'loss';
      readonly home: HomeName;
      /** Of the packets each way. */
      readonly percent: number;
      readonly seconds: number;
    }
  /** After so many seconds they are there again. */
  | { readonly kind: 'turn-credentials-removed'; readonly seconds: number };
