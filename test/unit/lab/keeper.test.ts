/** A lab that stays up, and those who ask it things. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LabEvent } from '../../../lab/events.ts';
import { askKeeper, type KeeperRequest, type KeptSession, keep, keeperStatus } from '../../../lab/keeper.ts';
import { labHome } from '../../../lab/run-directory.ts';
import { loadScenario } from '../../../lab/scenario/read-scenario.ts';

const scenario = loadScenario(
  '{ title: T, steps: [{ title: S, calls: [{ from: homeA, to: desk, expect: none }] }] }',
  'test.yaml',
);
const RUN: KeeperRequest = { ask: 'run', options: { scenario, peers: 'lab' } };

/** A session that runs what a test lets it run. */
class FakeSession implements KeptSession {
  readonly network = 'simulated';
  readonly pageUrl = 'http://127.0.0.1:8080';
  isBusy = false;
  closed = 0;
  readonly #running: { resolve(): void; reject(error: Error): void; tell(event: LabEvent): void }[] = [];
  #end: (why: string) => void = () => {};
  readonly ended: Promise<string> = new Promise((resolve) => {
    this.#end = resolve;
  });

  async run(_: unknown, tell: (event: LabEvent) => void): Promise<void> {
    if (this.isBusy) throw new Error('the lab is running a scenario already');
    this.isBusy = true;
    await new Promise<void>((resolve, reject) => {
      this.#running.push({ resolve, reject, tell });
    }).finally(() => {
      this.isBusy = false;
    });
  }

  /** Of the run that is under way, once it is. */
  async underWay(): Promise<{ resolve(): void; tell(event: LabEvent): void }> {
    await vi.waitUntil(() => this.#running.length > 0);
    return this.#running[0] as { resolve(): void; tell(event: LabEvent): void };
  }

  end(why: string): void {
    this.#end(why);
    for (const { reject } of this.#running) reject(new Error(why));
  }

  async close(): Promise<void> {
    this.closed++;
    this.end('the lab was ended');
  }
}

let temporary: string;
let session: FakeSession;
let kept: Promise<string>;
let interrupt: (by: unknown) => void;

/** Resolves with how it ended: `down`, or its error. */
async function startKeeper(): Promise<void> {
  session = new FakeSession();
  const interrupted = new Promise<unknown>((resolve) => {
    interrupt = resolve;
  });
  await new Promise<void>((listening) => {
    kept = keep({ session, directory: '/run', interrupted, listening }).then(
      () => 'down',
      (error: Error) => error.message,
    );
    void kept.then(() => listening());
  });
}

beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'causeway-keeper-'));
  vi.stubEnv('TMPDIR', temporary);
});

afterEach(async () => {
  await session.close();
  await kept;
  vi.unstubAllEnvs();
  rmSync(temporary, { recursive: true, force: true });
});

async function client(): Promise<Socket> {
  const socket = connect(join(labHome(), 'control'));
  await once(socket, 'connect');
  return socket;
}

describe.skipIf(platform() === 'win32')('a lab that is up', () => {
  it('is not there before it is up, nor after it is down', async () => {
    session = new FakeSession();
    kept = Promise.resolve('down');
    expect(await askKeeper({ ask: 'status' })).toBeUndefined();
    await startKeeper();
    expect(await keeperStatus()).toMatchObject({ directory: '/run', isRunning: false, network: 'simulated' });
    expect(await askKeeper({ ask: 'down' })).toEqual({ say: 'done' });
    expect(await kept).toBe('down');
    expect(session.closed).toBe(1);
    expect(await keeperStatus()).toBeUndefined();
    expect(existsSync(join(labHome(), 'control'))).toBe(false);
  });

  it('runs a scenario, and tells its events to who asked', async () => {
    await startKeeper();
    const heard: LabEvent[] = [];
    const asked = askKeeper(RUN, (event) => heard.push(event));
    const run = await session.underWay();
    run.tell({ event: 'note', text: 'a line\nand "another"' });
    run.resolve();
    expect(await asked).toEqual({ say: 'done' });
    expect(heard).toEqual([{ event: 'note', text: 'a line\nand "another"' }]);
  });

  it('refuses a second run, and is still running the first', async () => {
    await startKeeper();
    const first = askKeeper(RUN);
    const run = await session.underWay();
    expect(await askKeeper(RUN)).toEqual({ say: 'failed', reason: 'the lab is running a scenario already' });
    expect(await keeperStatus()).toMatchObject({ isRunning: true });
    run.resolve();
    expect(await first).toEqual({ say: 'done' });
  });

  it('goes on with a run whose client has gone', async () => {
    await startKeeper();
    const leaving = new AbortController();
    const asked = askKeeper(RUN, () => {}, leaving.signal);
    const run = await session.underWay();
    leaving.abort();
    await asked;
    run.tell({ event: 'note', text: 'to nobody' });
    expect(await keeperStatus()).toMatchObject({ isRunning: true });
    run.resolve();
    await vi.waitUntil(() => !session.isBusy);
    expect(await keeperStatus()).toMatchObject({ isRunning: false });
  });

  it('goes down in mid-run, and who waits for the run is told', async () => {
    await startKeeper();
    const asked = askKeeper(RUN);
    await session.underWay();
    expect(await askKeeper({ ask: 'down' })).toEqual({ say: 'done' });
    expect(await asked).toMatchObject({ say: 'failed' });
    expect(await kept).toBe('down');
  });

  it('ends with its session, and says why', async () => {
    await startKeeper();
    const asked = askKeeper(RUN);
    await session.underWay();
    session.end('its inner process ended (SIGKILL)');
    expect(await asked).toEqual({ say: 'failed', reason: 'its inner process ended (SIGKILL)' });
    expect(await kept).toBe('its inner process ended (SIGKILL)');
  });

  it('goes down when it is interrupted, also with a client that says nothing', async () => {
    await startKeeper();
    const socket = await client();
    interrupt('interrupted');
    expect(await kept).toBe('down');
    socket.resume();
    await once(socket, 'close');
  });

  it.each(['no JSON', 'null', '7', '{"ask":"sing"}'])('does not fall over %s', async (line) => {
    await startKeeper();
    const socket = await client();
    socket.write(`${line}\n`);
    expect(JSON.parse(await text(socket))).toMatchObject({ say: 'failed' });
    expect(await keeperStatus()).toBeDefined();
  });

  it('is the only one: another does not come up, and closes what it has', async () => {
    await startKeeper();
    const [first, firstKept] = [session, kept];
    await startKeeper();
    expect(await kept).toBe('a lab is up already');
    expect(session.closed).toBe(1);
    expect(await keeperStatus()).toBeDefined();
    await first.close();
    await firstKept;
  });
});
