/** aioice, an independent ICE agent in Python: two agents that may use relayed candidates only. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEBIAN_PYTHON, explain, startServer, type TurnServer } from './harness.ts';
import { type FinishedRun, run, tail } from './processes.ts';

const CLIENT_TIMEOUT_MS = 30_000;

interface Candidate {
  readonly type: string;
  readonly host: string;
  readonly port: number;
}

/** What clients/ice_pair.py prints; a pair is [local, remote] as one agent selected it. */
interface PairReport {
  readonly echoed: number;
  readonly of: number;
  readonly pairs: readonly (readonly [Candidate, Candidate])[];
}

let server: TurnServer;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.stop());

describe('aioice, relayed candidates only', () => {
  it.each(['udp', 'tcp', 'tls'])('connects and echoes over %s', async (transport) => {
    const result = await icePair(transport, server.password);
    expect(result.exitCode, explain(result, server)).toBe(0);
    const report = JSON.parse(tail(result.output, 1)) as PairReport;
    expect(report.echoed).toBe(report.of);
    expect(report.pairs.map((pair) => pair.map((candidate) => candidate.type))).toEqual([
      ['relay', 'relay'],
      ['relay', 'relay'],
    ]);
    const [ofOfferer, ofAnswerer] = report.pairs;
    expect(ofOfferer?.[0]).toEqual(ofAnswerer?.[1]);
    expect(ofOfferer?.[1]).toEqual(ofAnswerer?.[0]);
  });

  it('does not connect with a wrong password', async () => {
    const result = await icePair('udp', 'wrong');
    expect(result.timedOut, explain(result, server)).toBe(false);
    expect(result.exitCode, explain(result, server)).not.toBe(0);
  });
});

function icePair(transport: string, password: string): Promise<FinishedRun> {
  const port = transport === 'tls' ? server.tlsPort : server.port;
  return run(
    DEBIAN_PYTHON,
    [
      join(import.meta.dirname, 'clients/ice_pair.py'),
      ...['127.0.0.1', String(port), server.user, password, transport],
    ],
    CLIENT_TIMEOUT_MS,
    { environment: { SSL_CERT_FILE: server.authorityFile } },
  );
}
