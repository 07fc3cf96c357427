/**
 * ICE passthrough with phones that exist: baresip and linphone call each other behind NATs of all kinds. The
 * lab proves the path that the media took and that both hear each other; Causeway must have seen the same.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeInLab } from './lab.ts';
import { type LabCall, type PassthroughLab, startPassthroughLab } from './sip/passthrough-lab.ts';

/** Where a phone listens, as the one that it talks to sees it; relays are the edge's. */
const PLACES: Readonly<Record<string, readonly [caller: RegExp, callee: RegExp]>> = {
  host: [/^192\.168\.1\.11:1/, /^192\.168\.1\.12:1/],
  srflx: [/^203\.0\.113\.2:1/, /^203\.0\.113\.6:1/],
  relay: [/^198\.51\.100\.10:50\d{3}$/, /^198\.51\.100\.10:50\d{3}$/],
};

/** A tone is heard in a call of 7 s for at least so long. */
const TONE_SECONDS_MIN = 4;

/** Candidates of a phone that are not what both selected. */
const ELSEWHERE: Readonly<Record<string, RegExp>> = {
  host: /\b(203\.0\.113\.\d+:|198\.51\.100\.10:50\d{3}\b)/,
  srflx: /\b198\.51\.100\.10:50\d{3}\b/,
};

/** A stream to there, or from there, is no media below the first, and cannot be overlooked from the second on: 5 s. */
const STRAY_PACKETS = { none: 20, much: 250 };

/** The collectd names of the counters, by call type. */
const COUNTERS: Readonly<Record<string, string>> = {
  host_to_host: 'hosthostcalls',
  host_to_srflx: 'hostsrvrflxcalls',
  host_to_relay: 'hostrelaycalls',
  srflx_to_srflx: 'srvrflxsrvrflxcalls',
  srflx_to_relay: 'srvrflxrelaycalls',
  relay_to_relay: 'relayrelaycalls',
};

/** Of a call that has found a path between `caller` and `callee`, and took it. */
function optimised(caller: string, callee: string): object {
  return {
    ...{ connected: true, disconnectReason: 'deleted', sourceZone: 'external', destinationZone: 'external' },
    ...{ iceConfigured: true, sidesWithCandidates: 2, mixed: false, reason: null },
    icePassthroughCallType: `${caller}_to_${callee}`,
    evidence: 'verified',
    media: [{ type: 'audio', selected: { caller, callee } }],
  };
}

describeInLab('ICE passthrough between real phones', () => {
  let lab: PassthroughLab;

  beforeAll(async () => {
    lab = await startPassthroughLab();
  });
  afterAll(() => lab?.stop());

  function expectChecks({ script, failed, sdp }: LabCall): void {
    const logs = `${script.output}\n--- the node\n${lab.nodeLog()}`;
    expect(failed, logs).toEqual([]);
    expect(script.output, logs).toMatch(/^(PASS|FAIL) call-\w+ in /m);
    // The B2BUA's address, which is where media begins, is one that both phones check.
    expect(sdp).toMatch(/^ +a=candidate:.* 198\.51\.100\.10 30\d{3} /m);
    expect(sdp).not.toContain('a=ice-mismatch');
  }

  it.each([
    ['host', 'in one home', 'host', 'host'],
    ['srflx', 'in two homes', 'srflx', 'srflx'],
    // The caller sends to the callee's relay from behind its NAT: one relay is enough.
    ['relay', 'behind two symmetric NATs', 'srflx', 'relay'],
  ])('linphone, %s: %s', async (path, _where, caller, callee) => {
    const call = await lab.call('call-linphone', path);
    expectChecks(call);
    expect(call.script.exitCode, call.script.output).toBe(0);
    expect(call.record).toMatchObject(optimised(caller, callee));
  });

  it.each([
    ['host', 'in one home', 'host'],
    ['srflx', 'in two homes; no offer tells what was selected', 'srflx'],
    ['relay', 'behind two symmetric NATs; no offer tells what was selected', 'relay'],
    ['host-turn', 'in one home, with relays at hand', 'host'],
    ['srflx-turn', 'in two homes, with relays at hand', 'srflx'],
  ])('baresip, %s: %s', async (path, _where, type) => {
    const call = await lab.call('call-ice', path);
    // The lab reads what was selected from a table that baresip leaves out of its log when it is long.
    expectChecks({ ...call, failed: call.failed.filter((check) => !/(caller|callee) selected/.test(check)) });
    expectSelected(call, type);
    const stray = path.endsWith('-turn') ? strayPackets(call, type) : 0;
    if (stray >= STRAY_PACKETS.none) return expectDeparture(call, type, stray);
    // Not all of these calls have their tones checked by the lab.
    const tones = call.script.output.matchAll(/([\d.]+) s is the (?:440|650) Hz tone/g);
    const seconds = [...tones].map((match) => Number(match[1]));
    expect(seconds).toHaveLength(2);
    expect(Math.min(...seconds)).toBeGreaterThan(TONE_SECONDS_MIN);
    expect(call.record).toMatchObject(optimised(type, type));
  });

  /**
   * With relays at hand baresip 1.0 may leave the path that it has selected, and then it may not be heard (the lab
   * tells when: on a busy machine). Causeway must not say of such a call that its media took that path.
   */
  function expectDeparture({ record, script }: LabCall, type: string, packets: number): void {
    if (packets < STRAY_PACKETS.much) return; // it came back to it
    expect(record, script.output).not.toMatchObject({
      icePassthroughCallType: `${type}_to_${type}`,
      evidence: 'verified',
    });
  }

  /** Of the longest stream that did not take the selected path, as captured beside the phones. */
  function strayPackets({ script }: LabCall, type: string): number {
    const streams = script.output.matchAll(/^ +RTP +(.*) pt .* (\d+) packets/gm);
    const strays = [...streams].filter((match) => ELSEWHERE[type]?.test(match[1] ?? ''));
    return Math.max(0, ...strays.map((match) => Number(match[2])));
  }

  /** Each of the two sends to where the other is. */
  function expectSelected({ phoneLogs }: LabCall, type: string): void {
    const [caller, callee] = phoneLogs.map(
      (log) => log.match(/mnat 'ice' connected: raddr (\S+)/)?.[1] ?? '',
    );
    const [callerPlace, calleePlace] = PLACES[type] ?? [];
    expect(caller).toMatch(calleePlace ?? /unknown type/);
    expect(callee).toMatch(callerPlace ?? /unknown type/);
  }

  it('the metrics add up to the calls', async () => {
    const [calls, metrics] = [await lab.history(), await lab.iceMetrics()];
    const { length } = calls;
    expect(length).toBeGreaterThan(0);
    const none = {
      onepartyicecandidatecalls: 0,
      noicecandidatesoffered: 0,
      candidatesofferedmissingiceconfig: 0,
    };
    expect(metrics).toMatchObject({
      ...none,
      ...{ b2buacalls: length, icecalls: length, iceconfiguredcalls: length, icecandidatecalls: length },
    });
    for (const [callType, counter] of Object.entries(COUNTERS)) {
      const ofType = calls.filter((call) => call.icePassthroughCallType === callType);
      expect(metrics[counter], counter).toBe(ofType.length);
    }
  });
});
