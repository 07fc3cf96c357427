/**
 * A lab that is up, as its front process sees it: the inner process, and the address of the status pages. Runs of
 * scenarios come one after the other.
 */
import { type ChildProcess, fork, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { LabEvent } from './events.ts';
import { errorLine } from './lab-error.ts';
import { enterNamespaces } from './network/namespaces/enter.ts';
import type { NetworkKind } from './network/network.ts';
import { projectFile } from './project.ts';
import { startWithLog } from './run-directory.ts';
import type { InnerMessage, InnerRequest, RunOptions, StartOptions } from './session-messages.ts';

const INNER = 'dist-lab/lab/inside.js';
const PAGE_PORT = 8080;
/** Nodes end their calls and write their state. */
const CLOSE_MS_MAX = 15_000;

export interface SessionOptions extends StartOptions {
  /** Undefined: 8080, or where that is taken any. */
  readonly pagePort: number | undefined;
}

export class LabSession {
  readonly network: NetworkKind;
  readonly pageUrl: string;
  readonly #options: StartOptions;
  /** Until the inner process has it. */
  readonly #pages: Server;
  readonly #inner: ChildProcess;
  readonly #ended: Promise<string>;
  #isBusy = false;
  #isClosing = false;

  private constructor(options: StartOptions, pages: Server, pagePort: number, inner: ChildProcess) {
    this.network = options.network;
    this.pageUrl = `http://127.0.0.1:${pagePort}`;
    this.#options = options;
    this.#pages = pages;
    this.#inner = inner;
    this.#ended = new Promise((resolve) => {
      inner.once('exit', (code, signal) =>
        resolve(`the lab's inner process ended (${signal ?? `exit code ${code}`})`),
      );
      // Of one that runs, its exit tells; one that could not be started has none.
      inner.on('error', (error) => {
        if (inner.pid === undefined) resolve(`the lab's inner process does not start: ${error.message}`);
      });
    });
  }

  /** Has the inner process, and nothing in it yet. Whoever opens a session closes it. */
  static async open({ pagePort, ...options }: SessionOptions): Promise<LabSession> {
    const pages = await listenForPages(pagePort);
    const { port } = pages.address() as { port: number };
    const script = projectFile(INNER);
    const inner = startWithLog(options.directory, 'lab', (log) => {
      // Not in the terminal's process group: Ctrl-C is the front's, which ends the lab in order.
      const stdio: StdioOptions = ['ignore', log, log, 'ipc'];
      return options.network === 'simulated'
        ? fork(script, [], { detached: true, serialization: 'advanced', stdio })
        : enterNamespaces(script, [], { stdio });
    });
    return new LabSession(options, pages, port, inner);
  }

  /** Network, media plane and pages. Rejects with one line. */
  async start(): Promise<void> {
    try {
      const { pageUrl } = this;
      await this.#ask({ ask: 'start', options: this.#options, pageUrl }, 'started', () => {}, this.#pages);
    } finally {
      this.#pages.close();
    }
  }

  /** Settles when the lab is no more, whyever, with why. */
  get ended(): Promise<string> {
    return this.#ended;
  }

  /** It is running a scenario. */
  get isBusy(): boolean {
    return this.#isBusy;
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

  /** Ends everything, in order if it can, and by force where that takes too long. Safe to call twice. */
  async close(): Promise<void> {
    this.#pages.close();
    if (!this.#isClosing && this.#inner.connected) {
      this.#isClosing = true;
      // Where it cannot be sent, its end is near, and is waited for.
      this.#inner.send({ ask: 'close' } satisfies InnerRequest, () => {});
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
      // What cannot be sent has an inner process that ends, which says why better.
      this.#inner.send(request, handle, undefined, () => {});
    });
  }
}

/** Listens on this machine's loopback; a handle of it goes to the inner process. */
async function listenForPages(wanted: number | undefined): Promise<Server> {
  let problem = '';
  for (const port of wanted === undefined ? [PAGE_PORT, 0] : [wanted]) {
    // Nobody answers here: a browser that is early asks again, and must not keep this process from ending.
    const server = createServer((socket) => socket.destroy());
    server.listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
      return server;
    } catch (error) {
      problem = errorLine(error);
    }
  }
  throw new Error(`the status pages cannot listen on this machine: ${problem}`);
}
