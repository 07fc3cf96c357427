/** A program in the lab's network, as a test sees it: it does what it is asked to, over IPC. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LabNetwork } from '../../../lab/network/network.ts';
import type { TransportAddress } from '../../../lab/phone/protocol.ts';
import type { PlaceName } from '../../../lab/topology.ts';

const SCRIPT = fileURLToPath(new URL('network-program.mjs', import.meta.url));

export interface Heard {
  readonly text: string;
  readonly from: TransportAddress;
}

export interface Stream {
  readonly stream: number;
  readonly local: TransportAddress;
  readonly remote: TransportAddress;
}

interface Udp {
  readonly socket: number;
  readonly at: TransportAddress;
}

interface Questions {
  udp: { question: { address?: string; port: number }; answer: Udp };
  bindAtOnce: {
    question: TransportAddress;
    answer: Partial<Udp> & { failure?: string; buffer?: number; queue?: number };
  };
  sendUnbound: { question: { text: string; to: TransportAddress }; answer: Udp };
  send: { question: { socket: number; text: string; to: TransportAddress }; answer: number };
  closeUdp: { question: { socket: number }; answer: null };
  listen: {
    question: TransportAddress & { halfOpen?: boolean };
    answer: { server: number; at: TransportAddress };
  };
  closeServer: { question: { server: number }; answer: null };
  connect: { question: TransportAddress & { halfOpen?: boolean; text?: string }; answer: Stream };
  write: { question: { stream: number; text: string }; answer: null };
  end: { question: { stream: number }; answer: null };
  next: { question: { thing: number }; answer: unknown };
  interfaces: { question: Record<never, never>; answer: string[] };
  allocate: {
    question: {
      server: TransportAddress;
      transport: 'udp' | 'tcp';
      local: string;
      username: string;
      password: string;
    };
    answer: { relay: number; relayed: TransportAddress; mapped: TransportAddress };
  };
  relay: { question: { relay: number; text: string; to: TransportAddress }; answer: null };
  thread: { question: { command: string; question: object }; answer: { answer?: unknown; error?: string } };
  ignoreTerm: { question: Record<never, never>; answer: null };
  directory: { question: Record<never, never>; answer: string };
}

interface Waiting {
  resolve(answer: never): void;
  reject(error: Error): void;
}

export class NetworkProgram {
  readonly process: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  private constructor(child: ChildProcess) {
    this.process = child;
    child.on('message', (message) => {
      const { id, answer, error } = message as { id: number; answer?: never; error?: string };
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(answer as never);
      else waiting?.reject(new Error(error));
    });
  }

  /** @throws Error (rejects) where the program ends before it runs */
  static async start(network: LabNetwork, place: PlaceName): Promise<NetworkProgram> {
    const child = network.startNode(place, SCRIPT, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`a program in ${place} ends with ${code} before it runs`);
    });
    await Promise.race([once(child, 'message'), ended]);
    ended.catch(() => {}); // ends later, as it should
    return new NetworkProgram(child);
  }

  /** Rejects with the code of the error where there was one. */
  ask<Command extends keyof Questions>(
    command: Command,
    question: Questions[Command]['question'],
  ): Promise<Questions[Command]['answer']> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.process.send({ id, command, question });
    });
  }

  async end(): Promise<void> {
    this.process.kill('SIGKILL');
    await once(this.process, 'exit');
  }

  /** The next datagram that a socket or a relay gets. */
  async hear(thing: number): Promise<Heard> {
    return (await this.ask('next', { thing })) as Heard;
  }

  /** What happens to the thing until it is closed, texts put together. */
  async all(thing: number): Promise<object[]> {
    const events: { text?: string; close?: true }[] = [];
    for (;;) {
      const event = (await this.ask('next', { thing })) as { text?: string; close?: true };
      const last = events.at(-1);
      if (event.text !== undefined && last?.text !== undefined) last.text += event.text;
      else events.push(event);
      if (event.close) return events;
    }
  }
}
