/** The lab with real peers, as a user runs it: baresip through Kamailio, Chromium over TURN, collectd. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { PROJECT_DIRECTORY } from '../harness.ts';
import { run } from '../processes.ts';
import { describeWithNamespaces } from '../sip/call-rig.ts';

const LAB = join(PROJECT_DIRECTORY, 'dist-lab/lab/main.js');
const LAB_TIMEOUT_MS = 120_000;

/** In the order of the run: what stands in the line that ends each call. */
const CALLS: readonly (readonly [ends: string, nats: string, callType: string, evidence: string])[] = [
  ['homeA → homeA2', 'endpoint-independent, endpoint-independent', 'host_to_host', 'verified'],
  ['homeA → homeB', 'endpoint-independent, endpoint-independent', 'srflx_to_srflx', 'verified'],
  ['homeA → desk', 'endpoint-independent, no NAT', 'none', 'verified'],
  ['desk → homeA', 'no NAT, endpoint-independent', 'none', 'verified'],
  ['homeA → homeB', 'symmetric, symmetric', 'relay_to_relay', 'verified'],
  ['homeA → homeB', 'port-restricted, udp-blocked', 'relay_to_relay', 'endpoints'],
];

describeWithNamespaces('the lab with real peers', () => {
  it(
    'every call takes the expected path, is heard at both ends, and is counted by collectd',
    async () => {
      const { exitCode, output } = await run(
        process.execPath,
        [LAB, 'run', '--peers', 'real', '--page-port', '0'],
        LAB_TIMEOUT_MS,
      );
      const lines = output.split('\n');
      for (const [i, [ends, nats, callType, evidence]] of CALLS.entries()) {
        const start = `call ${i + 1}  ${ends}  (${nats})  expected ${callType}  got ${callType}  ${evidence}  `;
        const line = lines.find((one) => one.startsWith(start));
        expect(line, output).toMatch(/ {2}right$/);
      }
      const relay = String.raw`relay 198\.51\.100\.10:2[4-9]\d{3}`;
      expect(output).toMatch(new RegExp(`^note: call 6: Chromium in homeA: TURN over UDP, ${relay}$`, 'm'));
      expect(output).toMatch(new RegExp(`^note: call 6: Chromium in homeB: TURN over TCP, ${relay}$`, 'm'));
      expect(lines).toContain('note: collectd has filed the same ICE metrics as the node counts');
      expect(output).toMatch(/^ {2}B2BUA connected calls +5$/m);
      expect(exitCode, output).toBe(0);
    },
    LAB_TIMEOUT_MS + 10_000,
  );
});
