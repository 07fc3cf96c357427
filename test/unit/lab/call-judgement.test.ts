/** What is made of the phones' words and the media plane's record: the call's path, and whether it was right. */
import { describe, expect, it } from 'vitest';
import { type CallFindings, judge, outcomeText } from '../../../lab/call/judge.ts';
import { hasTone, isSilent, lossBetween, pathText, typeBySelection } from '../../../lab/call/observation.ts';
import type { PhoneCandidateType, PhoneStatus } from '../../../lab/phone/protocol.ts';
import type { CallPlan } from '../../../lab/scenario/scenario.ts';

const PARTY = { ice: 'full', encryption: 'none', turn: true } as const;

const PLAN: CallPlan = {
  ...{ title: 'homeA → homeB', from: { ...PARTY, place: 'homeA' }, to: { ...PARTY, place: 'homeB' } },
  ...{ expect: 'srflx_to_relay', evidence: 'verified', lossPercentMax: 1 },
};

/** All is right with it. */
function findings(changed: Partial<CallFindings> = {}): CallFindings {
  const heard = { silentMs: 20, rtcpHeard: 2 };
  return {
    plan: PLAN,
    ...{
      keepsRecords: true,
      selected: 'srflx_to_relay',
      tonesHz: [440, 520],
      loss: [0, 1],
      outcome: undefined,
    },
    record: {
      ...{ callId: 'one', callType: 'srflx_to_relay', evidence: 'verified', reason: null, packets: [9, 9] },
    },
    statuses: [
      { ...heard, heardToneHz: 521 },
      { ...heard, heardToneHz: 440 },
    ],
    ...changed,
  };
}

describe('a call is judged', () => {
  it('right where all came true', () => {
    expect(judge(findings())).toEqual([]);
  });

  it('by what the phones selected', () => {
    expect(judge(findings({ selected: undefined }))).toEqual([
      'expected srflx_to_relay, the phones selected nothing',
    ]);
  });

  it('by the record, and why it says so', () => {
    const record = { callId: 'one', packets: [9, 9] as const, reason: 'the relay answers nothing' };
    expect(judge(findings({ record: { ...record, callType: 'none', evidence: 'contradicted' } }))).toEqual([
      'expected srflx_to_relay, the media plane recorded none (the relay answers nothing)',
      'expected evidence verified, got contradicted (the relay answers nothing)',
    ]);
    expect(judge(findings({ record: undefined }))).toEqual(['the media plane has no record of the call']);
    expect(judge(findings({ record: undefined, keepsRecords: false }))).toEqual([]);
  });

  it('by what each end hears of the other', () => {
    const heard = { silentMs: 20, rtcpHeard: 2, heardToneHz: 440 };
    const statuses = [heard, { silentMs: 2600, rtcpHeard: 0, heardToneHz: null }] as const;
    expect(judge(findings({ statuses, loss: [1.26, null] }))).toEqual([
      'the caller hears 440 Hz, not 520 Hz',
      'the caller lost 1.3 %, more than 1 %',
      'the callee has heard nothing for the last 2.6 s',
      'the callee hears no tone, not 440 Hz',
      'the callee has had no RTCP',
      'the callee has heard nothing on the final path',
    ]);
  });

  it('by what the fault did to it, and by no media where it was to be lost', () => {
    const expecting = (afterFault: NonNullable<CallPlan['afterFault']>): Partial<CallFindings> => ({
      plan: { ...PLAN, afterFault },
    });
    const recovered = { kind: 'recovered', seconds: 2.34 } as const;
    expect(judge(findings({ ...expecting('unharmed'), outcome: recovered }))).toEqual([
      'expected after the fault: unharmed; it was recovered after 2.3 s',
    ]);
    expect(judge(findings({ ...expecting('recovers'), outcome: recovered }))).toEqual([]);
    expect(judge(findings({ ...expecting('any'), outcome: recovered }))).toEqual([]);
    const lost = { outcome: { kind: 'lost' }, statuses: undefined, loss: [null, null] } as const;
    expect(judge(findings({ ...expecting('lost'), ...lost }))).toEqual([]);
    expect(judge(findings({ ...expecting('recovers'), ...lost }))).toEqual([
      'expected after the fault: recovered; it was lost',
    ]);
    expect(outcomeText({ kind: 'unharmed' })).toBe('unharmed');
  });
});

describe('what phones say of a call', () => {
  const at = (type: PhoneCandidateType, port: number) => ({ type, address: '192.0.2.1', port });
  const status = (local: PhoneCandidateType, port: number, remotePort: number) => ({
    ice: 'concluded' as const,
    selected: { local: at(local, port), remote: { ...at('host', remotePort), type: 'prflx' as const } },
    candidates: [at(local, port)],
  });

  it('gives its type, the lesser kind first', () => {
    const [near, far] = [status('srflx', 1, 2), status('relay', 2, 1)];
    expect(typeBySelection(near, far)).toBe('srflx_to_relay');
    expect(typeBySelection(far, near)).toBe('srflx_to_relay');
    expect(pathText(far, near)).toBe('relay 192.0.2.1:2 ↔ srflx 192.0.2.1:1');
  });

  it('shows the media plane where the other end of the path is no phone', () => {
    const [caller, callee] = [status('srflx', 1, 99), status('relay', 2, 98)];
    expect(typeBySelection(caller, callee)).toBe('none');
    expect(pathText(caller, callee)).toBe('through the media plane');
    expect(typeBySelection(caller, { ...callee, ice: 'none', selected: null })).toBe('none');
  });

  it('gives nothing before both have selected', () => {
    const checking = { ...status('srflx', 1, 2), selected: null };
    expect(typeBySelection(checking, status('relay', 2, 1))).toBeUndefined();
    expect(pathText(checking, status('relay', 2, 1))).toBe('');
  });

  it('gives the loss since a moment, at each end', () => {
    const counted = (heardPackets: number, lostPackets: number) =>
      ({ heardPackets, lostPackets }) as PhoneStatus;
    const before = [counted(100, 50), counted(100, 4)] as const;
    expect(lossBetween(before, [counted(190, 60), counted(100, 4)])).toEqual([10, null]);
    // What was counted as lost came late.
    expect(lossBetween(before, [counted(110, 45), counted(110, 4)])).toEqual([0, 0]);
  });

  it('is silence after two seconds, and a tone within 20 Hz', () => {
    expect([null, 2000, 2001].map((silentMs) => isSilent({ silentMs }))).toEqual([true, false, true]);
    expect([null, 460, 461].map((heardToneHz) => hasTone({ heardToneHz }, 440))).toEqual([
      false,
      true,
      false,
    ]);
  });
});
