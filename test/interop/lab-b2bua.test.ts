/** The lab's `call-srtp-rtp`: baresip behind NAT with SRTP, Kamailio, a desk phone with plain RTP. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { B2BUA_KIND } from './harness.ts';
import { describeInLab, explainLab, runLab } from './lab.ts';

const LAB_TIMEOUT_MS = 60_000;

/** The lab's `call-srtp-rtp` takes these; without them it starts rtpengine. */
const CAUSEWAY = {
  ENGINE_NG: '127.0.0.1:2223',
  // The lab hands this to a shell.
  ENGINE_CMD: `'${process.execPath}' '${join(import.meta.dirname, 'lab-engine.mjs')}'`,
};

describeInLab('lab, SRTP outside and RTP inside', () => {
  let output: string;

  beforeAll(async () => {
    output = await mkdtemp(join(tmpdir(), 'causeway-lab-output-'));
  });
  afterAll(() => rm(output, { recursive: true, force: true }));

  it.each([
    ['out', 'the phone at home calls the desk phone'],
    ['in', 'the desk phone calls the phone at home'],
    ['ice', 'the phone at home does ICE with the engine'],
    ['turn', 'the same with a relayed candidate first, and a re-INVITE with the selected one'],
  ])('%s: %s', async (call) => {
    const environment = B2BUA_KIND === 'causeway' ? CAUSEWAY : {};
    const result = await runLab('call-srtp-rtp', [call], LAB_TIMEOUT_MS, output, environment);
    const log = join(output, 'call-srtp-rtp/engine.log');
    expect(result.exitCode, await explainLab(result, `log of the engine (${B2BUA_KIND})`, log)).toBe(0);
    expect(result.output).toContain('PASS call-srtp-rtp');
  });
});
