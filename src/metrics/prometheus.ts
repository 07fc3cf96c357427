import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { COUNTER_METRICS, type MetricDefinition, seriesOf } from './catalogue.ts';
import type { CounterBlock } from './counters.ts';

export interface PrometheusSource {
  /** The counters of all workers as they are now. A worker's label must not change while it lives. */
  counters(): readonly CounterBlock[];
  /** Traffic of each zone of the B2BUA. */
  links(): readonly LinkCounters[];
  /** ICE passthrough metrics of the running interval, under collectd's names; empty where there are no calls. */
  iceCounters(): Readonly<Record<string, number>>;
  workers(): number;
  /** Name of the engine in use. */
  engine(): string;
  readonly version: string;
}

/** Totals of one zone's link. */
export interface LinkCounters {
  readonly name: string;
  readonly packetsReceived: number;
  readonly bytesReceived: number;
  readonly packetsSent: number;
  readonly bytesSent: number;
}

/** `/metrics`: everything is read when it is asked for, from the counters the workers count in. */
export class PrometheusMetrics {
  readonly #registry = new Registry();
  readonly #source: PrometheusSource;
  #values: ReadonlyMap<MetricDefinition, ReadonlyMap<string, LabelledValue>> = new Map();

  constructor(source: PrometheusSource) {
    this.#source = source;
    for (const definition of COUNTER_METRICS) this.#registerCounterMetric(definition);
    this.#registerLinks('causeway_link_packets_total', 'Packets over the link of a zone', (link) => ({
      received: link.packetsReceived,
      sent: link.packetsSent,
    }));
    this.#registerLinks('causeway_link_bytes_total', 'Bytes over the link of a zone', (link) => ({
      received: link.bytesReceived,
      sent: link.bytesSent,
    }));
    this.#registerIceMetrics();
    this.#registerGauge('causeway_workers', 'Worker threads that move media', [], () => ({
      labels: {},
      value: source.workers(),
    }));
    this.#registerGauge('causeway_engine_info', 'The engine that moves packets', ['engine'], () => ({
      labels: { engine: source.engine() },
      value: 1,
    }));
    this.#registerGauge('causeway_build_info', 'The version of Causeway', ['version'], () => ({
      labels: { version: source.version },
      value: 1,
    }));
    collectDefaultMetrics({ register: this.#registry });
  }

  /** The page in Prometheus' text format 0.0.4. */
  text(): Promise<string> {
    this.#values = valuesByMetric(this.#source.counters());
    return this.#registry.metrics();
  }

  #registerCounterMetric(definition: MetricDefinition): void {
    const { name, help, labelNames } = definition;
    const values = (): Iterable<LabelledValue> => this.#values.get(definition)?.values() ?? [];
    const registers = [this.#registry];
    if (definition.type === 'gauge') {
      new Gauge({
        name,
        help,
        labelNames,
        registers,
        collect() {
          this.reset();
          for (const { labels, value } of values()) this.set(labels, value);
        },
      });
    } else {
      new Counter({
        name,
        help,
        labelNames,
        registers,
        collect() {
          this.reset();
          for (const { labels, value } of values()) this.inc(labels, value);
        },
      });
    }
  }

  #registerIceMetrics(): void {
    const { iceCounters } = this.#source;
    new Gauge({
      name: 'causeway_ice_passthrough_calls',
      help: 'ICE passthrough metrics of the running interval, named as collectd is told them',
      labelNames: ['metric'],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [metric, value] of Object.entries(iceCounters())) this.set({ metric }, value);
      },
    });
  }

  #registerLinks(
    name: string,
    help: string,
    read: (link: LinkCounters) => { readonly received: number; readonly sent: number },
  ): void {
    const { links } = this.#source;
    new Counter({
      name,
      help,
      labelNames: ['zone', 'direction'],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const link of links()) {
          const { received, sent } = read(link);
          this.inc({ zone: link.name, direction: 'received' }, received);
          this.inc({ zone: link.name, direction: 'sent' }, sent);
        }
      },
    });
  }

  #registerGauge(name: string, help: string, labelNames: string[], read: () => LabelledValue): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset();
        const { labels, value } = read();
        this.set(labels, value);
      },
    });
  }
}

interface LabelledValue {
  readonly labels: Record<string, string>;
  readonly value: number;
}

/** Sorts counters into their metrics and adds up what has the same labels. */
function valuesByMetric(blocks: readonly CounterBlock[]): Map<MetricDefinition, Map<string, LabelledValue>> {
  const metrics = new Map<MetricDefinition, Map<string, LabelledValue>>();
  for (const { worker, names, values } of blocks) {
    for (const [i, name] of names.entries()) {
      const series = seriesOf(name);
      if (!series) continue;
      const labels = series.metric.labelNames.includes('worker')
        ? { ...series.labels, worker }
        : { ...series.labels };
      const key = JSON.stringify(labels);
      const metric = metrics.get(series.metric) ?? new Map<string, LabelledValue>();
      metrics.set(series.metric, metric);
      metric.set(key, { labels, value: (metric.get(key)?.value ?? 0) + (values[i] ?? 0) });
    }
  }
  return metrics;
}
