/**
 * More than 65,536 SRTP packets of one stream through a B2BUA, then re-INVITEs with the keys that were:
 * libsrtp at both ends tells whether the rollover counters live as long as their keys (RFC 3711 §3.3.1).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFailed } from 'vitest';
import { B2BUA_KIND, DEBIAN_PYTHON } from './harness.ts';
import { run, tail } from './processes.ts';
import { describeWithNamespaces } from './sip/call-rig.ts';
import { type MediaEngine, NG_ADDRESS, startMediaEngine } from './sip/media-engine.ts';
import { makeNetwork, type Network } from './sip/network.ts';

/** A re-INVITE by a callee with another suite makes rtpengine change its key; Causeway keeps one a leg. */
const CALLEE_SUITES =
  B2BUA_KIND === 'rtpengine'
    ? ['RTP', 'AES_CM_128_HMAC_SHA1_80']
    : ['RTP', 'AES_CM_128_HMAC_SHA1_80', 'AEAD_AES_256_GCM'];

const STREAM_TIMEOUT_MS = 60_000;

/** What sip/srtp_rollover.py prints. */
interface RolloverReport {
  readonly packets: number;
  readonly kept: readonly string[];
}

let directory: string;
let network: Network;
let engine: MediaEngine;

describeWithNamespaces('an SRTP stream longer than its sequence numbers', () => {
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'causeway-rollover-'));
    network = await makeNetwork(['core']);
    engine = await startMediaEngine(network, onlyNode(), 'auto', directory);
  });
  afterAll(async () => {
    try {
      await engine?.stop();
    } finally {
      await network?.remove();
      await rm(directory, { recursive: true, force: true });
    }
  });

  it.each(CALLEE_SUITES)('is kept through re-INVITEs, AES_CM_128_HMAC_SHA1_80 to %s', async (suite) => {
    onTestFailed(() => console.error(`--- engine (${B2BUA_KIND})\n${tail(engine.log(), 40)}`));
    const place = onlyNode();
    const [command, ...args] = network.within(place.name);
    const script = join(import.meta.dirname, 'sip/srtp_rollover.py');
    const addresses = [NG_ADDRESS, place.outerAddress, place.innerAddress];
    const result = await run(
      command,
      [...args, DEBIAN_PYTHON, script, ...addresses, suite],
      STREAM_TIMEOUT_MS,
    );
    expect(result.exitCode, result.output).toBe(0);
    const report = JSON.parse(tail(result.output, 1)) as RolloverReport;
    expect(report.packets).toBeGreaterThan(2 * 65_536);
    expect(report.kept).toEqual([
      're-INVITE by the caller',
      're-INVITE by the callee',
      'hold and resume',
      'another SSRC',
      'the first SSRC again',
    ]);
    expect(await engine.callIds()).toEqual([]);
  });
});

function onlyNode(): Network['nodes'][number] {
  const [place] = network.nodes;
  if (place === undefined) throw new Error('a network without media nodes');
  return place;
}
