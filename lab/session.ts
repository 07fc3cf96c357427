/**
 * A lab that is up, as its front process sees it: the inner process, and the address of the status pages. Runs of
 * scenarios come one after the other.
 */
import { type ChildProcess, fork, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { LabEvent } from './events.ts';
import { enterNamespaces } from './network/namespaces/enter.ts';
import type { NetworkKind } from './network/network.ts';
import { projectFile } from './project.ts';
import type { RunDirectory } from './run-directory.ts';
import type { InnerMessage, InnerRequest, RunOptions, StartOptions } from './session-messages.ts';

const INNER = 'dist-lab/lab/inside.js';
const PAGE_PORT = 8080;
/** Nodes end their calls and write their state. */
const CLOSE_MS_MAX = 15_000;

export interface SessionOptions extends Omit<StartOptions, 'directory'> {
  readonly directory: RunDirectory;
  /** Undefined: 8080, or where that is taken any. */
  readonly pagePort: number | undefined;
}

export class LabSession {
  readonly network: NetworkKind;
  readonly pageUrl: string;
  readonly #inner: ChildProcess;
  /** Settled when the inner process has ended: with why, where it was not told to. */
  readonly #ended: Promise<string>;
  #isBusy = false;
  #isClosing = false;

  private constructor(network: NetworkKind, pageUrl: string, inner: ChildProcess) {
    this.network = network;
    this.pageUrl = pageUrl;
    this.#inner = inner;
    this.#ended = once(inner, 'exit').then(
      ([code, signal]) => `the lab's inner process ended (${signal ?? `exit code ${code}`})`,
    );
  }

  /** Rejects with one line, nothing left running. */
  static async start({ directory, pagePort, ...rest }: SessionOptions): Promise<LabSession> {
    const { network } = rest;
    const pages = await listenForPages(pagePort);
    const { port } = pages.address() as { port: number };
    const script = projectFile(INNER);
    // Not in the terminal's process group: Ctrl-C is the front's, which ends the lab in order.
    const log = directory.openLog('lab');
    const stdio: StdioOptions = ['ignore', log, log, 'ipc'];
    const inner =
      network === 'simulated'
        ? fork(script, [], { detached: true, serialization: 'advanced', stdio })
        : enterNamespaces(script, [], { stdio });
    closeSync(log);
    const pageUrl = `http://127.0.0.1:${port}`;
    const session = new LabSession(network, pageUrl, inner);
    try {
      const options = { ...rest, directory: directory.path };
      await session.#ask({ ask: 'start', options, pageUrl }, 'started', () => {}, pages);
      return session;
    } catch (error) {
      await session.close();
      throw error;
    } finally {
      pages.close();
    }
  }

  /** Settles when the lab is no more, whyever. */
  get ended(): Promise<string> {
    return this.#ended;
  }

  /** @throws Error (rejects) where the lab itself fails; what calls did is told by events */
  async run(options: RunOptions, listener: (event: LabEvent) => void): Promise<void> {
    if (this.#isBusy) throw new Error('the lab is running a scenario already');
    this.#isBusy = true;
    try {
      await this.#ask({ ask: 'run', options }, 'ran', listener);
    } finally {
      this.#isBusy = false;
    }
  }

  /** Ends everything, in order if it can, and by force where that takes too long. */
  async close(): Promise<void> {
    if (!this.#isClosing && this.#inner.connected) {
      this.#isClosing = true;
      this.#inner.send({ ask: 'close' } satisfies InnerRequest);
    }
    const isLate = await Promise.race([
      this.#ended.then(() => false),
      delay(CLOSE_MS_MAX, true, { ref: false }),
    ]);
    if (isLate) this.#inner.kill('SIGKILL');
    await this.#ended;
  }

  #ask(
    request: InnerRequest,
    wanted: InnerMessage['say'],
    listener: (event: LabEvent) => void,
    handle?: Server,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (end: () => void): void => {
        this.#inner.off('message', heard);
        end();
      };
      const heard = (message: unknown): void => {
        const said = message as InnerMessage;
        if (said.say === 'event') listener(said.event);
        else if (said.say === 'failed') settle(() => reject(new Error(said.reason)));
        else if (said.say === wanted) settle(resolve);
      };
      this.#inner.on('message', heard);
      void this.#ended.then((why) =>
        settle(() => reject(new Error(this.#isClosing ? 'the lab was ended' : why))),
      );
      this.#inner.send(request, handle);
    });
  }
}

/** Listens on this machine's loopback; a handle of it goes to the inner process. */
async function listenForPages(wanted: number | undefined): Promise<Server> {
  for (const port of wanted === undefined ? [PAGE_PORT, 0] : [wanted]) {
    const server = createServer({ pauseOnConnect: true });
    server.listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
      return server;
    } catch (error) {
      if (port === 0 || wanted !== undefined) {
        throw new Error(`the status pages cannot listen on 127.0.0.1:${port}: ${String(error)}`);
      }
    }
  }
  throw new Error('the status pages cannot listen on 127.0.0.1');
}
