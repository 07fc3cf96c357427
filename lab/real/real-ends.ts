/** The two ends of a call of real peers, as the lab asks them. */
import type { LiveCall, RecordedCall } from '../media-plane/media-plane.ts';
import type { PhoneStatus } from '../phone/protocol.ts';

/** Both ends, the caller first. */
export type Both<Value> = readonly [caller: Value, callee: Value];

export interface EndStatus
  extends Pick<
    PhoneStatus,
    | 'ice'
    | 'selected'
    | 'candidates'
    | 'sentPackets'
    | 'heardPackets'
    | 'silentMs'
    | 'heardToneHz'
    | 'rtcpHeard'
  > {
  /** Null: it does not tell, or not yet. */
  readonly lostPackets: number | null;
}

export interface RealEnds {
  readonly tonesHz: Both<number>;
  /** Starts both and places the call; resolves when it is answered. */
  call(): Promise<void>;
  status(): Promise<Both<EndStatus>>;
  /** Ends the call. What an end says of all of it comes now. */
  hangUp(): Promise<Both<EndStatus>>;
  /** What the media plane's B2BUA has of the call; undefined: nothing yet. */
  live(): Promise<LiveCall | undefined>;
  /** Null: the call does not pass the B2BUA. Undefined: it has no record, though it should. */
  record(): Promise<RecordedCall | null | undefined>;
  /** What else is not as it should be, while the call is up; one line each. */
  problems(): Promise<readonly string[]>;
  /** Ends both programs, whatever has become of the call. */
  close(): Promise<void>;
}
