/**
 * Server-Sent Events for the status pages. Listeners of the same page share what is rendered for them, and get it
 * whenever it differs from what they have. It is always the whole page: whoever is slow misses what came between and
 * still sees the newest, so nothing ever queues for a listener but one event.
 */
import type { Logger } from 'pino';

/** Windows that are kept up to date at once, all pages together; more are told to come back later. */
export const LISTENERS_MAX = 32;
const REFRESH_MS = 2000;
/** So that proxies, and the browser, know that the server is there. */
const HEARTBEAT_MS = 15_000;
/** A listener that takes nothing for so long is dropped. */
const STALLED_MS = 30_000;
/** A page that takes longer, since a worker does not answer, is not waited for. */
const RENDER_MS_MAX = 5000;
/** How long a browser waits before it connects again. */
const RECONNECT_MS = 3000;
/** Rendering takes no more than one part in so many of the main thread's time, */
const SHARE = 10;
/** but a busy node is not looked at more rarely than so many refreshes apart. */
const RESTS_MAX = 5;

export interface LiveUpdatesTimes {
  readonly refreshMs: number;
  readonly heartbeatMs: number;
  readonly stalledMs: number;
}

export interface Listening {
  /** Identifies what is rendered: the page's URL. */
  readonly key: string;
  render(): Promise<string>;
  /** Ends the connection of a listener that takes nothing. */
  drop(): void;
}

interface Topic {
  readonly render: () => Promise<string>;
  readonly listeners: Set<Listener>;
}

export class LiveUpdates {
  readonly #topics = new Map<string, Topic>();
  readonly #log: Logger;
  readonly #times: LiveUpdatesTimes;
  #listeners = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(log: Logger, times: Partial<LiveUpdatesTimes> = {}) {
    this.#log = log;
    this.#times = { refreshMs: REFRESH_MS, heartbeatMs: HEARTBEAT_MS, stalledMs: STALLED_MS, ...times };
  }

  get listeners(): number {
    return this.#listeners;
  }

  /** The events, as the body of a response; undefined where {@link LISTENERS_MAX} listen already. */
  listen({ key, render, drop }: Listening): ReadableStream<Uint8Array> | undefined {
    if (this.#isClosed || this.#listeners >= LISTENERS_MAX) return undefined;
    const topic = this.#topics.get(key) ?? { render, listeners: new Set() };
    const listener = new Listener(drop);
    this.#topics.set(key, topic);
    topic.listeners.add(listener);
    this.#listeners++;
    this.#schedule(this.#times.refreshMs);
    listener.onEnd = () => {
      topic.listeners.delete(listener);
      this.#listeners--;
      if (topic.listeners.size === 0 && this.#topics.get(key) === topic) this.#topics.delete(key);
    };
    return listener.stream;
  }

  /** Ends every listener's events. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const { listeners } of this.#topics.values()) for (const listener of [...listeners]) listener.end();
  }

  #schedule(afterMs: number): void {
    if (this.#timer || this.#isClosed || this.#listeners === 0) return;
    this.#timer = setTimeout(() => void this.#refresh(), afterMs).unref();
  }

  async #refresh(): Promise<void> {
    const startMs = performance.now();
    await Promise.all(
      [...this.#topics.values()].map(async ({ render, listeners }) => {
        const event = await this.#render(render);
        for (const listener of [...listeners]) listener.offer(event, performance.now(), this.#times);
      }),
    );
    const { refreshMs } = this.#times;
    const restMs = Math.min((SHARE - 1) * (performance.now() - startMs), RESTS_MAX * refreshMs);
    this.#timer = undefined;
    this.#schedule(Math.max(refreshMs, restMs));
  }

  /** Undefined where it fails, which is no reason to end anything: the next time it may not. */
  async #render(render: () => Promise<string>): Promise<string | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not rendered within ${RENDER_MS_MAX} ms`)), RENDER_MS_MAX);
    });
    try {
      // In one line, whatever is in the page: a line break would end the field.
      return `data: ${JSON.stringify(await Promise.race([render(), late]))}\n\n`;
    } catch (error) {
      this.#log.debug({ err: error }, 'a live page was not rendered');
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** One connection. */
class Listener {
  readonly stream: ReadableStream<Uint8Array>;
  /** Called once, however it ends. */
  onEnd: () => void = () => {};
  readonly #drop: () => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #sent: string | undefined;
  #sentAtMs: number = performance.now();

  constructor(drop: () => void) {
    this.#drop = drop;
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
          controller.enqueue(encoded(`retry: ${RECONNECT_MS}\n\n`));
        },
        cancel: () => this.#ended(),
      },
      { highWaterMark: 1 },
    );
  }

  /** @param event undefined: nothing new is known */
  offer(event: string | undefined, nowMs: number, times: LiveUpdatesTimes): void {
    const controller = this.#controller;
    if (!controller) return;
    const hasRoom = (controller.desiredSize ?? 0) > 0;
    if (!hasRoom) {
      if (nowMs - this.#sentAtMs < times.stalledMs) return;
      this.end();
      this.#drop();
      return;
    }
    const isNew = event !== undefined && event !== this.#sent;
    if (!isNew && nowMs - this.#sentAtMs < times.heartbeatMs) return;
    if (isNew) this.#sent = event;
    this.#sentAtMs = nowMs;
    controller.enqueue(encoded(isNew ? event : ': still here\n\n'));
  }

  end(): void {
    this.#controller?.close();
    this.#ended();
  }

  #ended(): void {
    if (!this.#controller) return;
    this.#controller = undefined;
    this.onEnd();
  }
}

function encoded(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
