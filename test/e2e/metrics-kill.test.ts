import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MetricsStore } from '../../src/node/metrics-store.ts';
import { optimizedCall } from '../unit/metrics/call-records.ts';

const WRITER = fileURLToPath(new URL('metrics-writer.mjs', import.meta.url));
const BUILT_STORE = new URL('../../dist/node/metrics-store.js', import.meta.url).href;

let folder: string;
let child: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'causeway-kill-'));
});

afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** Lets a process count calls, kills it when it says the `lines`-th line, and tells how many it said were kept. */
async function writeAndDie(lines: number): Promise<number> {
  const writer = spawn(process.execPath, [WRITER, BUILT_STORE, folder, JSON.stringify(optimizedCall())], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child = writer;
  let kept = 0;
  let heard = 0;
  for await (const line of createInterface({ input: writer.stdout })) {
    if (line.startsWith('kept ')) kept = Number(line.slice('kept '.length));
    if (++heard === lines) writer.kill('SIGKILL');
  }
  if (writer.signalCode === null && writer.exitCode === null) await once(writer, 'exit');
  expect(writer.signalCode).toBe('SIGKILL');
  return kept;
}

describe('metrics of a process that is killed', () => {
  // An odd line is `told`: a write has begun. Beyond a thousand calls the state is written anew now and then.
  it.each([2, 3, 9, 60, 61, 120, 131, 201])(
    'have all calls that were kept, killed at line %i',
    async (lines) => {
      const kept = await writeAndDie(lines);
      const warnings: string[] = [];
      const store = new MetricsStore({
        node: 'node1',
        stateDirectory: folder,
        intervalHours: 24,
        cdr: { files: 3, fileBytes: 262_144 },
        log: pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) }),
      });
      const newest = Number(store.history(1)[0]?.uuid.slice('call-'.length));
      expect(newest).toBeGreaterThanOrEqual(kept);
      // No call is missing before the newest, and none counts twice.
      expect(store.history().map(({ uuid }) => uuid)).toEqual(
        Array.from({ length: Math.min(500, newest) }, (_, i) => `call-${newest - i}`),
      );
      expect(store.iceMetrics().history).toMatchObject([{ b2buacalls: newest, hosthostcalls: newest }]);
      expect(store.iceMetrics().current.b2buacalls).toBe(0);
      expect(warnings.length).toBeLessThanOrEqual(1); // half a line at the end, if any
      await store.close();
    },
  );

  it('have their call detail records too, in whole lines but for the last', async () => {
    const kept = await writeAndDie(40);
    const lines = ['cdr.2.jsonl', 'cdr.1.jsonl', 'cdr.jsonl'].flatMap((name) => {
      const file = join(folder, name);
      return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
    });
    const uuids = lines.map((line): string => JSON.parse(line).uuid);
    const last = Number(uuids.at(-1)?.slice('call-'.length));
    expect(last).toBeGreaterThanOrEqual(kept);
    expect(uuids).toEqual(
      Array.from({ length: uuids.length }, (_, i) => `call-${last - uuids.length + 1 + i}`),
    );
  });
});
