import { describe, expect, it } from 'vitest';
import { callDetailRecord } from '../../../src/metrics/cdr.ts';
import { callRecord, optimizedCall } from './call-records.ts';

const NOW_MS = Date.parse('2026-03-28T12:00:31.000Z');

describe('a call detail record', () => {
  it('has the fields of the appliance and all that is known of the call', () => {
    const call = callRecord({ uuid: 'the-uuid', callId: 'the-call-id' });
    const { uuid: _uuid, callId: _callId, startTime, endTime, disconnectReason: _reason, ...details } = call;
    expect(callDetailRecord(call, NOW_MS)).toEqual({
      uuid: 'the-uuid',
      service_uuid: 'the-uuid',
      active: false,
      status: 'connected',
      tag: 'the-call-id',
      box_call_serial_number: 'the-uuid',
      start_time: startTime,
      end_time: endTime,
      source_alias: null,
      destination_alias: null,
      protocol: 'SIP',
      media_routed: true,
      audio: true,
      disconnect_reason: 'deleted',
      details,
      last_updated_timestamp: '2026-03-28T12:00:31.000Z',
    });
  });

  it('tells a call that nobody answered, one whose media went directly, and one with video', () => {
    const [audio] = callRecord().media;
    const video = audio ? [audio, { ...audio, type: 'video' }] : [];
    expect(callDetailRecord(callRecord({ connected: false }), NOW_MS).status).toBe('not connected');
    expect(callDetailRecord(optimizedCall(), NOW_MS).media_routed).toBe(false);
    expect(callDetailRecord(callRecord({ media: video }), NOW_MS).audio).toBe(false);
  });
});
