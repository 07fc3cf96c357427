/**
 * Sends gauges to a collectd, now and then, over UDP. Whether one is there makes no difference to the node: what
 * goes wrong is counted, and told once until it goes right again.
 */

import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns';
import { isIP } from 'node:net';
import type { Logger } from 'pino';
import {
  COLLECTD_PLUGIN,
  COLLECTD_TYPE,
  CollectdGauges,
  type GaugeReadings,
} from '../metrics/collectd-gauges.ts';
import type { CounterBlock } from '../metrics/counters.ts';
import { formatEndpoint } from '../wire/address.ts';
import { collectdPackets } from '../wire/collectd.ts';

export interface CollectdSenderOptions {
  /** IP address or host name of the collectd; a name is resolved for every sending. */
  readonly address: string;
  readonly port: number;
  readonly intervalSeconds: number;
  /** What collectd files the gauges under. */
  readonly hostname: string;
  readonly read: () => GaugeReadings;
  readonly log: Logger;
  /** Calls back with IP addresses, the best first, in whatever time. Default: the system's resolver. */
  readonly resolve?: (name: string, done: Resolved) => void;
}

export type Resolved = (error: Error | null, addresses: readonly string[]) => void;

export const COLLECTD_COUNTER_NAMES: readonly string[] = ['failuresCollectdSend'];

/**
 * How long a socket is kept after sending to hear that nobody listens. What a collectd says meanwhile is read
 * and thrown away.
 */
const LINGER_MS = 500;

export class CollectdSender {
  readonly #options: CollectdSenderOptions;
  readonly #gauges: CollectdGauges;
  readonly #timer: NodeJS.Timeout;
  #socket: Socket | undefined;
  #lingering: NodeJS.Timeout | undefined;
  #isResolving = false;
  #isClosed = false;
  #isFailing = false;
  #failures = 0;

  /** Begins at once: the first gauges are sent after one interval. */
  constructor(options: CollectdSenderOptions) {
    this.#options = options;
    this.#gauges = new CollectdGauges(options.read().zones, performance.now());
    this.#timer = setInterval(() => this.send(), options.intervalSeconds * 1000).unref();
  }

  /** Sendings that did not reach a collectd, as far as can be told: UDP has no receipt. */
  get failures(): number {
    return this.#failures;
  }

  /** For `/metrics`. */
  counters(): CounterBlock {
    return { worker: 'main', names: COLLECTD_COUNTER_NAMES, values: Float64Array.of(this.#failures) };
  }

  /** Reads and sends the gauges now. Returns at once. */
  send(): void {
    if (this.#isClosed) return;
    // A resolver that hangs gets one question, not one every interval.
    if (this.#isResolving) return this.#failed('its name is still being resolved');
    const { address, resolve = resolveName } = this.#options;
    if (isIP(address) !== 0) return this.#sendTo(address);
    this.#isResolving = true;
    resolve(address, (error, addresses) => {
      this.#isResolving = false;
      if (this.#isClosed) return;
      // Where one address of a name fails, the next one has its turn: `localhost` is ::1 and 127.0.0.1.
      const chosen = addresses[this.#failures % addresses.length];
      if (error || chosen === undefined) this.#failed(error?.message ?? 'its name has no address');
      else this.#sendTo(chosen);
    });
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#closeSocket();
  }

  /** From a connected socket: it hears errors, and nothing of strangers. */
  #sendTo(address: string): void {
    this.#closeSocket();
    const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4').unref();
    this.#socket = socket;
    let isOver = false;
    const failed = (error: Error): void => {
      if (isOver) return;
      isOver = true; // one failure a sending, however many packets it has
      this.#failed(error.message);
      if (this.#socket === socket) this.#closeSocket();
    };
    socket.on('error', failed);
    socket.connect(this.#options.port, address, (error?: Error) => {
      if (error) return failed(error);
      if (this.#socket !== socket) return;
      const packets = this.#packets();
      let sent = 0;
      for (const packet of packets) {
        socket.send(packet, (sendError) => {
          if (sendError) failed(sendError);
          else if (++sent === packets.length) this.#linger(socket, () => isOver);
        });
      }
    });
  }

  #packets(): Uint8Array[] {
    const { hostname, intervalSeconds, read } = this.#options;
    const head = {
      host: hostname,
      timeMs: Date.now(),
      intervalSeconds,
      plugin: COLLECTD_PLUGIN,
      pluginInstance: '',
      type: COLLECTD_TYPE,
    };
    return collectdPackets(head, this.#gauges.gauges(read(), performance.now()));
  }

  #linger(socket: Socket, hasFailed: () => boolean): void {
    if (this.#socket !== socket) return;
    this.#lingering = setTimeout(() => {
      if (!hasFailed()) this.#succeeded();
      this.#closeSocket();
    }, LINGER_MS).unref();
  }

  #closeSocket(): void {
    clearTimeout(this.#lingering);
    this.#socket?.close();
    this.#socket = undefined;
  }

  #failed(reason: string): void {
    this.#failures++;
    if (!this.#isFailing) {
      const { address, port } = this.#options;
      this.#options.log.warn(`collectd at ${formatEndpoint(address, port)} is not reached: ${reason}`);
    }
    this.#isFailing = true;
  }

  #succeeded(): void {
    if (this.#isFailing) this.#options.log.info('collectd is reached again');
    this.#isFailing = false;
  }
}

function resolveName(name: string, done: Resolved): void {
  lookup(name, { all: true, order: 'verbatim' }, (error, addresses) =>
    // On an error there is no list, whatever the types say.
    done(error, error ? [] : addresses.map(({ address }) => address)),
  );
}
