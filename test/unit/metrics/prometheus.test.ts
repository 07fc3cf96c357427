import { describe, expect, it } from 'vitest';
import { B2BUA_COUNTER_NAMES } from '../../../src/b2bua/counters.ts';
import { COUNTER_METRICS, seriesOf } from '../../../src/metrics/catalogue.ts';
import { type CounterBlock, countersByReason, sumCounters } from '../../../src/metrics/counters.ts';
import { PrometheusMetrics } from '../../../src/metrics/prometheus.ts';
import { ENGINE_COUNTER_NAMES } from '../../../src/net/engine.ts';
import { COLLECTD_COUNTER_NAMES } from '../../../src/node/collectd-sender.ts';
import { METRICS_STORE_COUNTER_NAMES } from '../../../src/node/metrics-store.ts';
import { TURN_COUNTER_NAMES } from '../../../src/turn/counters.ts';

const METRICS_COUNTER_NAMES = [...METRICS_STORE_COUNTER_NAMES, ...COLLECTD_COUNTER_NAMES];
const PARTS = [TURN_COUNTER_NAMES, ENGINE_COUNTER_NAMES, B2BUA_COUNTER_NAMES, METRICS_COUNTER_NAMES];

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Reads the text format 0.0.4 strictly: every line a comment or a sample, every sample under its TYPE. */
function parseMetrics(text: string): { types: Map<string, string>; samples: Sample[] } {
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue;
    const type = /^# TYPE (\S+) (counter|gauge|histogram|summary)$/.exec(line);
    if (type) {
      if (types.has(type[1] as string)) throw new Error(`two types: ${line}`);
      types.set(type[1] as string, type[2] as string);
      continue;
    }
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (-?[\d.e+-]+|[+-]Inf|Nan)$/.exec(line);
    const name = sample?.[1] ?? '';
    if (!sample || !(types.has(name) || types.has(name.replace(/_(bucket|sum|count)$/, ''))))
      throw new Error(`no sample: ${line}`);
    const labels = [...(sample[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)",?/g)].map(([, key, value]) => [
      key,
      value,
    ]);
    samples.push({
      name,
      labels: Object.fromEntries(labels) as Record<string, string>,
      value: Number(sample[3]),
    });
  }
  return { types, samples };
}

function block(worker: string, counters: Record<string, number>): CounterBlock {
  return { worker, names: Object.keys(counters), values: Float64Array.from(Object.values(counters)) };
}

function metrics(blocks: readonly CounterBlock[]): PrometheusMetrics {
  return new PrometheusMetrics({
    counters: () => blocks,
    links: () => [
      { name: 'external', packetsReceived: 3, bytesReceived: 516, packetsSent: 2, bytesSent: 344 },
    ],
    iceCounters: () => ({ b2buacalls: 4, icecalls: 2 }),
    workers: () => 2,
    engine: () => 'batch',
    version: '0.1.0',
  });
}

async function valuesOf(blocks: readonly CounterBlock[], name: string): Promise<Omit<Sample, 'name'>[]> {
  const { samples } = parseMetrics(await metrics(blocks).text());
  return samples.filter((sample) => sample.name === name).map(({ labels, value }) => ({ labels, value }));
}

describe('the catalogue', () => {
  it('has a place for every counter of every part', () => {
    expect(PARTS.flat().filter((name) => !seriesOf(name))).toEqual([]);
  });

  it('gives no two counters of one part the same place', () => {
    for (const names of PARTS) {
      const places = names.map((name) => JSON.stringify(seriesOf(name)));
      expect(new Set(places).size).toBe(names.length);
    }
  });

  it('keeps to the conventions of Prometheus', () => {
    for (const { name, type, help, labelNames } of COUNTER_METRICS) {
      expect(name).toMatch(/^causeway_[a-z][a-z0-9_]*$/);
      expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
      expect(help).not.toBe('');
      expect(labelNames.length).toBeLessThanOrEqual(2);
    }
  });

  it.each([
    ['dropNoPermission', 'causeway_drops_total', { reason: 'no_permission' }],
    ['dropSocketFull', 'causeway_drops_total', { reason: 'socket_full' }],
    ['authWrongPassword', 'causeway_turn_auth_failures_total', { reason: 'wrong_password' }],
    ['requestCreatePermission', 'causeway_turn_requests_total', { method: 'create_permission' }],
    ['error438', 'causeway_turn_responses_total', { code: '438' }],
    ['responseSuccess', 'causeway_turn_responses_total', { code: 'success' }],
    ['allocations', 'causeway_turn_allocations', {}],
    ['allocationsCreated', 'causeway_turn_allocations_created_total', {}],
    ['allocationsExpired', 'causeway_turn_allocations_ended_total', { reason: 'expired' }],
    ['failuresCollectdSend', 'causeway_metrics_failures_total', { what: 'collectd_send' }],
    ['streamsTimedOut', 'causeway_streams_closed_total', { reason: 'timed_out' }],
  ])('puts %s into %s', (counter, name, labels) => {
    const series = seriesOf(counter);
    expect([series?.metric.name, series?.labels]).toEqual([name, labels]);
  });

  it.each(['constructor', '__proto__', 'droplet', 'drop', 'error40', 'somethingElse'])(
    'knows no %s',
    (name) => {
      expect(seriesOf(name)).toBeUndefined();
    },
  );
});

