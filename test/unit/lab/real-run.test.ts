/** What real peers cannot do is told before anything is started; what collectd has not filed is told gauge by gauge. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filedDifferences } from '../../../lab/real/collectd.ts';
import { runRealPeers } from '../../../lab/real/run-real-peers.ts';
import type { ScenarioRun } from '../../../lab/run-scenario.ts';
import { loadScenario } from '../../../lab/scenario/read-scenario.ts';
import type { IceMetricsReport } from '../../../src/metrics/ice-metrics.ts';
import { ICE_METRIC_NAMES, noCalls } from '../../../src/metrics/ice-metrics.ts';

const CALL = '{ from: homeA, to: homeB, expect: relay_to_relay }';

function step(calls: string, more = ''): string {
  return `steps: [{ title: the only one, calls: [${calls}]${more} }]`;
}

describe('real peers', () => {
  it.each([
    [
      'step “the only one”: real peers know no faults (nat-rebinding)',
      step(CALL, ', fault: { kind: nat-rebinding, home: A }'),
    ],
    [
      'step “the only one”: SIP is UDP here, which home B does not let out',
      step(CALL, ', nats: { B: udp-blocked }'),
    ],
    [
      'step “the only one”: the ICE of a baresip is its own (ice: full or none)',
      step('{ from: homeA, to: { place: homeB, ice: werift }, expect: srflx_to_srflx }'),
    ],
    [
      'step “the only one”: baresip knows AES_CM_128_HMAC_SHA1_80 alone',
      step('{ from: { place: homeA, encryption: AEAD_AES_128_GCM }, to: homeB, expect: srflx_to_srflx }'),
    ],
    [
      'real peers call through the lab’s own node alone (no mediaPlane, no turn)',
      `turn: { server: "198.51.100.10:3478", username: a, password: b }\n${step(CALL)}`,
    ],
  ])('refuse a scenario: %s', async (reason, text) => {
    const scenario = loadScenario(`title: Test\n${text}`, 'test.yaml');
    // Nothing else of the run may be touched.
    await expect(runRealPeers({ scenario } as ScenarioRun)).rejects.toThrow(`Test: ${reason}`);
  });
});

describe('what collectd has filed', () => {
  it('is held against the node’s own counters, the newest value of each', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-filed-'));
    try {
      const times = { startTime: '', endTime: '' };
      const report: IceMetricsReport = {
        ...{ node: 'edge', history: [] },
        current: { ...noCalls(), ...times, b2buacalls: 5, icecalls: 3 },
      };
      expect(await filedDifferences(directory, report)).toHaveLength(ICE_METRIC_NAMES.length);

      const files = join(directory, 'csv/edge/statsd');
      mkdirSync(files, { recursive: true });
      const write = (name: string, day: string, values: readonly number[]): void =>
        writeFileSync(
          join(files, `gauge-ICEPassthroughMetrics.${name}-2026-11-${day}`),
          ['epoch,value', ...values.map((value, i) => `${i},${value}`)].map((line) => `${line}\n`).join(''),
        );
      for (const name of ICE_METRIC_NAMES) write(name, '22', [9, 0]);
      write('b2buacalls', '23', [4, 5]);
      expect(await filedDifferences(directory, report)).toEqual(['icecalls is 3, collectd has filed 0']);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
