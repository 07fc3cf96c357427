import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CdrFiles, type CdrFilesOptions } from '../../../src/node/metrics-cdr-file.ts';
import { callRecord } from '../metrics/call-records.ts';

const NOW_MS = Date.parse('2026-03-28T12:00:31.000Z');
const FILE_BYTES = 10_000;

let folder: string;
let logLines: string[];
let opened: CdrFiles[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'causeway-cdr-'));
  logLines = [];
  opened = [];
});

afterEach(async () => {
  await Promise.all(opened.map((cdr) => cdr.close()));
  rmSync(folder, { recursive: true });
});

function open(options: Partial<CdrFilesOptions> = {}): CdrFiles {
  const log = pino({}, { write: (line: string) => void logLines.push(JSON.parse(line).msg) });
  const cdr = new CdrFiles({ directory: folder, files: 3, fileBytes: FILE_BYTES, log, ...options });
  opened.push(cdr);
  return cdr;
}

/** The uuids of a file's records. */
function uuids(name: string): string[] {
  return readFileSync(join(folder, name), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line).uuid);
}

async function addCalls(cdr: CdrFiles, count: number): Promise<string[]> {
  const calls = Array.from({ length: count }, () => callRecord());
  for (const call of calls) cdr.add(call, NOW_MS);
  await cdr.flush();
  return calls.map(({ uuid }) => uuid);
}

describe('call detail records', () => {
  it('are lines of JSON, for the owner alone, appended over restarts', async () => {
    const before = await addCalls(open(), 2);
    const after = await addCalls(open(), 1);
    expect(uuids('cdr.jsonl')).toEqual([...before, ...after]);
    expect(statSync(join(folder, 'cdr.jsonl')).mode & 0o777).toBe(0o600);
  });

  it('are written within about a second, without being asked', async () => {
    const call = callRecord();
    open().add(call, NOW_MS);
    await vi.waitFor(() => expect(uuids('cdr.jsonl')).toEqual([call.uuid]), 10_000);
  });

  it('fill files up to their size, in order, and as many as are kept', async () => {
    const cdr = open();
    const all: string[] = [];
    for (const count of [1, 30, 7, 100, 3]) all.push(...(await addCalls(cdr, count)));
    expect(readdirSync(folder).toSorted()).toEqual(['cdr.1.jsonl', 'cdr.2.jsonl', 'cdr.jsonl']);
    const kept = [...uuids('cdr.2.jsonl'), ...uuids('cdr.1.jsonl'), ...uuids('cdr.jsonl')];
    expect(kept).toEqual(all.slice(-kept.length));
    const recordBytes = statSync(join(folder, 'cdr.1.jsonl')).size / uuids('cdr.1.jsonl').length;
    for (const name of ['cdr.1.jsonl', 'cdr.2.jsonl']) {
      expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(FILE_BYTES);
      expect(statSync(join(folder, name)).size).toBeGreaterThan(FILE_BYTES - 2 * recordBytes);
    }
  });

  it('are in one file that begins anew where one is kept', async () => {
    const written = await addCalls(open({ files: 1 }), 50);
    expect(readdirSync(folder)).toEqual(['cdr.jsonl']);
    expect(statSync(join(folder, 'cdr.jsonl')).size).toBeLessThanOrEqual(FILE_BYTES);
    expect(uuids('cdr.jsonl')).toEqual(written.slice(-uuids('cdr.jsonl').length));
  });

  it('go with the files that a larger number kept before', async () => {
    await addCalls(open({ files: 6 }), 100);
    expect(existsSync(join(folder, 'cdr.5.jsonl'))).toBe(true);
    await addCalls(open({ files: 2 }), 20);
    expect(readdirSync(folder).toSorted()).toEqual(['cdr.1.jsonl', 'cdr.jsonl']);
  });

  it('are not written where no file is kept', async () => {
    await addCalls(open({ files: 0 }), 3);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('have a record larger than a file in a file of its own', async () => {
    const written = await addCalls(open({ fileBytes: 100 }), 2);
    expect(readdirSync(folder).toSorted()).toEqual(['cdr.1.jsonl', 'cdr.jsonl']);
    expect([uuids('cdr.1.jsonl'), uuids('cdr.jsonl')]).toEqual(written.map((uuid) => [uuid]));
  });

  it('begin on a line of their own after half a line of a crash', async () => {
    writeFileSync(join(folder, 'cdr.jsonl'), '{"uuid":"half');
    const [uuid] = await addCalls(open(), 1);
    const lines = readFileSync(join(folder, 'cdr.jsonl'), 'utf8').split('\n');
    expect(lines[0]).toBe('{"uuid":"half');
    expect(JSON.parse(lines[1] ?? '').uuid).toBe(uuid);
  });

  it('are counted, and told once, as long as the disk is full', async () => {
    symlinkSync('/dev/full', join(folder, 'cdr.jsonl'));
    const cdr = open();
    await addCalls(cdr, 2);
    await addCalls(cdr, 1);
    expect(cdr.recordsLost).toBe(3);
    expect(logLines.length).toBe(1);
    expect(logLines[0]).toMatch(/^call detail records are lost: .*ENOSPC/);
    rmSync(join(folder, 'cdr.jsonl'));
    const after = await addCalls(cdr, 1);
    expect(uuids('cdr.jsonl')).toEqual(after);
    expect(cdr.recordsLost).toBe(3);
    expect(logLines.length).toBe(2);
  });

  it('cost nothing but a count where the directory cannot be made', async () => {
    mkdirSync(join(folder, 'x'));
    writeFileSync(join(folder, 'x', 'file'), '');
    const cdr = open({ directory: join(folder, 'x', 'file', 'state') });
    await addCalls(cdr, 2);
    expect(cdr.recordsLost).toBe(2);
  });
});