describe('/metrics', () => {
  it('is well-formed and has every metric of the catalogue', async () => {
    const names = PARTS.flat();
    const { types, samples } = parseMetrics(
      await metrics([block('0', Object.fromEntries(names.map((name) => [name, 1])))]).text(),
    );
    for (const { name, type } of COUNTER_METRICS) {
      expect([name, types.get(name)]).toEqual([name, type]);
      expect(samples.some((sample) => sample.name === name)).toBe(true);
    }
  });

  it('adds up the workers', async () => {
    const blocks = [
      block('0', { allocations: 3, clientToPeerPackets: 100, peerToClientPackets: 7 }),
      block('1', { allocations: 4, clientToPeerPackets: 200, peerToClientPackets: 0 }),
    ];
    expect(await valuesOf(blocks, 'causeway_turn_allocations')).toEqual([{ labels: {}, value: 7 }]);
    expect(await valuesOf(blocks, 'causeway_turn_packets_total')).toEqual([
      { labels: { direction: 'client_to_peer' }, value: 300 },
      { labels: { direction: 'peer_to_client' }, value: 7 },
    ]);
  });

  it('tells the workers apart only for the engine', async () => {
    const blocks = [block('0', { batches: 5, dropTooBig: 1 }), block('1', { batches: 6, dropTooBig: 2 })];
    expect(await valuesOf(blocks, 'causeway_engine_batches_total')).toEqual([
      { labels: { worker: '0' }, value: 5 },
      { labels: { worker: '1' }, value: 6 },
    ]);
    expect(await valuesOf(blocks, 'causeway_drops_total')).toEqual([
      { labels: { reason: 'too_big' }, value: 3 },
    ]);
  });

  it('is live: each reading sees the counters as they are then, down as well as up', async () => {
    const live = block('0', { allocations: 5, clientToPeerBytes: 1000 });
    const page = metrics([live]);
    const read = async (name: string): Promise<number | undefined> =>
      parseMetrics(await page.text()).samples.find((sample) => sample.name === name)?.value;
    expect([await read('causeway_turn_allocations'), await read('causeway_turn_bytes_total')]).toEqual([
      5, 1000,
    ]);
    live.values.set([2, 4000]);
    expect([await read('causeway_turn_allocations'), await read('causeway_turn_bytes_total')]).toEqual([
      2, 4000,
    ]);
  });

  it('has the same series again when asked twice at once', async () => {
    const page = metrics([block('0', { dropMalformedStun: 2 })]);
    const texts = await Promise.all([page.text(), page.text()]);
    for (const text of texts) expect(text).toContain('causeway_drops_total{reason="malformed_stun"} 2\n');
  });

  it('keeps counts beyond 32 bits exact', async () => {
    const blocks = [block('0', { clientToPeerBytes: 2 ** 53 - 1 })];
    expect(await valuesOf(blocks, 'causeway_turn_bytes_total')).toMatchObject([{ value: 2 ** 53 - 1 }]);
  });

  it('tells engine, workers and version, and the process in standard names', async () => {
    expect(await valuesOf([], 'causeway_engine_info')).toEqual([{ labels: { engine: 'batch' }, value: 1 }]);
    expect(await valuesOf([], 'causeway_workers')).toEqual([{ labels: {}, value: 2 }]);
    expect(await valuesOf([], 'causeway_build_info')).toEqual([{ labels: { version: '0.1.0' }, value: 1 }]);
    expect(await valuesOf([], 'process_cpu_seconds_total')).toHaveLength(1);
  });

  it('has the ICE passthrough metrics of the running interval under the names collectd is told', async () => {
    expect(await valuesOf([], 'causeway_ice_passthrough_calls')).toEqual([
      { labels: { metric: 'b2buacalls' }, value: 4 },
      { labels: { metric: 'icecalls' }, value: 2 },
    ]);
  });

  it('has the traffic of each zone by direction', async () => {
    expect(await valuesOf([], 'causeway_link_packets_total')).toEqual([
      { labels: { zone: 'external', direction: 'received' }, value: 3 },
      { labels: { zone: 'external', direction: 'sent' }, value: 2 },
    ]);
    expect(await valuesOf([], 'causeway_link_bytes_total')).toEqual([
      { labels: { zone: 'external', direction: 'received' }, value: 516 },
      { labels: { zone: 'external', direction: 'sent' }, value: 344 },
    ]);
  });

  it('reads zero, not nothing, for what has not happened', async () => {
    expect(await valuesOf([block('0', { authStaleNonce: 0 })], 'causeway_turn_auth_failures_total')).toEqual([
      { labels: { reason: 'stale_nonce' }, value: 0 },
    ]);
  });

  it('does not share a registry with another node in the process', async () => {
    metrics([block('0', { allocations: 1 })]);
    expect(await valuesOf([block('0', { allocations: 2 })], 'causeway_turn_allocations')).toMatchObject([
      { value: 2 },
    ]);
  });
});

describe('sumCounters and countersByReason', () => {
  it('add up by name and pick reasons that occurred', () => {
    const sums = sumCounters([
      block('0', { dropTooBig: 1, dropEmpty: 0, authMissing: 4, batches: 9 }),
      block('1', { dropTooBig: 2, authMissing: 1 }),
    ]);
    expect(sums).toEqual({ dropTooBig: 3, dropEmpty: 0, authMissing: 5, batches: 9 });
    expect(countersByReason(sums, 'drop')).toEqual({ too_big: 3 });
    expect(countersByReason(sums, 'auth')).toEqual({ missing: 5 });
  });
});
