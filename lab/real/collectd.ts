/** collectd, which hears what a node counts and files it: how it is set up, and what it has filed. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ICE_METRIC_NAMES, type IceMetricsReport } from '../../src/metrics/ice-metrics.ts';
import type { CausewayPlaneOptions } from '../media-plane/causeway-plane.ts';
import type { Program, StartProgram } from './program.ts';
import { waitFor } from './wait.ts';

/** Where the lab's collectd listens, beside the node. */
export const COLLECTD: NonNullable<CausewayPlaneOptions['collectd']> = {
  ...{ address: '127.0.0.1', port: 25_826, intervalSeconds: 1 },
};

/** Debian's. */
export const COLLECTD_PROGRAM = '/usr/sbin/collectd';
const TYPES = '/usr/share/collectd/types.db';

const START_MS_MAX = 20_000;

export interface CollectdSettings {
  /** UDP. */
  readonly address: string;
  readonly port: number;
  /** For all its files. */
  readonly directory: string;
}

/** Starts a collectd that listens and files what it hears; waits until it is ready. */
export async function startCollectd(start: StartProgram, settings: CollectdSettings): Promise<Program> {
  const { directory } = settings;
  const file = join(directory, 'collectd.conf');
  await mkdir(csvDirectory(directory), { recursive: true });
  await writeFile(file, configuration(settings));
  const program = start(COLLECTD_PROGRAM, ['-f', '-C', file]);
  try {
    const isReady = (): boolean => program.output().includes('Initialization complete');
    await waitFor('start of collectd', isReady, { program, timeoutMs: START_MS_MAX });
    return program;
  } catch (error) {
    if (program.end() === undefined) await program.stop();
    throw error;
  }
}

/** The last value of each gauge that a host has sent, by its type instance. */
export async function filedValues(directory: string, host: string): Promise<Record<string, number>> {
  const files = join(csvDirectory(directory), host, 'statsd');
  if (!existsSync(files)) return {};
  // By name: of a gauge with a file for each of two days, the second counts.
  const values = (await readdir(files)).sort().map(async (file) => {
    const name = /^gauge-(.+)-\d{4}-\d\d-\d\d$/.exec(file)?.[1] ?? file;
    const lines = (await readFile(join(files, file), 'utf8')).trimEnd().split('\n');
    return [name, Number(lines.at(-1)?.split(',')[1])] as const;
  });
  return Object.fromEntries(await Promise.all(values));
}

/** What it has filed of a node's ICE metrics beside what the node itself says, one line each; empty: the same. */
export async function filedDifferences(directory: string, report: IceMetricsReport): Promise<string[]> {
  const filed = await filedValues(directory, report.node);
  return ICE_METRIC_NAMES.flatMap((name) => {
    const value = filed[`ICEPassthroughMetrics.${name}`];
    if (value === report.current[name]) return [];
    return [`${name} is ${report.current[name]}, collectd has filed ${value ?? 'nothing'}`];
  });
}

function configuration({ address, port, directory }: CollectdSettings): string {
  return `Hostname "sink"
FQDNLookup false
BaseDir "${directory}"
PIDFile "${directory}/collectd.pid"
TypesDB "${TYPES}"
LoadPlugin logfile
LoadPlugin network
LoadPlugin csv
<Plugin logfile>
  LogLevel info
  File STDOUT
</Plugin>
<Plugin network>
  Listen "${address}" "${port}"
</Plugin>
<Plugin csv>
  DataDir "${csvDirectory(directory)}"
</Plugin>
`;
}

function csvDirectory(directory: string): string {
  return join(directory, 'csv');
}
