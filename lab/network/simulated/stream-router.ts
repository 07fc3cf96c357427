/**
 * Arranges the TCP connections of the simulated network. The bytes go over the machine's own loopback, from one
 * program to the other; what is arranged is who may connect to whom, and who each side takes the other for.
 *
 * Both ends know the real port of the client. By that the listener's question who has called finds its answer.
 */
import type { TransportAddress } from '../../phone/protocol.ts';
import { transportText } from '../../phone/transport-address.ts';
import type { HomeName, PlaceName } from '../../topology.ts';
import type { HostMessage, Refusal } from './frames.ts';
import type { Gateway } from './gateway.ts';
import type { HostThread } from './host-thread.ts';
import { isOfHome, isPrivate, isPublicHost, sourceAddress, wayOut } from './ways.ts';

type Said<Say extends HostMessage['say']> = Extract<HostMessage, { say: Say }>;

interface Listener {
  readonly at: TransportAddress;
  readonly thread: HostThread;
  readonly realPort: number;
  /** By their real ports: clients it has not asked for yet, and its questions whose client has not told yet. */
  readonly callers: Map<number, TransportAddress>;
  readonly questions: Map<number, number>;
}

interface Connection {
  readonly home: HomeName | undefined;
  readonly listener: Listener;
  /** The client, as the listener sees it. */
  readonly seen: TransportAddress;
}

/** Of one thread, by its numbers for them. */
interface Streams {
  readonly listeners: Map<number, Listener>;
  readonly connections: Map<number, Connection>;
  readonly questions: Map<number, { readonly listener: Listener; readonly realPort: number }>;
}

const FIRST_CLIENT_PORT = 49_152;
const CLIENT_PORTS = 65_536 - FIRST_CLIENT_PORT;

export class StreamRouter {
  readonly #gateways: Readonly<Record<HomeName, Gateway>>;
  readonly #threads = new Map<HostThread, Streams>();
  readonly #listeners = new Map<string, Listener>();
  readonly #lastClientPort = new Map<PlaceName, number>();

  constructor(gateways: Readonly<Record<HomeName, Gateway>>) {
    this.#gateways = gateways;
  }

  listen(thread: HostThread, { id, address, port, realPort }: Said<'listen'>): void {
    const at = { address, port };
    const listener = { at, realPort, thread, callers: new Map(), questions: new Map() };
    this.#of(thread).listeners.set(id, listener);
    this.#listeners.set(transportText(listener.at), listener);
  }

  connect(thread: HostThread, place: PlaceName, { id, to, from }: Said<'connect'>): void {
    const inside = {
      address: from.address || sourceAddress(place, to.address),
      port: from.port || this.#nextClientPort(place),
    };
    const way = wayOut(place, to.address);
    const refuse = (code: Refusal): void => thread.tell({ say: 'no-way', id, code });
    if (way.by === 'none') return refuse('ENETUNREACH');
    if (way.by === 'lan') {
      if (way.place === undefined) return refuse('EHOSTUNREACH');
    } else if (!isPublicHost(to.address)) {
      // A gateway is silent: the client waits for as long as it likes.
      return isOfHome(to.address) ? undefined : refuse('ENETUNREACH');
    }
    const home = way.by === 'gateway' ? way.home : undefined;
    const seen = home === undefined ? inside : this.#gateways[home].outgoingStream(inside, to);
    if (way.by !== 'lan' && isPrivate(seen.address)) return refuse('ENETUNREACH');
    const listener = this.#listeners.get(transportText(to));
    if (!listener) return refuse('ECONNREFUSED');
    this.#of(thread).connections.set(id, { home, listener, seen });
    thread.tell({ say: 'way', id, realPort: listener.realPort, from: inside });
  }

  connected(thread: HostThread, { id, realPort }: Said<'connected'>): void {
    const connection = this.#of(thread).connections.get(id);
    if (!connection) return;
    const { listener, seen } = connection;
    const question = listener.questions.get(realPort);
    if (question === undefined) listener.callers.set(realPort, seen);
    else listener.thread.tell({ say: 'caller', id: question, from: seen });
    listener.questions.delete(realPort);
  }

  accepted(thread: HostThread, { id, listener: listenerId, realPort }: Said<'accepted'>): void {
    const { listeners, questions } = this.#of(thread);
    const listener = listeners.get(listenerId);
    if (!listener) return;
    const caller = listener.callers.get(realPort);
    listener.callers.delete(realPort);
    if (caller) {
      thread.tell({ say: 'caller', id, from: caller });
      return;
    }
    listener.questions.set(realPort, id);
    questions.set(id, { listener, realPort });
  }

  close(thread: HostThread, id: number): void {
    const { listeners, connections, questions } = this.#of(thread);
    const listener = listeners.get(id);
    const question = questions.get(id);
    for (const known of [listeners, connections, questions]) known.delete(id);
    if (question?.listener.questions.get(question.realPort) === id)
      question.listener.questions.delete(question.realPort);
    if (!listener) return;
    const key = transportText(listener.at);
    // Another program may have the port by now.
    if (this.#listeners.get(key) === listener) this.#listeners.delete(key);
  }

  forget(thread: HostThread): void {
    const { listeners, connections, questions } = this.#of(thread);
    for (const known of [listeners, connections, questions])
      for (const id of known.keys()) this.close(thread, id);
    this.#threads.delete(thread);
  }

  /** The home's connections break, as its gateway has forgotten them. */
  reset(home: HomeName): void {
    for (const [thread, { connections }] of this.#threads) {
      for (const [id, connection] of connections) {
        if (connection.home === home) thread.tell({ say: 'reset', id });
      }
    }
  }

  #of(thread: HostThread): Streams {
    const known = this.#threads.get(thread);
    if (known) return known;
    const streams: Streams = { listeners: new Map(), connections: new Map(), questions: new Map() };
    this.#threads.set(thread, streams);
    return streams;
  }

  /** In turn: by the time that one comes again, what it stood for has long ended. */
  #nextClientPort(place: PlaceName): number {
    const next = ((this.#lastClientPort.get(place) ?? 0) + 1) % CLIENT_PORTS;
    this.#lastClientPort.set(place, next);
    return FIRST_CLIENT_PORT + next;
  }
}
