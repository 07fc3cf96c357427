import type { CallRecord } from './call-record.ts';

/**
 * A call detail record with the appliance's fields. Aliases are null: who calls whom is known to the SIP proxy,
 * the media plane is told zones and tags.
 */
export interface CallDetailRecord {
  readonly uuid: string;
  /** The call is one service here: as {@link uuid}. */
  readonly service_uuid: string;
  /** A record is written when the call has ended. */
  readonly active: false;
  readonly status: 'connected' | 'not connected';
  /** What the call's records on other nodes have in common: SIP's call-id. */
  readonly tag: string;
  readonly box_call_serial_number: string;
  /** ISO 8601. */
  readonly start_time: string;
  readonly end_time: string;
  readonly source_alias: null;
  readonly destination_alias: null;
  readonly protocol: 'SIP';
  /** Whether media stayed on the B2BUA to the end. */
  readonly media_routed: boolean;
  /** No video line: an audio call. */
  readonly audio: boolean;
  readonly disconnect_reason: string;
  /** All that the history knows beside. */
  readonly details: Omit<CallRecord, 'uuid' | 'callId' | 'startTime' | 'endTime' | 'disconnectReason'>;
  readonly last_updated_timestamp: string;
}

/** @param nowMs Unix time of writing, milliseconds */
export function callDetailRecord(call: CallRecord, nowMs: number): CallDetailRecord {
  const { uuid, callId, startTime, endTime, disconnectReason, ...details } = call;
  const types = call.media.map(({ type }) => type);
  return {
    uuid,
    service_uuid: uuid,
    active: false,
    status: call.connected ? 'connected' : 'not connected',
    tag: callId,
    box_call_serial_number: uuid,
    start_time: startTime,
    end_time: endTime,
    source_alias: null,
    destination_alias: null,
    protocol: 'SIP',
    media_routed: call.icePassthroughCallType === 'none',
    audio: types.includes('audio') && !types.includes('video'),
    disconnect_reason: disconnectReason,
    details,
    last_updated_timestamp: new Date(nowMs).toISOString(),
  };
}
