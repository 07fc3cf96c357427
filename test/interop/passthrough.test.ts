/**
 * ICE passthrough with phones that exist: baresip and linphone call each other behind NATs of all kinds. The
 * lab proves the path that the media took and that both hear each other; Causeway must have seen the same.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeInLab } from './lab.ts';
import { type LabCall, type PassthroughLab, startPassthroughLab } from './sip/passthrough-lab.ts';

/** The edge's address, and where its TURN server relays. */
const RELAYED = '198\\.51\\.100\\.10:50\\d{3}';

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
    ...{ connected: true, disconnectReason: 'deleted', sourceZone: 'pub', destinationZone: 'pub' },
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

  function expectAllChecks({ script, failed, sdp }: LabCall): void {
    const logs = `${script.output}\n--- the node\n${lab.nodeLog()}`;
    expect(failed, logs).toEqual([]);
    expect(script.exitCode, logs).toBe(0);
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
    expectAllChecks(call);
    expect(call.record).toMatchObject(optimised(caller, callee));
  });

  it.each([
    ['host', 'in one home', 'host'],
    ['srflx', 'in two homes; no offer tells what was selected', 'srflx'],
    ['host-turn', 'in one home, with relays at hand', 'host'],
    ['srflx-turn', 'in two homes, with relays at hand', 'srflx'],
  ])('baresip, %s: %s', async (path, _where, type) => {
    const call = await lab.call('call-ice', path);
    expectAllChecks(call);
    expect(call.record).toMatchObject(optimised(type, type));
  });

  it('baresip, relay: behind two symmetric NATs', async () => {
    const { failed, script, callerLog, record } = await lab.call('call-ice', 'relay');
    // The lab reads what was selected from a table that baresip leaves out of its log when it is as long as here.
    expect(callerLog).toMatch(new RegExp(`mnat 'ice' connected: raddr ${RELAYED} `));
    const other = failed.filter((check) => !/^relay: (caller|callee) selected/.test(check));
    expect(other, script.output).toEqual([]);
    expect(record).toMatchObject(optimised('relay', 'relay'));
  });

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
